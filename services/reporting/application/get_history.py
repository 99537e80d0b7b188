"""Answer how the numbers of a nation, province or school stood at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.reporting.application.get_coverage import GetCoverage, require
from services.reporting.application.ports import Figures, History, Point, Viewer


@dataclass(frozen=True, slots=True)
class GetHistory:
    """Each point holds until the next."""

    figures: Figures
    history: History

    async def __call__(
        self, viewer: Viewer, school_year: int, province_id: str, school_id: str, since: datetime | None, until: datetime
    ) -> tuple[int, Sequence[Point]]:
        """(the school year, points in order of time). The first is the last before `since`, if there is one. Denied for a scope that isn't the viewer's."""
        school_year = school_year or await self.figures.latest_year()
        place = await GetCoverage(self.figures).place(province_id, school_id)
        require(viewer, place)
        return school_year, await self.history.points(school_year, place, since, until)
