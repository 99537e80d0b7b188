"""What a look at the archive's duties needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pending:
    """How many wait, and since when the oldest does."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class LastStamp:
    """A time stamp that is the last one of some batch: one stands for all by the same authority and algorithm."""

    algorithm: str
    token: bytes
    good_until: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the log that was made to its end: of the log alone, or of every document too."""

    documents: bool
    faults: int
    at: datetime


class DutyLedger(Protocol):
    """What the database knows of what waits."""

    async def last_stamps(self) -> Sequence[LastStamp]:
        """The time stamps on which evidence rests now, one for each authority's end and algorithm."""
        ...

    async def first_not_final(self) -> datetime | None:
        """The time of the oldest statement below no final checkpoint; None when there is none."""
        ...

    async def owed_since(self, witnesses: Sequence[str], patience: int) -> Mapping[str, datetime]:
        """Since when each of these witnesses lacks more than `patience` checkpoints; those that lack no more aren't named."""
        ...

    async def parked(self) -> Pending:
        """Records that were put aside and not replayed."""
        ...

    async def refused(self) -> Pending:
        """Documents that were refused, for which nothing as new or newer was admitted since."""
        ...

    async def begun(self) -> datetime | None:
        """When the log's first checkpoint was signed."""
        ...

    async def last_checks(self) -> Sequence[Check]:
        """The newest check of each kind."""
        ...

    async def add_check(self, check: Check) -> None:
        """Keep what a check has found."""
        ...
