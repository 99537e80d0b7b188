"""Name the pupils, by id, whose transcripts are missing, and who must act."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import Malformed, NotFound
from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Figures, Missing, Viewer


@dataclass(frozen=True, slots=True)
class ListMissing:
    """The pupils of one school or class who are not archived in their latest version."""

    figures: Figures

    async def __call__(self, viewer: Viewer, school_year: int, school_id: str, class_id: str) -> Sequence[Missing]:
        """In order of class and reason."""
        if not school_id and not class_id:
            raise Malformed("name a school or a class: pupils are listed for no larger scope", code="scope_missing")
        place = await (self.figures.class_(class_id) if class_id else self.figures.school(school_id))
        if place is None:
            raise NotFound("reporting has not heard of this school or class; check the id", code="no_scope")
        require(viewer, place)
        return await self.figures.missing(school_year or await self.figures.latest_year(), school_id, class_id)
