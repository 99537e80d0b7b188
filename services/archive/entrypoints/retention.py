"""The role `retention`: what has had its time is deleted, at intervals."""

import asyncio
from dataclasses import dataclass

from services.archive.application.apply_retention import ApplyRetention
from services.chassis.database import CONNECTION_ERRORS, STRAIN_ERRORS
from services.chassis.errors import ServiceError
from services.chassis.telemetry import log


@dataclass(frozen=True)
class RetentionKeeper:
    """Looks when it starts and at intervals; of several processes one deletes at a time."""

    apply: ApplyRetention
    interval_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop; what is in the way is told, and tried again at the next look."""
        while not stop.is_set():
            if self.apply.periods:
                await self._look()
            try:
                await asyncio.wait_for(stop.wait(), self.interval_seconds)
            except TimeoutError:
                continue

    async def _look(self) -> None:
        try:
            applied = await self.apply()
        except (ServiceError, *CONNECTION_ERRORS, *STRAIN_ERRORS) as error:
            log.warning("retention waits", reason=str(error), error=type(error).__name__)
            return
        if applied.holds.unknown:
            log.warning("the archive has nothing of some ids in the list of holds", ids=len(applied.holds.unknown))
        for outcome in applied.outcomes:
            log.info("retention is applied", kind=outcome.kind, deleted=outcome.deleted, held=outcome.held, needed=outcome.needed)
