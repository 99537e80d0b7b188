"""Project the enrolment of coming years from that of past ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import Malformed
from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Place, Viewer
from services.reporting.application.result_ports import EnrolmentFigures
from services.reporting.domain.projection import LAST_GRADE, Progression, Projected, progressions, project

USUAL_YEARS = 5


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known, the ratios that follow from it, and the projection that follows from them."""

    province_id: str
    known: Sequence[tuple[int, int, int]]
    """(school year, grade, pupils enrolled)."""
    ratios: Sequence[Progression]
    projected: Sequence[Projected]


@dataclass(frozen=True, slots=True)
class GetProjection:
    """By grade, of a province or the nation. Without two years that follow each other it is empty, and says by the known years why."""

    figures: EnrolmentFigures

    async def __call__(self, viewer: Viewer, province_id: str, years_ahead: int) -> Outlook:
        """`years_ahead` from 1 to 12, 0 for five. Denied for a province that isn't the viewer's."""
        if not 0 <= years_ahead <= LAST_GRADE:
            raise Malformed(f"years ahead are 1 to {LAST_GRADE}, not {years_ahead}", code="years_ahead")
        require(viewer, Place(province_id=province_id))
        enrolled = await self.figures.enrolments(Place(province_id=province_id))
        known = sorted((year, grade, pupils) for (year, grade), pupils in enrolled.items())
        return Outlook(province_id, known, progressions(enrolled), project(enrolled, years_ahead or USUAL_YEARS))
