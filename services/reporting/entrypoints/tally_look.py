"""The dashboard's sections on what is counted beside the pupils, as its templates show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.reporting import contracts
from services.reporting.application.tally_ports import Tally
from services.reporting.domain.tallying import Count
from services.reporting.domain.unlock_life import CLOSED, OPEN_SECONDS


@dataclass(frozen=True, slots=True)
class Office:
    """One line: an office, and how many of those who hold it can sign."""

    code: str
    signers: int
    holding: int
    expiring: int
    expired: int
    revoked: int
    without: int

    @property
    def share(self) -> float:
        """Of those who hold the office, from 0 to 1."""
        return self.holding / self.signers


ALL = "all"


@dataclass(frozen=True, slots=True)
class Unlocks:
    """One line: how many unlocks, and what became of them."""

    name: str
    measures: Mapping[str, int]

    def count(self, *measures: str) -> int:
        """Of these measures together."""
        return sum(self.measures.get(measure, 0) for measure in measures)

    @property
    def mean_minutes(self) -> float | None:
        """How long those closed stood open, on average; None while there is none."""
        closed = self.count(CLOSED)
        return self.count(OPEN_SECONDS) / closed / 60 if closed else None


@dataclass(frozen=True, slots=True)
class Sections:
    """What a page shows of it: of its scope, and of the scope's parts."""

    staff: tuple[Tally, Sequence[Tally]]
    expiring_days: int
    unlocks: tuple[Tally, Sequence[Tally]]
    months: tuple[str, str]

    @property
    def offices(self) -> list[Office]:
        """Of the scope; the first counts each member of staff once."""
        return _offices(self.staff[0])

    @property
    def staff_parts(self) -> list[tuple[Tally, Office]]:
        """Each part with its members of staff, counted once each."""
        return [(part, offices[0]) for part in self.staff[1] if (offices := _offices(part)) and offices[0].code == "staff"]

    @property
    def by_reason(self) -> list[Unlocks]:
        """The scope's unlocks of these months by reason, the sum of all last."""
        return _summed(self.unlocks[0], lambda count: count.kind)

    @property
    def by_month(self) -> list[Unlocks]:
        """The same by month."""
        return _summed(self.unlocks[0], lambda count: count.period)[:-1]

    @property
    def unlock_parts(self) -> list[tuple[Tally, Unlocks]]:
        """Each part's unlocks of these months."""
        return [(part, _summed(part, lambda count: count.kind)[-1]) for part in self.unlocks[1]]


def _summed(tally: Tally, by: Callable[[Count], str]) -> list[Unlocks]:
    lines: dict[str, Counter[str]] = {}
    for count, amount in tally.counts.items():
        for name in (by(count), ALL):
            lines.setdefault(name, Counter())[count.measure] += amount
    total = lines.pop(ALL, None)
    return [Unlocks(name, measures) for name, measures in sorted(lines.items())] + ([Unlocks(ALL, total)] if total else [])


def _offices(tally: Tally) -> list[Office]:
    return [
        Office(told.office, told.signers, told.holding, told.expiring, told.expired, told.revoked, told.without) for told in contracts.readiness(tally).offices
    ]
