"""Tell a class's own people where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import NotFound
from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Coverage, Figures, Viewer
from services.reporting.domain.classes import Sheet, Unlock


@dataclass(frozen=True, slots=True)
class GetClassStatus:
    """Coverage, how far each sheet is filled, and unlocks under way."""

    figures: Figures

    async def __call__(self, viewer: Viewer, class_id: str) -> tuple[Coverage, Sequence[Sheet], Sequence[Unlock]]:
        """Of one class; Denied when it isn't the viewer's."""
        place = await self.figures.class_(class_id)
        if place is None:
            raise NotFound(f"reporting has not heard of class {class_id}; check the id", code="no_class")
        require(viewer, place)
        counts = await self.figures.coverage(0, "class", class_id)
        return Coverage(place, counts, await self.figures.ages(0, "class", class_id)), await self.figures.sheets(class_id), await self.figures.unlocks(class_id)
