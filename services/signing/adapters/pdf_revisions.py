"""Reads the revisions of a PDF from its bytes alone: where each ends and which objects it writes (ISO 32000-1, 7.5.8).

Only what hocba writes is understood: one cross-reference stream per revision (uncompressed, or of the first revision deflated, each
row as what differs from the one above), objects back to back and nothing between them. Anything else is an error here, because a
document that needs more understanding isn't one of ours.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import lru_cache
from typing import NamedTuple

from services.signing.domain.verdict import NotAsIntended

_END = re.compile(rb"startxref\n(\d{1,10})\n%%EOF\n\Z")
_STREAM = re.compile(
    rb"(\d+) 0 obj\n<</Type/XRef/Size (\d+)/Root 1 0 R/ID\[<([0-9A-F]{32})><\3>\]/W\[1 4 2\]/Index\[(\d+(?: \d+)+)\]"
    rb"(?:/Prev (\d+)|(/Filter/FlateDecode/DecodeParms<</Columns 7/Predictor 12>>))?/Length (\d+)>>\nstream\n"
)
_TAIL = 40
_ROW = struct.Struct(">BIH")
ROW_SIZE = _ROW.size
_MOST_REVISIONS = 16
_MOST_OWN_ROWS = 32
_MOST_ROWS = 100_000
_UP = 2
_LOW, _HIGH = int.from_bytes(b"\x7f" * ROW_SIZE, "big"), int.from_bytes(b"\x80" * ROW_SIZE, "big")


class Revision(NamedTuple):
    """One revision: the bytes [start, end), where its cross-references stand, and what they say."""

    start: int
    end: int
    table_at: int
    number: int
    """The cross-reference stream's own number."""
    previous: int | None
    file_id: bytes
    rows: bytes
    runs: bytes
    """Its /Index, as written: which numbers the rows are for."""

    @property
    def objects(self) -> dict[int, int]:
        """The objects that it writes, each with its offset, without those inside an object stream."""
        objects = _objects(self.rows, self.runs, self.previous is None)
        if objects.get(self.number) != self.table_at or not self.start <= min(objects.values()) <= max(objects.values()) <= self.table_at:
            raise NotAsIntended(f"the cross-references at byte {self.table_at} point outside of their revision")
        return objects

    @property
    def relative_rows(self) -> tuple[int, int]:
        """How long the rows are, and all of them as one number, offsets counted from the revision's beginning.

        With the same runs, it is equal for two revisions only if their rows say the same: adding what was taken away gives the bytes back.
        """
        size = len(self.rows)
        return size, int.from_bytes(self.rows, "big") - self.start * _each_offset(size)

    def stands_from(self, offset: int) -> list[int]:
        """Offsets of the last objects in the table as far back as they stand at or behind an offset."""
        found: list[int] = []
        for end in range(len(self.rows), 0, -ROW_SIZE):
            place = int.from_bytes(self.rows[end - 6 : end - 2], "big")
            if self.rows[end - ROW_SIZE] != 1 or place < offset:
                break
            found.append(place)
        return found[::-1]


def revisions_of(pdf: bytes) -> list[Revision]:
    """All revisions, the oldest first; each begins where the one before ends. Whether their rows are right is seen when `objects` are asked for."""
    tail = _END.search(pdf, max(0, len(pdf) - _TAIL))
    if tail is None:
        raise NotAsIntended(f"no startxref and %%EOF before byte {len(pdf)}")
    newer = _revision(pdf, int(tail[1]))
    if newer.end != len(pdf):
        raise NotAsIntended(f"the revision with the cross-references at byte {newer.table_at} doesn't end where they say")
    found: list[Revision] = []
    while newer.previous is not None:
        if len(found) + 1 == _MOST_REVISIONS:
            raise NotAsIntended(f"more than {_MOST_REVISIONS} revisions")
        older = _revision(pdf, newer.previous)
        if older.file_id != newer.file_id or older.number >= newer.number:
            raise NotAsIntended(f"the revision that begins at byte {older.end} doesn't follow from the one before")
        found.append(newer._replace(start=older.end))
        newer = older
    found.append(newer)
    return found[::-1]


def _revision(pdf: bytes, at: int) -> Revision:
    """The revision with the cross-references at a byte, as if it began the file."""
    found = _STREAM.match(pdf, at)
    if found is None:
        raise NotAsIntended(f"no cross-reference stream at byte {at}")
    number, size, file_id, index, previous, filtered, length = found.groups()
    ended = found.end() + int(length)
    behind = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % at
    if not pdf.startswith(behind, ended):
        raise NotAsIntended(f"the revision with the cross-references at byte {at} doesn't end where they say")
    rows = pdf[found.end() : ended]
    if filtered is not None:
        rows = _inflated(rows, at)
    if len(rows) % ROW_SIZE:
        raise NotAsIntended(f"the cross-references at byte {at} have a broken row")
    if int(size) != int(number) + 1:
        raise NotAsIntended(f"the cross-references at byte {at} aren't those of the newest object")
    if previous is None and (index != b"0 %b" % size or len(rows) != int(size) * ROW_SIZE):
        raise NotAsIntended("the first cross-references don't have a row for each object")
    return Revision(0, ended + len(behind), at, int(number), None if previous is None else int(previous), file_id, rows, index)


