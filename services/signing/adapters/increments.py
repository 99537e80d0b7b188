"""Appends objects to a PDF as one more revision: an incremental update with a cross-reference stream (ISO 32000-1, 7.5.6 and 7.5.8).

Every file that hocba writes begins with a revision of this kind too, so nothing but the last few hundred bytes of a file
has to be read to go on from it, and a revision costs microseconds. An update's stream has a handful of rows and isn't compressed. That
of the first revision has hundreds, of which all but the last few are the same for all documents of a shape: those are deflated
once, and the others follow as a stored block, so no document costs a compressor anything.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_TAIL = re.compile(rb"startxref\n(\d+)\n%%EOF\n\Z")
_DICTIONARY = re.compile(rb"(\d+) 0 obj\n<</Type/XRef/Size (\d+)/Root (\d+) 0 R/ID\[<([0-9A-F]{32})><[0-9A-F]{32}>\]")
_LONGEST_TAIL = 48
ROW = "/W[1 4 2]"
"""Widths of a row's three fields: kind, offset or number of the object stream, generation or index."""
_ROW_SIZE = 7
_UP = b"\x02"  # RFC 2083, section 6.4; pyHanko 0.38 misreads the other ways of writing a row


class Tip(NamedTuple):
    """Where a file ends so far: everything that the next revision has to know of it."""

    length: int
    startxref: int
    size: int
    root: int
    file_id: bytes
    """32 upper-case hexadecimal digits: the same in every revision, since a signature isn't another document."""


class NotOurs(ValueError):
    """The file doesn't end as those that hocba writes do; the message says at which byte."""


def tip_of(pdf: bytes) -> Tip:
    """The tip of a file that hocba wrote; NotOurs for any other."""
    end = _TAIL.search(pdf, max(0, len(pdf) - _LONGEST_TAIL))
    if end is None:
        raise NotOurs(f"no startxref in the last {_LONGEST_TAIL} bytes of {len(pdf)}")
    start = int(end[1])
    found = _DICTIONARY.match(pdf, start)
    if found is None or int(found[2]) != int(found[1]) + 1:
        raise NotOurs(f"no cross-reference stream of ours at byte {start}")
    return Tip(len(pdf), start, int(found[2]), int(found[3]), found[4])


def plain_row(offset: int) -> bytes:
    """The row of an object that stands by itself at a byte of the file."""
    return b"\x01" + offset.to_bytes(4, "big") + b"\x00\x00"


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows that all documents of a shape begin their cross-references with: deflated up to the end of a block, and the check sum so far."""

    deflated: bytes
    check_sum: int
    last: bytes
    """The last of these rows, which the next one is written as a difference from."""

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> PackedRows:
        """Pack rows, each as its difference from the one above (predictor 12 of ISO 32000-1, 7.4.4.4)."""
        content = _differences(rows, bytes(_ROW_SIZE))
        deflater = zlib.compressobj(9)
        return cls(deflater.compress(content) + deflater.flush(zlib.Z_SYNC_FLUSH), zlib.adler32(content), rows[-1])

    def with_more(self, rows: Sequence[bytes]) -> bytes:
        """The whole stream, with further rows in one stored block (RFC 1951, 3.2.4; RFC 1950, 2.2)."""
        more = _differences(rows, self.last)
        size = len(more)
        head = b"\x01%b%b" % (size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little"))
        return b"%b%b%b%b" % (self.deflated, head, more, zlib.adler32(more, self.check_sum).to_bytes(4, "big"))


def _differences(rows: Sequence[bytes], above: bytes) -> bytes:
    """Each row as its difference from the one above, byte by byte, behind the byte that says so; all bytes are subtracted at once."""
    new = _UP.join((b"", *rows))
    old = b"%b%b%b" % (_UP, above, new[: -1 - _ROW_SIZE])
    size = len(new)
    high = int.from_bytes(b"\x80" * size, "big")
    one, other = int.from_bytes(new, "big"), int.from_bytes(old, "big")
    # A borrow stops at the high bit that is set before it.
    differences = ((one | high) - (other & ~high)) ^ ((one ^ ~other) & high)
    return (differences | int.from_bytes((_UP + bytes(_ROW_SIZE)) * len(rows), "big")).to_bytes(size, "big")


def first_references(number: int, packed: PackedRows, rows: list[bytes], root: int, file_id: bytes, start: int) -> bytes:
    """The cross-references of the first revision as object `number` at byte `start`, and its end; `rows` are those that `packed` lacks but the stream's own."""
    content = packed.with_more([*rows, plain_row(start)])
    filtered = b"/Filter/FlateDecode/DecodeParms<</Columns %d/Predictor 12>>" % _ROW_SIZE
    return _cross_references(number, b"0 %d" % (number + 1), filtered, content, root, file_id, start)


def _cross_references(number: int, index: bytes, more: bytes, content: bytes, root: int, file_id: bytes, start: int) -> bytes:
    return b"%d 0 obj\n<</Type/XRef/Size %d/Root %d 0 R/ID[<%b><%b>]%b/Index[%b]%b/Length %d>>\nstream\n%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (
        number,
        number + 1,
        root,
        file_id,
        file_id,
        ROW.encode(),
        index,
        more,
        len(content),
        content,
        start,
    )


def runs_of(numbers: Sequence[int]) -> str:
    """Rising object numbers as an /Index: "4 1 17 2" for 4, 17 and 18."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return " ".join(f"{first} {count}" for first, count in runs)


def appended(tip: Tip, objects: Sequence[tuple[int, bytes]]) -> tuple[bytes, Tip]:
    """The bytes of one more revision with these (number, body) objects, and the tip after it.

    A body is all between "obj" and "endobj". Numbers from `tip.size` upwards are new objects; the stream takes the next one.
    """
    ordered = sorted(objects)
    number = max(tip.size, ordered[-1][0] + 1)
    parts: list[bytes] = []
    rows: list[bytes] = []
    position = tip.length
    for each, body in ordered:
        written = b"%d 0 obj\n%b\nendobj\n" % (each, body)
        rows.append(plain_row(position))
        parts.append(written)
        position += len(written)
    index = runs_of([*(each for each, _ in ordered), number])
    rows.append(plain_row(position))
    parts.append(_cross_references(number, index.encode(), b"/Prev %d" % tip.startxref, b"".join(rows), tip.root, tip.file_id, position))
    revision = b"".join(parts)
    return revision, Tip(tip.length + len(revision), position, number + 1, tip.root, tip.file_id)
