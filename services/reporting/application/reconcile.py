"""Prove that the numbers add up."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Difference, Figures, Place, Viewer
from services.reporting.application.tally_ports import Tallies


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Classes sum up to their school, schools to their province, provinces to the nation, pupils to their classes."""

    figures: Figures
    tallies: Tallies

    async def __call__(self, viewer: Viewer, school_year: int, province_id: str) -> Sequence[Difference]:
        """Every difference; an empty list is the proof."""
        require(viewer, Place(province_id=province_id))
        found = await self.figures.differences(school_year or await self.figures.latest_year(), province_id)
        return [*found, *await self.tallies.differences(province_id)]
