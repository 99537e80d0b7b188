"""Answer what is counted of one subject in a nation, province or school, for those who may know."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import Malformed
from services.reporting.application.get_coverage import GetCoverage, require
from services.reporting.application.ports import Figures, Viewer
from services.reporting.application.tally_ports import Tallies, Tally


@dataclass(frozen=True, slots=True)
class GetTally:
    """Counters of one scope and, when asked for, of its provinces or schools. Costs the same for any number of things."""

    figures: Figures
    tallies: Tallies
    subject: str

    async def __call__(self, viewer: Viewer, province_id: str, school_id: str, by: str = "", since: str = "", until: str = "") -> tuple[Tally, Sequence[Tally]]:
        """(the whole, its parts). `by` is province, school or empty. Denied for a scope that isn't the viewer's."""
        if by == "province" and (province_id or school_id):
            raise Malformed("provinces are parts of the nation: leave out province and school", code="by_province")
        place = await GetCoverage(self.figures).place(province_id, school_id)
        require(viewer, place)
        total = await self.tallies.tally(self.subject, place, since, until)
        # A school has no parts here: what is counted belongs to no class.
        return total, await self.tallies.parts(self.subject, by, province_id, since, until) if by and not school_id else ()
