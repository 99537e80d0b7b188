"""Tell what the last comparison of all stores has found."""

from dataclasses import dataclass

from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Place, Viewer
from services.reporting.application.reconciliation_ports import LastRun, Reconciliations


@dataclass(frozen=True, slots=True)
class GetReconciliation:
    """Numbers for whoever may see the place's numbers; which pupils, for the school's and the province's own people alone."""

    reconciliations: Reconciliations

    async def __call__(self, viewer: Viewer, place: Place) -> LastRun | None:
        """None when no run has covered the place yet."""
        require(viewer, place)
        own = bool(place.school_id and (place.school_id in viewer.schools or place.province_id in viewer.provinces))
        return await self.reconciliations.last(place, named=own)
