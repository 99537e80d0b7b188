"""Tell how results are spread, without telling of anybody."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.chassis.errors import Malformed
from services.reporting.application.get_coverage import require
from services.reporting.application.ports import Place, Viewer
from services.reporting.application.result_ports import Distribution, Level, ResultFigures
from services.reporting.domain.disclosure import hidden_cells
from services.reporting.domain.results import ResultCell, item_order, levels_in_order, scale

_NATION, _ALL = "", 0
_Spread = dict[str, int | None]
"""Level -> pupils; None where it must not be told."""


@dataclass(frozen=True, slots=True)
class GetResults:
    """Distributions of whole provinces and of the nation by item and grade. What is hidden doesn't depend on who asks, nor on how: every
    question shows a part of the same tables."""

    figures: ResultFigures
    minimum: int
    """The smallest count but 0 that is told."""

    async def __call__(
        self, viewer: Viewer, school_year: int, province_id: str, item: str, by_province: bool = False
    ) -> tuple[Sequence[Distribution], int, int]:
        """(distributions by item, grade with all grades first, and province; the school year, 0 asks for the latest; the smallest count that is told).

        Denied for a province that isn't the viewer's.
        """
        if by_province and province_id:
            raise Malformed("provinces are parts of the nation: leave out the province", code="by_province")
        require(viewer, Place(province_id=province_id))
        school_year = school_year or await self.figures.latest_results_year()
        cells, names = await self.figures.results(school_year, item), await self.figures.province_names()
        # A nation's tables are some hundreds: a second of pure computing at worst, which mustn't hold up others' questions.
        spreads = await asyncio.to_thread(told, cells, self.minimum)
        found = [
            Distribution(of, names.get(of, of), grade, of_item, pupils, [Level(level, spread[level]) for level in levels_in_order(spread)])
            for (of_item, grade, of), (pupils, spread) in spreads.items()
            if by_province or of == province_id
        ]
        return sorted(found, key=lambda one: (item_order(one.item), one.grade, one.province_id)), school_year, self.minimum


def told(cells: Mapping[ResultCell, int], minimum: int) -> dict[tuple[str, int, str], tuple[int, _Spread]]:
    """What may be told of one school year's counters: (item, grade, province) -> (pupils, by level). "" is the nation, grade 0 all grades."""
    tables: dict[tuple[str, int], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for cell, pupils in cells.items():
        if pupils:
            tables[cell.item, cell.grade][cell.province_id][cell.level] = pupils
    answer: dict[tuple[str, int, str], tuple[int, _Spread]] = {}
    for (item, grade), by_province in tables.items():
        levels = scale(item, {level for spread in by_province.values() for level in spread})
        rows = [[spread.get(level, 0) for level in levels] for spread in by_province.values()]
        hidden = hidden_cells(rows, minimum)
        totals = [sum(column) for column in zip(*rows, strict=True)]
        for number, (province_id, row) in enumerate(zip((*by_province, _NATION), (*rows, totals), strict=True)):
            spread = {level: None if (number, place) in hidden else row[place] for place, level in enumerate(levels)}
            answer[item, grade, province_id] = sum(row), spread
    return answer | _over_grades(answer)


def _over_grades(of_grades: Mapping[tuple[str, int, str], tuple[int, _Spread]]) -> dict[tuple[str, int, str], tuple[int, _Spread]]:
    """Sums of what is told, and nothing where a part isn't: so they tell nothing that the grades don't."""
    summed: dict[tuple[str, int, str], tuple[int, _Spread]] = {}
    for (item, _, province_id), (pupils, spread) in of_grades.items():
        before, levels = summed.get((item, _ALL, province_id), (0, {}))
        together: _Spread = dict(levels)
        for level, count in spread.items():
            so_far = together.get(level, 0)
            together[level] = None if count is None or so_far is None else so_far + count
        summed[item, _ALL, province_id] = before + pupils, together
    return summed
