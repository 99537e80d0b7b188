"""The dashboard's pages of results by level and of projected enrolment: what they show, and their tables as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.reporting.application.get_projection import Outlook
from services.reporting.application.ports import Viewer
from services.reporting.application.result_ports import Distribution
from services.reporting.domain.projection import Projected
from services.reporting.domain.results import item_order
from services.reporting.entrypoints.tables import Cell

_SUBJECT = "subject:"


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """One item's distributions: by grade in the province or the nation, and by province in the nation."""

    province_id: str
    items: Sequence[str]
    item: str
    grades: Sequence[Distribution]
    provinces: Sequence[Distribution]
    year: int
    minimum: int
    viewer: Viewer
    as_of: datetime

    @property
    def name(self) -> str:
        """Of the province; empty for the nation."""
        return next((one.name for one in self.grades), "")


def results_page(found: Iterable[Distribution], province_id: str, item: str, year: int, minimum: int, viewer: Viewer, as_of: datetime) -> ResultsPage:
    """The page of an item; without one, of the first that there is."""
    here = list(found)
    items = sorted({one.item for one in here}, key=item_order)
    item = item or next(iter(items), "")
    of_item = [one for one in here if one.item == item]
    grades = [one for one in of_item if one.province_id == province_id]
    provinces = [one for one in of_item if one.province_id != province_id and not one.grade]
    return ResultsPage(province_id, items, item, grades, provinces, year, minimum, viewer, as_of)


def item_name(item: str, texts: dict[str, Any]) -> str:
    """In words; a subject without words here by its code."""
    if item.startswith(_SUBJECT):
        code = item.removeprefix(_SUBJECT)
        return str(texts["subjects"].get(code, code))
    return str(texts["results"]["items"].get(item, item))


def by_levels(rows: Sequence[Distribution]) -> list[Sequence[Distribution]]:
    """Rows of one table each: those with the same levels, in their order. A subject is judged by other levels in primary school."""
    tables: dict[tuple[str, ...], list[Distribution]] = {}
    for one in rows:
        tables.setdefault(tuple(level.level for level in one.levels), []).append(one)
    return list(tables.values())


def results_table(rows: Iterable[Distribution], texts: dict[str, Any]) -> tuple[list[str], list[list[Cell]]]:
    """(headings, rows): a row for each level of each distribution. A hidden count is an empty cell."""
    words = texts["results"]
    headings = [texts["columns"]["id"], texts["columns"]["name"], words["grade"], words["item"], words["level"], texts["columns"]["pupils"], words["of_pupils"]]
    return headings, [
        [one.province_id, one.name, one.grade, item_name(one.item, texts), words["levels"].get(of.level, of.level), of.pupils, one.pupils]
        for one in rows
        for of in one.levels
    ]


@dataclass(frozen=True, slots=True)
class ProjectionGrid:
    """Grades by years: what was, and what is projected."""

    known_years: Sequence[int]
    years: Sequence[int]
    grades: Sequence[int]
    known: Mapping[tuple[int, int], int]
    projected: Mapping[tuple[int, int], Projected]


def projection_grid(outlook: Outlook) -> ProjectionGrid:
    """The grid of an outlook."""
    known = {(year, grade): pupils for year, grade, pupils in outlook.known}
    projected = {(one.school_year, one.grade): one for one in outlook.projected}
    both = {*known, *projected}
    return ProjectionGrid(sorted({year for year, _ in known}), sorted({year for year, _ in projected}), sorted({grade for _, grade in both}), known, projected)


def projection_table(outlook: Outlook, texts: dict[str, Any]) -> tuple[list[str], list[list[Cell]]]:
    """(headings, rows): a row for each grade of each year, projected or known. Empty bounds where there is no interval."""
    words = texts["projection"]
    headings = [texts["columns"]["id"], texts["school_year"], texts["results"]["grade"], words["kind"], texts["columns"]["pupils"], words["low"], words["high"]]
    rows: list[list[Cell]] = [[outlook.province_id, year, grade, words["known"], pupils, None, None] for year, grade, pupils in outlook.known]
    return headings, rows + [[outlook.province_id, one.school_year, one.grade, words["projected"], one.pupils, one.low, one.high] for one in outlook.projected]
