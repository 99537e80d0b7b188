"""Tells the metrics what the last comparison of all stores found, so that an alert can see it."""

import asyncio
import contextlib
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import ServiceError
from services.chassis.telemetry import log, metrics
from services.reporting.application.reconciliation_ports import Reconciliations

LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ReconciliationWatch:
    """Any number of instances tell the same."""

    reconciliations: Reconciliations
    clock: Clock

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; an error costs a look, never the loop."""
        while not stop.is_set():
            try:
                await self.look()
            except ServiceError as error:
                log.warning("the last reconciliation is not known", code=error.code)
            except Exception:  # noqa: BLE001 - the database's strain or a bug must not end the process that counts.
                log.exception("the last reconciliation is not known")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Once. Before the first run there is nothing to tell."""
        if last := await self.reconciliations.last_of_all():
            taken_at, numbers = last
            for state, number in numbers.items():
                metrics.discrepancies.set(number, {"state": str(state)})
            metrics.reconciled.set((self.clock.now() - taken_at).total_seconds())
