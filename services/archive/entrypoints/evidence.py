"""The role `evidence`: batches and their time stamps, for as long as the process runs."""

import asyncio
from dataclasses import dataclass

from services.archive.application.stamp_batches import StampBatches
from services.chassis.database import CONNECTION_ERRORS, STRAIN_ERRORS
from services.chassis.errors import OutcomeUnknown, Refused, Unavailable
from services.chassis.telemetry import log

LOOK_SECONDS = 1.0
RETRY_SECONDS = 15.0


@dataclass
class EvidenceKeeper:
    """Looks every second; when something is in the way, it says so and tries again later."""

    stamp: StampBatches

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop. Several may run at once: each takes other documents, and the first token of a batch stays."""
        while not stop.is_set():
            pause = LOOK_SECONDS
            try:
                got = await self.stamp()
                if got:
                    log.info("batches are time-stamped", time_stamps=got)
            except (Unavailable, Refused, OutcomeUnknown, *CONNECTION_ERRORS, *STRAIN_ERRORS) as error:
                log.warning("evidence waits", reason=str(error), error=type(error).__name__)
                pause = RETRY_SECONDS
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
