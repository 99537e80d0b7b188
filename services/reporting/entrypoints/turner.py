"""What wakes reporting when a time has come of which nobody tells: a certificate ends, an appointment begins."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.reporting.application.tally_things import TallyThings

LOOK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Turner:
    """Counts anew whatever is due. Any number of instances may run at once."""

    tallied: Sequence[TallyThings]

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; an error costs a look, never the loop."""
        while not stop.is_set():
            try:
                for things in self.tallied:
                    while not stop.is_set() and (turned := await things.turn()):
                        log.info("counted anew, since their time has come", subject=things.subject.name, things=turned)
            except ServiceError as error:
                log.warning("not counted anew yet", code=error.code)
            except Exception:  # noqa: BLE001 - the database's strain or a bug must not end the process that counts.
                log.exception("not counted anew yet")
            try:
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
