"""Appends objects to a PDF as one more revision: an incremental update with a cross-reference stream (ISO 32000-1, 7.5.6 and 7.5.8).

Every file that hocba writes begins with a revision of this kind too, so nothing but the last few hundred bytes of a file
has to be read to go on from it, and a revision costs microseconds. The stream isn't compressed: its bytes follow from the
offsets alone, whatever compressor a machine has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TAIL = re.compile(rb"startxref\n(\d+)\n%%EOF\n\Z")
_DICTIONARY = re.compile(rb"(\d+) 0 obj\n<</Type/XRef/Size (\d+)/Root (\d+) 0 R/ID\[<([0-9A-F]{32})><[0-9A-F]{32}>\]")
_LONGEST_TAIL = 48
ROW = "/W[1 4 2]"
"""Widths of a row's three fields: kind, offset or number of the object stream, generation or index."""


@dataclass(frozen=True, slots=True)
class Tip:
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


def cross_references(number: int, rows: bytes, index: str, root: int, file_id: bytes, previous: int | None, start: int) -> bytes:
    """A cross-reference stream as object `number` at byte `start`, and the end of the revision; `rows` lack the stream's own row."""
    rows += plain_row(start)
    prev = b"" if previous is None else b"/Prev %d" % previous
    return b"%d 0 obj\n<</Type/XRef/Size %d/Root %d 0 R/ID[<%b><%b>]%b/Index[%b]%b/Length %d>>\nstream\n%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (
        number,
        number + 1,
        root,
        file_id,
        file_id,
        ROW.encode(),
        index.encode(),
        prev,
        len(rows),
        rows,
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
    parts.append(cross_references(number, b"".join(rows), index, tip.root, tip.file_id, tip.startxref, position))
    revision = b"".join(parts)
    return revision, Tip(tip.length + len(revision), position, number + 1, tip.root, tip.file_id)
