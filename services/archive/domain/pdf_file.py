"""
The revisions of a PDF file: what each incremental update added, in the order in which it was appended.

hocba writes classical cross-reference tables only, so files with cross-reference streams, hybrid tables, encryption or
linearisation are refused: they add ways to show two readers two documents and nothing that a transcript needs.
"""

import re
import zlib
from dataclasses import dataclass, field

from services.archive.domain.pdf_syntax import (
    Dictionary,
    MalformedPdf,
    Reference,
    Stream,
    Value,
    parse_indirect,
    parse_value,
    skip_gap,
)

_FILE_START = re.compile(rb"%PDF-(1\.[3-7]|2\.0)[\r\n]")
_FILE_END = re.compile(rb"startxref[\r\n ]+(\d{1,12})[\r\n ]+%%EOF(\r\n|\n|\r)?")
_XREF = re.compile(rb"xref[\t ]*(?:\r\n|\n|\r)")
_SUBSECTION = re.compile(rb"(\d{1,10}) (\d{1,8})[\t ]*(?:\r\n|\n|\r)")
_TRAILER = re.compile(rb"[\x00\t\n\x0c\r ]*trailer(?![A-Za-z])")
_ENTRY_BYTES = 20
MOST_REVISIONS = 32
MOST_OBJECTS = 100_000
LARGEST_STREAM = 16 * 1024 * 1024
"""A stream that inflates to more than this is refused: no part of a transcript is that big."""


class TrailingBytes(MalformedPdf):
    """Bytes stand behind the end of the last revision."""


class Truncated(MalformedPdf):
    """The file doesn't end with the end of a revision."""


@dataclass(frozen=True)
class Revision:
    """One appended part of the file: the bytes [start, end), the objects that it writes, and its trailer."""

    start: int
    end: int
    objects: dict[int, int]
    """Object number -> offset, as this revision's own table has it."""
    freed: frozenset[int]
    trailer: Dictionary


@dataclass(frozen=True)
class PdfFile:
    """A file and its revisions, oldest first. Objects are looked up as of a revision."""

    data: bytes
    revisions: tuple[Revision, ...]
    _parsed: dict[int, Value] = field(default_factory=dict, repr=False)

    def offset_of(self, number: int, revision: int) -> int | None:
        """Where the object stands as of `revision` (0 is the body), or None when it doesn't exist then."""
        for index in range(revision, -1, -1):
            offset = self.revisions[index].objects.get(number)
            if offset is not None:
                return offset
            if number in self.revisions[index].freed:
                return None
        return None

    def object_at(self, number: int, offset: int) -> Value:
        """The object whose table entry points at `offset`; it must say that it is `number`."""
        if offset not in self._parsed:
            reference, value, _ = parse_indirect(self.data, offset)
            if reference != (number, 0):
                raise MalformedPdf(f"object {reference.number} stands where object {number} should, at byte {offset}")
            self._parsed[offset] = value
        return self._parsed[offset]

    def get(self, number: int, revision: int) -> Value:
        """The object as of `revision`; null when it doesn't exist (ISO 32000-1 section 7.3.10)."""
        offset = self.offset_of(number, revision)
        return None if offset is None else self.object_at(number, offset)

    def resolve(self, value: Value, revision: int) -> Value:
        """The value itself, or what it refers to as of `revision`."""
        for _ in range(8):
            if not isinstance(value, Reference):
                return value
            value = self.get(value.number, revision)
        raise MalformedPdf("references lead to references without end")

    def dictionary(self, value: Value, revision: int, what: str) -> Dictionary:
        """The dictionary that `value` is or refers to."""
        resolved = self.resolve(value, revision)
        if not isinstance(resolved, dict):
            raise MalformedPdf(f"{what} is not a dictionary")
        return resolved

    def array(self, value: Value, revision: int, what: str) -> list[Value]:
        """The array that `value` is or refers to; absent counts as empty."""
        resolved = self.resolve(value, revision)
        if resolved is None:
            return []
        if not isinstance(resolved, list):
            raise MalformedPdf(f"{what} is not an array")
        return resolved

    def root(self, revision: int) -> tuple[int, Dictionary]:
        """The catalogue's object number and its dictionary as of `revision`."""
        reference = self.revisions[revision].trailer.get("Root")
        if not isinstance(reference, Reference):
            raise MalformedPdf("the trailer names no catalogue")
        return reference.number, self.dictionary(reference, revision, "the catalogue")


