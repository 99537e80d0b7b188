"""What the counting of things that are no pupils needs from the outside."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.reporting.application.ports import Difference, Place
from services.reporting.domain.classes import School
from services.reporting.domain.tallying import Cell, Count, Subject, Tallied


@dataclass(frozen=True, slots=True)
class Item:
    """What is held of one thing; `facts` are of its subject's kind."""

    facts: Any
    tallied: Tallied = field(default_factory=Tallied)
    turns_at: datetime | None = None


class TallyWork(Protocol):
    """One transaction on things and their counters."""

    async def items(self, subject: Subject[Any, Any], ids: Iterable[str]) -> dict[str, Item]:
        """What is known of these things, each locked; unknown ones are made."""
        ...

    async def places(self, school_ids: Iterable[str]) -> dict[str, str]:
        """The province of each school ("" while nobody has told of it), which can't change before the transaction ends."""
        ...

    async def move_schools(self, schools: Sequence[School]) -> set[str]:
        """Keep what is newer than what is known; the schools whose province changed by it."""
        ...

    async def of_schools(self, subject: Subject[Any, Any], school_ids: Iterable[str]) -> list[str]:
        """The ids of the things that count in these schools."""
        ...

    async def due(self, subject: Subject[Any, Any], now: datetime, limit: int) -> list[str]:
        """The ids of things that count otherwise by now, with no news."""
        ...

    async def page(self, subject: Subject[Any, Any], after: str, limit: int) -> list[str]:
        """Ids in their order; "" for the beginning."""
        ...

    async def save(self, subject: Subject[Any, Any], items: Mapping[str, Item]) -> None:
        """Replace what is known of these things."""
        ...

    async def add(self, subject: Subject[Any, Any], differences: Mapping[Cell, int]) -> None:
        """Add to the counters."""
        ...

    async def empty(self, subject: Subject[Any, Any]) -> None:
        """Forget every counter of the subject, while nobody else writes."""
        ...


class TallyStore(Protocol):
    """The database behind it."""

    def transaction(self) -> AbstractAsyncContextManager[TallyWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """The counters of one scope."""

    place: Place
    counts: Mapping[Count, int]


class Tallies(Protocol):
    """Reads the counters."""

    async def tally(self, subject: str, place: Place, since: str = "", until: str = "") -> Tally:
        """Of one scope, in the periods from `since` to `until`, both included; "" is the one that has no name."""
        ...

    async def parts(self, subject: str, by: str, province_id: str, since: str = "", until: str = "") -> Sequence[Tally]:
        """Of every `province`, or of every `school` of a province (empty: of all), over these periods together, by name."""
        ...

    async def differences(self, province_id: str) -> Sequence[Difference]:
        """Where counters don't add up, differ from a fresh count, or wait for a change whose time is long past."""
        ...
