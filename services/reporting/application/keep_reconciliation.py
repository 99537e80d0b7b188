"""Keep what a comparison of all stores has found."""

from dataclasses import dataclass
from datetime import timedelta

from services.reporting.application.reconciliation_ports import Reconciliations
from services.reporting.domain.reconciliation import Reconciliation

KEPT = timedelta(days=400)
"""A school year and some more."""


@dataclass(frozen=True, slots=True)
class KeepReconciliation:
    """A run is kept once, whole; a repeat changes nothing."""

    reconciliations: Reconciliations

    async def __call__(self, result: Reconciliation) -> None:
        """In one transaction."""
        await self.reconciliations.keep(result, result.taken_at - KEPT)