def open_pdf(data: bytes) -> PdfFile:
    """The file's revisions, each complete and adjoining the one before; anything else is refused."""
    if _FILE_START.match(data) is None:
        raise MalformedPdf("the file doesn't begin with a PDF header")
    table_at = _last_table(data)
    newest_first: list[tuple[int, int, dict[int, int], frozenset[int], Dictionary]] = []
    limit = len(data)
    while True:
        objects, freed, trailer, behind = _table(data, table_at)
        end = _revision_end(data, behind, table_at, limit)
        newest_first.append((table_at, end, objects, freed, trailer))
        previous = trailer.get("Prev")
        if previous is None:
            break
        if not isinstance(previous, int) or not 0 < previous < table_at or len(newest_first) >= MOST_REVISIONS:
            raise MalformedPdf(f"the table at byte {table_at} names an impossible earlier table")
        table_at, limit = previous, table_at
    if newest_first[0][1] != len(data):
        raise TrailingBytes(f"{len(data) - newest_first[0][1]} bytes stand behind the end of the document")
    revisions: list[Revision] = []
    start = 0
    for table_at, end, objects, freed, trailer in reversed(newest_first):
        if any(not start <= offset < table_at for offset in objects.values()):
            raise MalformedPdf(f"the table at byte {table_at} points at objects outside its own revision")
        revisions.append(Revision(start, end, objects, freed, trailer))
        start = end
    return PdfFile(data, tuple(revisions))


def decoded(stream: Stream) -> bytes:
    """The stream's content; only Flate, which is all that hocba writes around data."""
    filters = stream.entries.get("Filter")
    if filters is None or filters == []:
        return stream.raw
    if filters not in ("FlateDecode", ["FlateDecode"]) or stream.entries.get("DecodeParms") is not None:
        raise MalformedPdf(f"a stream uses a filter that hocba doesn't write: {filters!r}")
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(stream.raw, LARGEST_STREAM)
    except zlib.error as error:
        raise MalformedPdf(f"a stream can't be inflated: {error}") from error
    if inflater.unconsumed_tail:
        raise MalformedPdf(f"a stream inflates to more than {LARGEST_STREAM} bytes")
    return content


def _last_table(data: bytes) -> int:
    """The offset that the file's last line but one names; says precisely what is wrong when the file ends otherwise."""
    marks = list(_FILE_END.finditer(data))
    if not marks:
        raise Truncated("the file has no end mark: it is cut off")
    last = marks[-1]
    if last.end() != len(data):
        rest = data[last.end() :]
        # A cut inside an appended revision also leaves bytes behind the last complete one; those begin like objects.
        if re.match(rb"\s*\d{1,10} \d{1,5} obj", rest):
            raise Truncated(f"the last {len(rest)} bytes are an unfinished revision: the file is cut off")
        raise TrailingBytes(f"{len(rest)} bytes stand behind the end of the document")
    return int(last[1])


def _table(data: bytes, position: int) -> tuple[dict[int, int], frozenset[int], Dictionary, int]:
    """One cross-reference table and its trailer."""
    at = position
    heading = _XREF.match(data, position)
    if heading is None:
        raise MalformedPdf(f"no cross-reference table stands at byte {position}")
    position = heading.end()
    objects: dict[int, int] = {}
    freed: set[int] = set()
    while subsection := _SUBSECTION.match(data, position):
        first, count = int(subsection[1]), int(subsection[2])
        position = subsection.end()
        if count > MOST_OBJECTS or position + count * _ENTRY_BYTES > len(data):
            raise MalformedPdf(f"the table at byte {at} has more entries than the file has room for")
        for number in range(first, first + count):
            entry = data[position : position + _ENTRY_BYTES]
            position += _ENTRY_BYTES
            if number in objects or number in freed:
                raise MalformedPdf(f"object {number} stands twice in the table at byte {at}")
            if not entry[:10].isdigit() or not entry[11:16].isdigit():
                raise MalformedPdf(f"the entry of object {number} in the table at byte {at} is broken")
            if entry[17:18] == b"n":
                objects[number] = int(entry[:10])
            elif entry[17:18] == b"f":
                freed.add(number)
            else:
                raise MalformedPdf(f"the entry of object {number} in the table at byte {at} is broken")
    heading = _TRAILER.match(data, position)
    if heading is None:
        raise MalformedPdf(f"the table at byte {at} has no trailer")
    trailer, position = parse_value(data, heading.end())
    if not isinstance(trailer, dict):
        raise MalformedPdf(f"the trailer of the table at byte {at} is not a dictionary")
    for key in ("XRefStm", "Encrypt"):
        if key in trailer:
            raise MalformedPdf(f"the trailer has /{key}, which hocba never writes")
    return objects, frozenset(freed), trailer, position


def _revision_end(data: bytes, position: int, table_at: int, limit: int) -> int:
    """Where the revision with the table at `table_at` ends: behind its own end mark, which must name that table."""
    position = skip_gap(data, position)
    mark = _FILE_END.match(data, position)
    if mark is None or int(mark[1]) != table_at or mark.end() > limit:
        raise MalformedPdf(f"the revision with the table at byte {table_at} has no end mark of its own")
    return mark.end()
