"""Delete what has had its time, never what a hold keeps, and put each deletion on record as a count."""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.archive.application.record_access import RecordAccess
from services.archive.application.retention_ports import Counts, Holds, RetentionLedger, StagedPacks
from services.archive.domain.access_line import GENESIS, Access, AccessLine, line_behind
from services.archive.domain.retention import RETENTION, Kind, Outcome, documents_of
from services.chassis.clock import Clock
from services.chassis.errors import Conflict

LINES_AT_A_TIME = 5_000
PACKS_AT_A_TIME = 100
Progress = Callable[[Kind, int, int | None], None]
"""Told the kind, how many were looked at, and of how many, where that is known."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of each kind that has a period, and what was held."""

    outcomes: tuple[Outcome, ...]
    holds: Holds


@dataclass(frozen=True, slots=True)
class ApplyRetention:
    """May be stopped anywhere and begun again. Bodies of lines go in one transaction with the count of them; packs go after theirs, so a crash
    between the two has the count told twice, and nothing goes untold."""

    ledger: RetentionLedger
    packs: StagedPacks
    record: RecordAccess
    periods: Mapping[Kind, timedelta]
    """What isn't named here is kept for ever."""
    holds: Callable[[], frozenset[str]]
    """The list as it is now. Malformed when it can't be read: then nothing is deleted."""
    clock: Clock

    async def __call__(self, progress: Progress = lambda *_: None, *, dry_run: bool = False) -> Applied:
        """What was deleted, or with `dry_run` would be. Conflict while another process deletes."""
        async with self.ledger.alone() as mine:
            if not mine:
                raise Conflict("another process applies retention now; wait until it has ended", code="retention_runs")
            now, holds = self.clock.now(), await self.ledger.holds(self.holds())
            work = {Kind.ACCESS_LINES: self._lines, Kind.STAGED_PACKS: self._staged}
            return Applied(tuple([await work[kind](now - period, holds, progress, dry_run) for kind, period in self.periods.items()]), holds)

    async def _lines(self, before: datetime, holds: Holds, progress: Progress, dry_run: bool) -> Outcome:
        due, held = await self.ledger.due(before, holds)
        erased = 0
        while not dry_run and (some := await self.ledger.erase(before, holds, LINES_AT_A_TIME, lambda counts: self._told(before, counts))):
            erased += some
            progress(Kind.ACCESS_LINES, erased, due)
        return Outcome(Kind.ACCESS_LINES, before, due if dry_run else erased, held, 0)

    async def _staged(self, before: datetime, holds: Holds, progress: Progress, dry_run: bool) -> Outcome:
        found = Counter[str]()
        going: list[tuple[str, tuple[str, str]]] = []
        async for name in self.packs.older(before):
            documents = documents_of(await self.packs.files(name))
            places = await self.ledger.settled(documents) if documents else ()
            if not documents or len(places) < len(documents):
                found["needed"] += 1
            elif any(school in holds.schools for school, _ in places):
                found["held"] += 1
            else:
                # A pack is of one class, so of one school.
                going.append((name, places[0]))
            if len(going) == PACKS_AT_A_TIME:
                found["deleted"] += await self._removed(before, going, dry_run)
                going = []
            progress(Kind.STAGED_PACKS, found.total() + len(going), None)
        found["deleted"] += await self._removed(before, going, dry_run)
        return Outcome(Kind.STAGED_PACKS, before, found["deleted"], found["held"], found["needed"])

    async def _removed(self, before: datetime, going: Sequence[tuple[str, tuple[str, str]]], dry_run: bool) -> int:
        if not dry_run:
            await self.record(_accesses(Kind.STAGED_PACKS, before, Counter(place for _, place in going)))
            for name, _ in going:
                await self.packs.remove(name)
        return len(going)

    def _told(self, before: datetime, counts: Counts) -> list[AccessLine]:
        stream, now, lines = str(uuid.uuid4()), self.clock.now(), list[AccessLine]()
        for access in _accesses(Kind.ACCESS_LINES, before, counts):
            lines.append(line_behind(stream, len(lines) + 1, lines[-1].hash if lines else GENESIS, access, now, os.urandom(16)))
        return lines


def _accesses(kind: Kind, before: datetime, counts: Counts) -> list[Access]:
    sought = f"{kind} before {before.isoformat(timespec='seconds')}"
    return [Access(RETENTION, "", (), RETENTION, "", 0, count, sought, school, province, "", "") for (school, province), count in sorted(counts.items())]
