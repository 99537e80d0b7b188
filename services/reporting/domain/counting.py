"""Counters by class, school, province and nation, kept by differences: what a pupil counted before, and counts now."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
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
    return [Cell(school_year, scope, scope_id, measure) for scope, scope_id in scopes for measure in measures]


def differences(before: Iterable[Cell], after: Iterable[Cell]) -> Counter[Cell]:
    """What must be added to each counter; counters that stay as they are aren't named."""
    changed: Counter[Cell] = Counter()
    for cell in after:
        changed[cell] += 1
    for cell in before:
        changed[cell] -= 1
    return Counter({cell: count for cell, count in changed.items() if count})
