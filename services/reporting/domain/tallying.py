"""Counters of things that are no pupils: each thing counts what follows from its facts, in its school, its province and the nation."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

F = TypeVar("F")
N = TypeVar("N")


class Count(NamedTuple):
    """What a thing counts: in a period (a month, or "" for now), of a kind, by a measure."""

    period: str
    kind: str
    measure: str


class Cell(NamedTuple):
    """One counter."""

    scope: str
    """`school`, `province` or `nation`."""
    scope_id: str
    """"" for the nation, and for what isn't known yet."""
    period: str
    kind: str
    measure: str


@dataclass(frozen=True, slots=True)
class Tallied:
    """What a thing counts, and where."""

    school_id: str = ""
    province_id: str = ""
    counts: Mapping[Count, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject(Generic[F, N]):
    """A sort of things that are counted, with its rules."""

    name: str
    """Stable: it stands in the tables."""
    nothing: F
    """The facts of a thing that nobody has told of."""
    told: Callable[[F, N], F]
    """The facts after one more piece of news; equal ones when it was known or is outdated. The order of news doesn't matter."""
    school_of: Callable[[F], str]
    """The thing's school; "" while nobody has told of it."""
    counts: Callable[[F, datetime], tuple[Mapping[Count, int], datetime | None]]
    """(what it counts at a time, when that changes next with no news; None: never)."""


def differences(before: Iterable[Tallied], after: Iterable[Tallied]) -> dict[Cell, int]:
    """What must be added to each counter; counters that stay as they are aren't named."""
    cells: Counter[Cell] = Counter()
    for sign, tallied in ((-1, before), (1, after)):
        for one in tallied:
            scopes = (("school", one.school_id), ("province", one.province_id), ("nation", ""))
            for count, amount in one.counts.items():
                for scope, scope_id in scopes:
                    cells[Cell(scope, scope_id, *count)] += sign * amount
    return {cell: amount for cell, amount in cells.items() if amount}
