"""Answer how far a nation, province, school or class is, for those who may know."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import Denied, Malformed, NotFound
from services.reporting.application.ports import Coverage, Figures, Place, Viewer


@dataclass(frozen=True, slots=True)
class GetCoverage:
    """Counters of one scope and, when asked for, of its provinces, schools, classes or grades. Costs the same for any number of pupils."""

    figures: Figures

    async def __call__(self, viewer: Viewer, school_year: int, province_id: str, school_id: str, by: str = "") -> tuple[Coverage, Sequence[Coverage], int]:
        """(the whole, its parts, the school year; 0 asks for the latest). Denied for a scope that isn't the viewer's.

        `by` names the parts: province, school, class, grade, or none when it is empty.
        """
        if by == "province" and (province_id or school_id):
            raise Malformed("provinces are parts of the nation: leave out province and school", code="by_province")
        school_year = school_year or await self.figures.latest_year()
        place = await self.place(province_id, school_id)
        require(viewer, place)
        scope, scope_id = place.scope
        total = Coverage(place, await self.figures.coverage(school_year, scope, scope_id), await self.figures.ages(school_year, scope, scope_id))
        if not by:
            return total, (), school_year
        if by == "grade":
            return total, await self.figures.by_grade(school_year, place), school_year
        return total, await self.figures.parts(school_year, by, province_id, school_id), school_year

    async def place(self, province_id: str, school_id: str) -> Place:
        """What is asked for; NotFound for a school that nobody has told of."""
        if school_id:
            place = await self.figures.school(school_id)
            if place is None:
                raise NotFound(f"reporting has not heard of school {school_id}; check the id", code="no_school")
            return place
        if province_id:
            return await self.figures.province(province_id) or Place(province_id=province_id)
        return Place()


def require(viewer: Viewer, place: Place) -> None:
    """Denied unless the place is within what the viewer may see."""
    allowed = (
        viewer.everything
        or (bool(place.province_id) and place.province_id in viewer.provinces)
        or (bool(place.school_id) and place.school_id in viewer.schools)
        or (bool(place.class_id) and place.class_id in viewer.classes)
    )
    if not allowed:
        raise Denied("these numbers belong to others; ask for your own province, school or class", code="not_yours")
