"""Reads the revisions of a PDF from its bytes alone: where each ends and which objects it writes (ISO 32000-1, 7.5).

Only what hocba writes is understood: plain cross-reference tables, one per revision. Anything else is an error here,
because a document that needs more understanding isn't one of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.signing.domain.verdict import NotAsIntended

_STARTXREF = re.compile(rb"startxref\s+(\d+)\s+%%EOF\r?\n?$")
_SECTION = re.compile(rb"(\d+) (\d+)\s*?\r?\n")
_PREV = re.compile(rb"/Prev\s+(\d+)")
_ENTRY = 20  # ISO 32000-1, 7.5.4: an entry is exactly 20 bytes
_TAIL = 64
_MOST_REVISIONS = 16


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision: its end in the file, and the objects it writes, each with its offset."""

    end: int
    objects: dict[int, int]


def revisions_of(pdf: bytes) -> list[Revision]:
    """All revisions, the oldest first."""
    found: list[Revision] = []
    end = len(pdf)
    while True:
        if len(found) == _MOST_REVISIONS:
            raise NotAsIntended(f"more than {_MOST_REVISIONS} revisions")
        tail = _STARTXREF.search(pdf, max(0, end - _TAIL), end)
        if tail is None:
            raise NotAsIntended(f"no startxref and %%EOF before byte {end}")
        start = int(tail[1])
        objects, trailer = _table(pdf, start, tail.start())
        found.append(Revision(end, objects))
        previous = _PREV.search(trailer)
        if previous is None:
            return list(reversed(found))
        if b"/XRefStm" in trailer:
            raise NotAsIntended("hybrid cross-references")
        end = _end_before(pdf, min(objects.values(), default=start))


def _end_before(pdf: bytes, first_object: int) -> int:
    """The revision before ends with its %%EOF, right before the first object of this one."""
    marker = pdf.rfind(b"%%EOF", 0, first_object)
    if marker < 0 or pdf[marker + 5 : first_object].strip():
        raise NotAsIntended(f"stray bytes before the increment at byte {first_object}")
    end = marker + 5
    return end + 1 if pdf[end : end + 1] == b"\n" else end


def _table(pdf: bytes, start: int, limit: int) -> tuple[dict[int, int], bytes]:
    if pdf[start : start + 4] != b"xref":
        raise NotAsIntended(f"no cross-reference table at byte {start}")
    position = pdf.index(b"\n", start) + 1
    objects: dict[int, int] = {}
    while True:
        section = _SECTION.match(pdf, position)
        if section is None:
            break
        number, count = int(section[1]), int(section[2])
        position = section.end()
        for index in range(count):
            entry = pdf[position + index * _ENTRY : position + (index + 1) * _ENTRY]
            if entry[17:18] == b"n":
                objects[number + index] = int(entry[:10])
        position += count * _ENTRY
    if pdf[position : position + 7] != b"trailer":
        raise NotAsIntended(f"no trailer at byte {position}")
    return objects, pdf[position:limit]
