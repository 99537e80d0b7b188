"""Counters by class, school, province and nation, each by grade, kept by differences: what a pupil counted before, and counts now."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import accumulate
from typing import NamedTuple

from services.reporting.domain.classes import SheetSigning
from services.reporting.domain.standing import MEASURES, Standing

REASON_PREFIX = "reason:"


@dataclass(frozen=True, slots=True, order=True)
class ClassFacts:
    """Where a class belongs. Version 0 is a hint from an event that only mentioned the class."""

    version: int
    province_id: str = ""
    school_id: str = ""
    school_year: int = 0
    grade: int = 0
    name: str = ""
    signing: SheetSigning = field(default_factory=SheetSigning, compare=False)
    """Of its class-subject sheets; it has versions of its own."""


class Cell(NamedTuple):
    """One counter: of a measure, in a scope, for a school year."""

    school_year: int
    scope: str
    """`class`, `school`, `province` or `nation`."""
    scope_id: str
    """"" for the nation, and for schools and provinces that aren't known yet."""
    grade: int
    """0 for a class of which nobody has told its grade yet. The scope's own number is the sum over its grades: at most thirteen rows."""
    measure: str
    """A step's name, or `reason:<code>`."""


def cells_of(school_year: int, standing: Standing, of_class: ClassFacts) -> list[Cell]:
    """The counters in which a pupil of this standing counts one."""
    if not standing.class_id:
        return []
    school_id = of_class.school_id or standing.school_id
    scopes = (("class", standing.class_id), ("school", school_id), ("province", of_class.province_id), ("nation", ""))
    measures = [name for name, step in MEASURES.items() if step in standing.steps]
    if standing.reason:
        measures.append(REASON_PREFIX + standing.reason)
    return [Cell(school_year, scope, scope_id, of_class.grade, measure) for scope, scope_id in scopes for measure in measures]


class Wait(NamedTuple):
    """One counter of those who wait: for which reason, in a scope, since which day."""

    school_year: int
    scope: str
    """`school`, `province` or `nation`; a class is small enough to be counted when it is asked."""
    scope_id: str
    reason: str
    day: date
    """In UTC."""


def waits_of(school_year: int, standing: Standing, since: datetime | None, of_class: ClassFacts) -> list[Wait]:
    """The counters of waiting in which a pupil of this standing counts one."""
    if not standing.reason or since is None:
        return []
    scopes = (("school", of_class.school_id or standing.school_id), ("province", of_class.province_id), ("nation", ""))
    return [Wait(school_year, scope, scope_id, standing.reason, since.date()) for scope, scope_id in scopes]


@dataclass(frozen=True, slots=True)
class Age:
    """Since when pupils wait for one reason: the first of them, and the middle one."""

    oldest: date
    median: date


def ages_of(waiting: Iterable[tuple[str, date, int]]) -> dict[str, Age]:
    """The age of each reason; from (reason, day, pupils), each pair of reason and day once."""
    by_reason: dict[str, list[tuple[date, int]]] = {}
    for reason, day, pupils in waiting:
        by_reason.setdefault(reason, []).append((day, pupils))
    return {reason: Age(min(days)[0], _median(sorted(days))) for reason, days in by_reason.items()}


def _median(days: list[tuple[date, int]]) -> date:
    half = (sum(pupils for _, pupils in days) + 1) // 2
    upto = accumulate(pupils for _, pupils in days)
    return next(day for (day, _), so_far in zip(days, upto, strict=True) if so_far >= half)


class Counted(NamedTuple):
    """How a pupil counts; all of a class who are equally far are equal."""

    school_year: int
    standing: Standing
    since: datetime | None
    of_class: ClassFacts


def differences(before: Iterable[Counted], after: Iterable[Counted]) -> tuple[dict[Cell, int], dict[Wait, int]]:
    """What must be added to each counter; counters that stay as they are aren't named. A class that moves as one costs as much as one pupil."""
    pupils = Counter(after)
    pupils.subtract(Counter(before))
    cells: Counter[Cell] = Counter()
    waits: Counter[Wait] = Counter()
    for (school_year, standing, since, of_class), count in pupils.items():
        if count:
            for cell in cells_of(school_year, standing, of_class):
                cells[cell] += count
            for wait in waits_of(school_year, standing, since, of_class):
                waits[wait] += count
    return {cell: count for cell, count in cells.items() if count}, {wait: count for wait, count in waits.items() if count}
