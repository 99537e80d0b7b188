"""Say how each of the archive's duties stands: what the role `watch` measures and `hocba archive health` tells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.archive.application.duty_ports import Check, DutyLedger, LastStamp
from services.archive.application.evidence_ports import EvidenceLedger
from services.archive.domain.duties import Duty, Standing, State, ending, waiting
from services.chassis.clock import Clock
from services.chassis.errors import ServiceError

PATIENCE = 2
"""Checkpoints that a witness may lack without owing anything: it was away for a moment, and nothing came after."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each may wait. `renewal`: how long before its end evidence is renewed at the latest."""

    evidence: timedelta
    renewal: timedelta
    log: timedelta
    witness: timedelta
    parked: timedelta
    refused: timedelta
    log_check: timedelta
    document_check: timedelta


@dataclass(frozen=True, slots=True)
class WatchDuties:
    """Asks the database alone, so that it tells of roles that don't run as well."""

    ledger: DutyLedger
    evidence: EvidenceLedger
    weak_at: Callable[[LastStamp], datetime]
    """When the first of what a time stamp rests on grows weak, certificate or algorithm; ServiceError when the table of algorithms can't be read."""
    witnesses: Sequence[str]
    """The names of the witnesses that the log asks."""
    limits: Limits
    clock: Clock

    async def __call__(self) -> Sequence[Standing]:
        """Every duty, witness by witness. Unavailable when the database is away."""
        now, limits = self.clock.now(), self.limits
        unproven = (await self.evidence.waiting(0)).unproven_since
        parked, refused = await self.ledger.parked(), await self.ledger.refused()
        owed = await self.ledger.owed_since(self.witnesses, PATIENCE)
        return [
            waiting(Duty.EVIDENCE, unproven, limits.evidence, now),
            await self._renewal(now),
            waiting(Duty.LOG, await self.ledger.first_not_final(), limits.log, now),
            *(waiting(Duty.WITNESS, owed.get(name), limits.witness, now, of=name) for name in self.witnesses),
            waiting(Duty.PARKED, parked.since, limits.parked, now, count=parked.count),
            waiting(Duty.REFUSED, refused.since, limits.refused, now, count=refused.count),
            *await self._checks(now),
        ]

    async def _renewal(self, now: datetime) -> Standing:
        stamps = await self.ledger.last_stamps()
        try:
            end = min((self.weak_at(stamp) for stamp in stamps), default=None)
        except ServiceError as error:
            return Standing(Duty.RENEWAL, State.UNKNOWN, None, detail=error.message)
        return ending(Duty.RENEWAL, end, self.limits.renewal, now)

    async def _checks(self, now: datetime) -> list[Standing]:
        last = {check.documents: check for check in await self.ledger.last_checks()}
        begun = await self.ledger.begun()
        # A check of every document is one of the log too.
        log = max(last.values(), key=lambda check: check.at, default=None)
        return [
            self._check(Duty.LOG_CHECK, log, begun, self.limits.log_check, now),
            self._check(Duty.DOCUMENT_CHECK, last.get(True), begun, self.limits.document_check, now),
        ]

    def _check(self, duty: Duty, last: Check | None, begun: datetime | None, limit: timedelta, now: datetime) -> Standing:
        found = waiting(duty, last.at if last else begun, limit, now, count=last.faults if last else 0, detail="" if last else "never")
        return Standing(duty, State.OVERDUE, found.left, count=last.faults, since=last.at, detail="faults") if last and last.faults else found
