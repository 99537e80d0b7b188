"""Releases queued orders as soon as they come in or room comes free, and tells how much waits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log, metrics
from services.signing.application.release_queued import MeasureBacklog, ReleaseQueued

IDLE_SECONDS = 0.25
"""Between looks without an order from this process: workers free room in processes of their own. The relay looks as often."""
RETRY_SECONDS = 2.0
MEASURE_SECONDS = 10.0
_CELLS = [(lane, state) for lane in ("mass", "express") for state in ("queued", "released")]


@dataclass(frozen=True, slots=True)
class Releaser:
    """Rounds until told to stop; an error costs a round, never the loop. Any number of instances may run at once."""

    release: ReleaseQueued
    measure: MeasureBacklog
    queued: asyncio.Event

    async def run(self, stop: asyncio.Event) -> None:
        """One round after the other."""
        measured = -MEASURE_SECONDS
        stopped = asyncio.create_task(stop.wait())
        while not stop.is_set():
            pause = IDLE_SECONDS
            try:
                self.queued.clear()
                if time.monotonic() - measured >= MEASURE_SECONDS:
                    measured = time.monotonic()
                    await self._tell()
                if await self.release():
                    continue
            except ServiceError as error:
                log.warning("release put off", code=error.code)
                pause = RETRY_SECONDS
            except Exception:  # noqa: BLE001 - whatever it is, the orders still wait, and the next round finds them.
                log.exception("release failed")
                pause = RETRY_SECONDS
            called = asyncio.create_task(self.queued.wait())
            await asyncio.wait([stopped, called], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            called.cancel()
        stopped.cancel()

    async def _tell(self) -> None:
        found = {(one.lane, one.state): one.documents for one in await self.measure()}
        for lane, state in _CELLS:
            metrics.backlog.set(found.get((lane, state), 0), {"service": "signing", "lane": lane, "state": state})