@lru_cache(maxsize=64)
def _each_offset(size: int) -> int:
    """One in the offset of each row of so many bytes."""
    return int.from_bytes(_ROW.pack(0, 1, 0) * (size // ROW_SIZE), "big")


def _inflated(packed: bytes, at: int) -> bytes:
    """The rows of a compressed stream: those that a document shares with others, then its own in a stored block (RFC 1951, 3.2.4)."""
    for own in range(1, _MOST_OWN_ROWS):
        size = own * (1 + ROW_SIZE)
        begin = len(packed) - 4 - size
        if begin > 5 and packed.startswith(b"\x01%b%b" % (size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little")), begin - 5):
            rows, check_sum = _shared_rows(packed[: begin - 5])
            stored = packed[begin:-4]
            if zlib.adler32(stored, check_sum) == int.from_bytes(packed[-4:], "big"):
                return rows + _summed(stored, rows[-ROW_SIZE:])
    raise NotAsIntended(f"the cross-references at byte {at} aren't compressed the way hocba does it")


@lru_cache(maxsize=512)
def _shared_rows(deflated: bytes) -> tuple[bytes, int]:
    """Rows that were deflated up to the end of a block, and their check sum."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(deflated, _MOST_ROWS * (1 + ROW_SIZE))
        # An empty last block fits behind the end of a block alone: there it ends the data, and nothing comes of it.
        behind = inflater.decompress(b"\x01\x00\x00\xff\xff" + zlib.adler32(content).to_bytes(4, "big"))
    except zlib.error as error:
        raise NotAsIntended(f"the shared rows of the cross-references can't be inflated: {error}") from None
    if behind or not inflater.eof or inflater.unused_data or not content or len(content) % (1 + ROW_SIZE):
        raise NotAsIntended("the shared rows of the cross-references aren't deflated the way hocba does it")
    return _summed(content, bytes(ROW_SIZE)), zlib.adler32(content)


def _summed(differences: bytes, above: bytes) -> bytes:
    """The rows that stand as differences from the one above, each behind a byte that says so (RFC 2083, 6.4)."""
    rows, last = [], int.from_bytes(above, "big")
    for start in range(0, len(differences), 1 + ROW_SIZE):
        if differences[start] != _UP:
            raise NotAsIntended("a row of the cross-references isn't written the way hocba does it")
        difference = int.from_bytes(differences[start + 1 : start + 1 + ROW_SIZE], "big")
        # Byte by byte: what the high bits would carry is left out.
        last = ((last & _LOW) + (difference & _LOW)) ^ ((last ^ difference) & _HIGH)
        rows.append(last.to_bytes(ROW_SIZE, "big"))
    return b"".join(rows)


@lru_cache(maxsize=256)
def _numbers(index: bytes, count: int) -> tuple[int, ...]:
    """The object numbers of an /Index, each once; documents of a kind share it."""
    runs = [int(part) for part in index.split()]
    if len(runs) % 2 or sum(runs[1::2]) != count:
        raise NotAsIntended("the cross-references don't have a row for each object")
    numbers = tuple([number for first, many in zip(runs[::2], runs[1::2], strict=True) for number in range(first, first + many)])
    if len(set(numbers)) != count:
        raise NotAsIntended("the cross-references name an object twice")
    return numbers


def _objects(rows: bytes, index: bytes, whole: bool) -> dict[int, int]:
    objects: dict[int, int] = {}
    for number, (kind, place, generation) in zip(_numbers(index, len(rows) // _ROW.size), _ROW.iter_unpack(rows), strict=True):
        if kind == 1 and generation == 0:
            objects[number] = place
        elif not whole or kind not in (0, 2):
            # Only the first revision has an object stream, and only object 0 is free.
            raise NotAsIntended(f"object {number} isn't written the way hocba writes objects")
    return objects


def check_layout(pdf: bytes, revision: Revision) -> None:
    """Objects stand back to back from the revision's first byte to its cross-references: nothing hides between them."""
    places = sorted((offset, number) for number, offset in revision.objects.items())
    # The first revision begins with a header of two lines.
    expected = revision.start if revision.previous is not None else pdf.index(b"\n", pdf.index(b"\n") + 1) + 1
    for (offset, number), (following, _) in zip(places, [*places[1:], (revision.table_at, 0)], strict=True):
        if offset == revision.table_at:
            break
        head = b"%d 0 obj\n" % number
        if offset != expected or not pdf.startswith(head, offset) or pdf[following - 8 : following] != b"\nendobj\n":
            raise NotAsIntended(f"object {number} doesn't stand at byte {offset} alone")
        expected = following
