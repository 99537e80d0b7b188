"""The role `access`: at intervals the transparency log is told how far the access log has come."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from services.archive.application.access_ports import AccessLedger
from services.chassis.clock import Clock
from services.chassis.database import CONNECTION_ERRORS, STRAIN_ERRORS
from services.chassis.errors import OutcomeUnknown, Unavailable
from services.chassis.telemetry import log

LOOKS_PER_INTERVAL = 10


@dataclass(frozen=True)
class AccessAnchors:
    """Tells streams of processes that have ended too; several may run at once."""

    ledger: AccessLedger
    clock: Clock
    interval_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop; a database that is away is asked again at the next look."""
        while not stop.is_set():
            now = self.clock.now()
            try:
                if told := await self.ledger.anchor(now - timedelta(seconds=self.interval_seconds), now):
                    log.info("the transparency log is told of the access log", streams=told)
            except (Unavailable, OutcomeUnknown, *CONNECTION_ERRORS, *STRAIN_ERRORS) as error:
                log.warning("the access log waits to be told", reason=str(error), error=type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), self.interval_seconds / LOOKS_PER_INTERVAL)
            except TimeoutError:
                continue
