"""Looks every few seconds for orders whose wait for an outside party is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.signing.application.wait import WakeOrders


@dataclass(frozen=True, slots=True)
class Waker:
    """Rounds until told to stop; an error costs a round, never the loop. Any number of instances may run at once."""

    wake: WakeOrders
    seconds: float = 2.0

    async def run(self, stop: asyncio.Event) -> None:
        """One round after the other."""
        while not stop.is_set():
            try:
                if sent := await self.wake():
                    log.info("waiting orders are asked again", orders=sent)
                    continue
            except ServiceError as error:
                log.warning("waking put off", code=error.code)
            except Exception:  # noqa: BLE001 - whatever it is, the orders still wait, and the next round finds them.
                log.exception("waking failed")
            try:
                await asyncio.wait_for(stop.wait(), self.seconds)
            except TimeoutError:
                continue
