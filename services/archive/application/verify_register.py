"""Follow the register's chain from any line to its end."""

from dataclasses import dataclass

from services.archive.application.ports import Catalogue
from services.archive.domain.register import GENESIS, Head, Inspection, inspect
from services.chassis.errors import Malformed


@dataclass(frozen=True, slots=True)
class VerifyRegister:
    """Recomputes every hash and compares each statement with the index of documents."""

    catalogue: Catalogue

    async def __call__(self, from_index: int) -> Inspection:
        """What was found. Lines are numbered from 1; 0 or 1 begins at the first."""
        start = Head(0, GENESIS)
        if from_index > 1:
            before = await self.catalogue.head_before(from_index)
            if before is None:
                raise Malformed(f"the register has no line {from_index - 1} to begin after", code="from_index")
            start = before
        async for lines in self.catalogue.lines(start.entries + 1):
            inspection = inspect(lines, start)
            if inspection.first_broken is not None:
                return inspection
            start = inspection.head
        return Inspection(start, None)
