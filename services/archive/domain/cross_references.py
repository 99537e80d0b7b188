"""
Cross-reference sections of a PDF file: classical tables (ISO 32000-1, 7.5.4) and cross-reference streams (7.5.8).

A stream is accepted in the two forms that hocba writes: rows of 1, 4 and 2 bytes, unfiltered, or in a body deflated with each row
written as its difference from the one above (predictor 12 of 7.4.4.4). Hybrid sections, other filters and predictors, encryption and
linearisation are refused: they add ways to show two readers two documents and nothing that a transcript needs.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

from services.archive.domain.pdf_syntax import Dictionary, MalformedPdf, Name, Stream, Value, inflated, parse_indirect, parse_value

MOST_OBJECTS = 100_000
_TABLE = re.compile(rb"xref[\t ]*(?:\r\n|\n|\r)")
_SUBSECTION = re.compile(rb"(\d{1,10}) (\d{1,8})[\t ]*(?:\r\n|\n|\r)")
_TRAILER = re.compile(rb"[\x00\t\n\x0c\r ]*trailer(?![A-Za-z])")
_ENTRY_BYTES = 20
_WIDTHS = [1, 4, 2]
_ROW_BYTES = sum(_WIDTHS)
_FREE, _PLAIN, _PACKED = 0, 1, 2
_NEVER = ("XRefStm", "Encrypt")
_NEVER_IN_STREAM = (*_NEVER, "F", "FFilter", "FDecodeParms")
_FILTERED = ("FlateDecode", {"Columns": _ROW_BYTES, "Predictor": 12})
_DIFFERENCE = 2  # RFC 2083, section 6.4


class Packed(NamedTuple):
    """The place of an object inside an object stream."""

    stream: int
    """Number of the object stream."""
    position: int
    """Counted from 0 among the objects of the stream."""


Place = int | Packed
"""Where an object stands: at a byte of the file, or in an object stream."""


@dataclass(frozen=True)
class Section:
    """What one cross-reference section says, and where it ends."""

    objects: dict[int, Place]
    freed: frozenset[int]
    trailer: Dictionary
    end: int
    """Behind the trailer, or behind the stream's `endobj`."""
    packed: bool
    """Whether it is a stream."""


def read_section(data: bytes, position: int) -> Section:
    """The section at exactly `position`."""
    return _table(data, position) if _TABLE.match(data, position) else _stream(data, position)


def _table(data: bytes, at: int) -> Section:
    heading = _TABLE.match(data, at)
    assert heading is not None
    position = heading.end()
    objects: dict[int, Place] = {}
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
    _refuse(trailer, _NEVER, "trailer")
    return Section(objects, frozenset(freed), trailer, position, packed=False)


def _stream(data: bytes, at: int) -> Section:
    own, stream, end = parse_indirect(data, at)
    if not isinstance(stream, Stream) or stream.entries.get("Type") != "XRef" or own.generation:
        raise MalformedPdf(f"no cross-reference table or stream stands at byte {at}")
    trailer = stream.entries
    _refuse(trailer, _NEVER_IN_STREAM, "cross-reference stream")
    if trailer.get("W") != _WIDTHS:
        raise MalformedPdf(f"the rows of the cross-reference stream at byte {at} are not of 1, 4 and 2 bytes")
    numbers, rows = _numbers(trailer, at), rows_of(stream)
    if len(rows) != len(numbers) * _ROW_BYTES:
        raise MalformedPdf(f"the cross-reference stream at byte {at} has another number of rows than it says")
    objects: dict[int, Place] = {}
    freed: set[int] = set()
    for index, number in enumerate(numbers):
        row = rows[index * _ROW_BYTES : (index + 1) * _ROW_BYTES]
        kind, middle, last = row[0], int.from_bytes(row[1:5], "big"), int.from_bytes(row[5:], "big")
        if number in objects or number in freed:
            raise MalformedPdf(f"object {number} stands twice in the cross-reference stream at byte {at}")
        if kind == _PLAIN and last == 0:
            objects[number] = middle
        elif kind == _PACKED:
            objects[number] = Packed(middle, last)
        elif kind == _FREE:
            freed.add(number)
        else:
            raise MalformedPdf(f"the row of object {number} in the cross-reference stream at byte {at} is broken")
    # The stream lists itself; what it is for is known, so it is no object of the document any more.
    if objects.pop(own.number, None) != at:
        raise MalformedPdf(f"the cross-reference stream at byte {at} doesn't list itself")
    return Section(objects, frozenset(freed), trailer, end, packed=True)


def rows_of(stream: Stream) -> bytes:
    """The rows of a cross-reference stream, one after another."""
    filtered = stream.entries.get("Filter"), stream.entries.get("DecodeParms")
    if filtered == (None, None):
        return stream.raw
    if filtered != _FILTERED or "Prev" in stream.entries:
        raise MalformedPdf(f"a cross-reference stream is filtered in a way that hocba doesn't write: {filtered!r}")
    written = inflated(Stream({"Filter": Name("FlateDecode")}, stream.raw), MOST_OBJECTS * (1 + _ROW_BYTES))
    above, rows = bytes(_ROW_BYTES), list[bytes]()
    for start in range(0, len(written), 1 + _ROW_BYTES):
        row = written[start + 1 : start + 1 + _ROW_BYTES]
        if written[start] != _DIFFERENCE or len(row) != _ROW_BYTES:
            raise MalformedPdf("a row of a cross-reference stream is broken, or written in a way in which hocba doesn't write")
        above = bytes([(old + new) % 256 for old, new in zip(above, row, strict=True)])
        rows.append(above)
    return b"".join(rows)


def _numbers(trailer: Dictionary, at: int) -> list[int]:
    """The object numbers of a cross-reference stream's rows, all below its /Size: readers ignore what isn't."""
    size, index = trailer.get("Size"), trailer.get("Index")
    counts = [item for item in index if _is_count(item)] if isinstance(index, list) else []
    if not _is_count(size) or not counts or len(counts) % 2 or counts != index:
        raise MalformedPdf(f"the cross-reference stream at byte {at} doesn't say which objects it lists")
    runs = list(zip(counts[::2], counts[1::2], strict=True))
    if any(first + count > min(size, MOST_OBJECTS) for first, count in runs):
        raise MalformedPdf(f"the cross-reference stream at byte {at} lists more objects than it may")
    return [number for first, count in runs for number in range(first, first + count)]


def _is_count(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refuse(entries: Dictionary, never: tuple[str, ...], where: str) -> None:
    for key in never:
        if key in entries:
            raise MalformedPdf(f"the {where} has /{key}, which hocba never writes")
