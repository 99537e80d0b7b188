"""What wakes reporting without anybody calling: the hour."""

import asyncio
from dataclasses import dataclass

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.reporting.application.take_snapshot import TakeSnapshot

LOOK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Historian:
    """Writes the numbers down within the first minute of each hour. Any number of instances may run at once."""

    take_snapshot: TakeSnapshot

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; an error costs a look, never the loop."""
        while not stop.is_set():
            try:
                if taken := await self.take_snapshot():
                    log.info("numbers written down", scopes=taken)
            except ServiceError as error:
                log.warning("numbers not written down yet", code=error.code)
            except Exception:  # noqa: BLE001 - the database's strain or a bug must not end the process that counts.
                log.exception("numbers not written down yet")
            try:
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
