"""What keeping and telling reconciliations needs from the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.reporting.application.ports import Place
from services.reporting.domain.reconciliation import Discrepancy, Reconciliation, State


@dataclass(frozen=True, slots=True)
class Found:
    """How many discrepancies of a name and state a part of a scope has."""

    place: Place
    name: str
    state: State
    pupils: int


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest reconciliation that covers a scope, and what it found there."""

    taken_at: datetime
    versions: int
    """Of the whole run."""
    found: Sequence[Found] = ()
    """By province for the nation, by school for a province or school."""
    named: Sequence[Discrepancy] = ()
    """Pupil by pupil, for readers of the school's or the province's own."""


class Reconciliations(Protocol):
    """The reconciliations that were kept."""

    async def keep(self, result: Reconciliation, forget_before: datetime) -> None:
        """Keep a run; keeping it again changes nothing. Runs older than `forget_before` go."""
        ...

    async def last(self, place: Place, *, named: bool) -> LastRun | None:
        """The newest run over the place or more, None when there was none; pupil by pupil if asked for."""
        ...

    async def last_of_all(self) -> tuple[datetime, dict[State, int]] | None:
        """When the newest run over everything was, and how many discrepancies of each state it found."""
        ...
