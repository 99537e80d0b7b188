"""Keep what is shown beside the counters: schools' names, sheets' fill, unlocks."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting.application.ports import ReadModel
from services.reporting.domain.classes import School, Sheet, Unlock


@dataclass(frozen=True, slots=True)
class KeepDetails:
    """Only a higher version replaces a lower one."""

    model: ReadModel

    async def __call__(self, *, schools: Sequence[School] = (), sheets: Sequence[Sheet] = (), unlocks: Sequence[Unlock] = ()) -> None:
        """All in one transaction."""
        async with self.model.transaction() as work:
            await work.save_schools(schools)
            await work.save_sheets(sheets)
            await work.save_unlocks(unlocks)
