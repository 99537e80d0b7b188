"""What wakes the service without anybody calling: the clock, and what must still be said to the neighbours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.locking.application.keep_time import KeepTime
from services.locking.application.run_errand import RunErrand


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Rounds of the clock and errands, until told to stop. Any number of instances may run at once."""

    keep_time: KeepTime
    run_errand: RunErrand
    tick_seconds: float
    errands_at_once: int

    async def keep(self, stop: asyncio.Event) -> None:
        """One round after the other; an error costs a round, never the loop."""
        differed = False
        while not stop.is_set():
            try:
                done = await self.keep_time()
                if done.clocks_differ != differed:
                    differed = done.clocks_differ
                    log.error("clocks differ, nothing is closed") if differed else log.info("clocks agree again")
            except ServiceError as error:
                log.warning("round put off", code=error.code)
            except Exception:  # noqa: BLE001 - a bug in one step must not stop the others' windows from closing.
                log.exception("round failed")
            await _pause(stop, self.tick_seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Errands in several lanes; each lane goes on until nothing is due, then looks again every tick."""
        await asyncio.gather(*(self._lane(stop) for _ in range(self.errands_at_once)))

    async def _lane(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self.run_errand():
                    continue
            except ServiceError as error:
                log.warning("errand put off", code=error.code)
            except Exception as error:  # noqa: BLE001 - one errand that can't be run must not keep the others waiting.
                log.exception("errand failed")
                await self._step_over(error)
            await _pause(stop, self.tick_seconds)

    async def _step_over(self, error: Exception) -> None:
        try:
            await self.run_errand.put_off_after_bug(f"bug: {type(error).__name__}")
        except ServiceError as away:
            log.warning("errand put off", code=away.code)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
