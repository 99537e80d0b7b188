"""
The revisions of a PDF file: what each incremental update added, in the order in which it was appended.

Every byte of a file is accounted for: a revision is its objects, one after another, and its cross-reference section, so nothing
stands where one reader sees an object and another one doesn't.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.archive.domain.cross_references import Packed, Place, Section, read_section
from services.archive.domain.object_streams import unpacked
from services.archive.domain.pdf_syntax import (
    Dictionary,
    MalformedPdf,
    Reference,
    Stream,
    Value,
    inflated,
    parse_indirect,
    skip_gap,
    skip_white,
)

_FILE_START = re.compile(rb"%PDF-(1\.[3-7]|2\.0)[\r\n]")
_FILE_END = re.compile(rb"startxref[\r\n ]+(\d{1,12})[\r\n ]+%%EOF(\r\n|\n|\r)?")
_UNFINISHED = re.compile(rb"\s*\d{1,10} \d{1,5} obj")
MOST_REVISIONS = 32
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
    objects: dict[int, Place]
    """Object number -> place, as this revision's own cross-reference section has it."""
    freed: frozenset[int]
    trailer: Dictionary
    section_at: int


@dataclass(frozen=True)
class PdfFile:
    """A file and its revisions, oldest first. Objects are looked up as of a revision."""

    data: bytes
    revisions: tuple[Revision, ...]
    _parsed: dict[Place, Value] = field(default_factory=dict, repr=False)
    _ends: dict[int, int] = field(default_factory=dict, repr=False)

    def place_of(self, number: int, revision: int) -> Place | None:
        """Where the object stands as of `revision` (0 is the body), or None when it doesn't exist then."""
        for index in range(revision, -1, -1):
            place = self.revisions[index].objects.get(number)
            if place is not None:
                return place
            if number in self.revisions[index].freed:
                return None
        return None

    def object_at(self, place: Place) -> Value:
        """The object that a cross-reference section has there."""
        return self._parsed[place]

    def end_of(self, offset: int) -> int:
        """Where the object that begins at a byte of the file ends."""
        return self._ends[offset]

    def get(self, number: int, revision: int) -> Value:
        """The object as of `revision`; null when it doesn't exist (ISO 32000-1 section 7.3.10)."""
        place = self.place_of(number, revision)
        return None if place is None else self._parsed[place]

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
    newest_first: list[tuple[int, int, Section]] = []
    at, limit = _last_section(data), len(data)
    while True:
        section = read_section(data, at)
        newest_first.append((at, _revision_end(data, section, at, limit), section))
        previous = section.trailer.get("Prev")
        if previous is None:
            break
        if not isinstance(previous, int) or not 0 < previous < at or len(newest_first) >= MOST_REVISIONS:
            raise MalformedPdf(f"the cross-references at byte {at} name an impossible earlier section")
        at, limit = previous, at
    if newest_first[0][1] != len(data):
        raise TrailingBytes(f"{len(data) - newest_first[0][1]} bytes stand behind the end of the document")
    if len({section.packed for _, _, section in newest_first}) > 1:
        raise MalformedPdf("the file has both cross-reference tables and streams")
    revisions: list[Revision] = []
    start = 0
    for at, end, section in reversed(newest_first):
        revisions.append(Revision(start, end, section.objects, section.freed, section.trailer, at))
        start = end
    file = PdfFile(data, tuple(revisions))
    for index in range(len(revisions)):
        _read_objects(file, index)
    return file


def _read_objects(file: PdfFile, index: int) -> None:
    """Read all that a revision writes. Its objects fill it: they don't overlap, and only white space stands between them."""
    revision = file.revisions[index]
    plain = sorted((place, number) for number, place in revision.objects.items() if isinstance(place, int))
    # The file's first lines are comments; anywhere else a comment could hide an object from some readers.
    position = skip_gap(file.data, 0) if index == 0 else skip_white(file.data, revision.start)
    containers = {place.stream for place in revision.objects.values() if isinstance(place, Packed)}
    for offset, number in plain:
        if offset != position or offset >= revision.section_at:
            raise MalformedPdf(f"object {number} should stand at byte {position}, where the one before it ends, not at byte {offset}")
        reference, value, end = parse_indirect(file.data, offset)
        if reference != (number, 0):
            raise MalformedPdf(f"object {reference.number} stands where object {number} should, at byte {offset}")
        if isinstance(value, Stream) and value.entries.get("Type") in ("ObjStm", "XRef") and number not in containers:
            raise MalformedPdf(f"object {number} is a container that nothing uses")
        file._parsed[offset], file._ends[offset] = value, end
        position = skip_white(file.data, end)
    if position != revision.section_at:
        raise MalformedPdf(f"something that is no object stands at byte {position}")
    if containers and index > 0:
        raise MalformedPdf("an update has an object stream, which hocba never writes")
    for container in containers:
        for place, value in _unpacked(revision, container, file):
            file._parsed[place] = value


def _unpacked(revision: Revision, container: int, file: PdfFile) -> Iterator[tuple[Packed, Value]]:
    """The objects of one object stream, each with the row that must name it, and no row left without its object."""
    at = revision.objects.get(container)
    stream = file.object_at(at) if isinstance(at, int) else None
    if not isinstance(stream, Stream):
        raise MalformedPdf(f"objects are said to stand in object {container}, which is no object stream")
    held = unpacked(stream, container)
    for index, (number, value) in enumerate(held):
        place = Packed(container, index)
        if revision.objects.get(number) != place:
            raise MalformedPdf(f"object {number} stands in object stream {container}, where no reader looks for it")
        yield place, value
    if sum(1 for place in revision.objects.values() if isinstance(place, Packed) and place.stream == container) != len(held):
        raise MalformedPdf(f"objects are looked for in object stream {container}, which doesn't hold them")


def decoded(stream: Stream) -> bytes:
    """The stream's content, within reason."""
    return inflated(stream, LARGEST_STREAM)


def _last_section(data: bytes) -> int:
    """The offset that the file's last line but one names; says precisely what is wrong when the file ends otherwise."""
    last = None
    at = data.rfind(b"startxref")
    while at >= 0 and (last := _FILE_END.match(data, at)) is None:
        at = data.rfind(b"startxref", 0, at)
    if last is None:
        raise Truncated("the file has no end mark: it is cut off")
    if last.end() != len(data):
        rest = data[last.end() :]
        # A cut inside an appended revision also leaves bytes behind the last complete one; those begin like objects.
        if _UNFINISHED.match(rest):
            raise Truncated(f"the last {len(rest)} bytes are an unfinished revision: the file is cut off")
        raise TrailingBytes(f"{len(rest)} bytes stand behind the end of the document")
    return int(last[1])


def _revision_end(data: bytes, section: Section, at: int, limit: int) -> int:
    """Where the revision with the section at byte `at` ends: behind its own end mark, which must name that section."""
    mark = _FILE_END.match(data, skip_gap(data, section.end))
    if mark is None or int(mark[1]) != at or mark.end() > limit:
        raise MalformedPdf(f"the revision with the cross-references at byte {at} has no end mark of its own")
    return mark.end()
