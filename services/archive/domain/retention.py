"""
Retention: what is kept for a time, and what a legal hold keeps longer.

Learning records are kept for ever (decree 88/2026, article 8): nothing here touches transcripts, class-subject sheets, certified copies, dossiers that were
received, refusals, evidence or the transparency log. What has a period is the body of a line of the access log (its digest and hash stay, so its chain
does), and a pack in staging whose documents need it no more.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

RETENTION = "retention"
"""Account and action of the access log's lines that tell what was deleted; these hold no person and are never erased."""
_FILE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-v([1-9][0-9]{0,8})\.pdf", re.ASCII)


class Kind(StrEnum):
    """What has a period. Codes are never renamed."""

    ACCESS_LINES = "access_lines"
    STAGED_PACKS = "staged_packs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one kind; when `dry`, `deleted` is what would have been."""

    kind: Kind
    before: datetime
    """What is older has had its time."""
    deleted: int
    held: int
    """Kept by a legal hold."""
    needed: int
    """Packs that are old enough, and that the archive may still ask for."""


def read_holds(text: str) -> frozenset[str]:
    """Ids of transcripts and pupils, a UUID a line, `#` begins a comment. ValueError names the first line that is none."""
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        if word := line.partition("#")[0].strip():
            try:
                found.add(str(uuid.UUID(word)))
            except ValueError:
                raise ValueError(f"line {number}: {word!r} is no UUID of a transcript or a pupil") from None
    return frozenset(found)


def documents_of(names: Iterable[str]) -> list[tuple[str, int]] | None:
    """(id, version) of each file of a staged pack; None when one isn't named as documents are, or there is none."""
    found = [_FILE.fullmatch(name) for name in names]
    return [(match[1], int(match[2])) for match in found if match] if found and all(found) else None
