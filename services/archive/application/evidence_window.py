"""Stop admission when evidence has been late for too long: nothing is issued that nobody could prove later."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.archive.application.evidence_ports import EvidenceLedger
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable

LOOK_AGAIN = timedelta(seconds=5)


@dataclass
class EvidenceWindow:
    """Asked before each admission. What it finds it believes for LOOK_AGAIN, so that admission doesn't pay for asking."""

    ledger: EvidenceLedger
    clock: Clock
    longest: timedelta
    _looked_at: datetime | None = None
    _since: datetime | None = None

    async def check(self) -> None:
        """Unavailable while the oldest admitted document has waited for its time stamp longer than `longest`."""
        now = self.clock.now()
        if self._looked_at is None or not timedelta() <= now - self._looked_at < LOOK_AGAIN:
            self._since = (await self.ledger.waiting(0)).unproven_since
            self._looked_at = now
        if self._since is not None and now - self._since > self.longest:
            raise Unavailable(
                f"admission stops: documents have waited for a time stamp since {self._since.isoformat()}, longer than {self.longest}; "
                "see the log of role `evidence` for what the time-stamp authority answers (HOCBA_ARCHIVE_TSA_URL). Admission goes on by itself",
                code="evidence_late",
            )
