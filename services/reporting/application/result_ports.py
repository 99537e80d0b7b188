"""What the statistics of results need from the outside, in their own words."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.reporting.application.ports import Place
from services.reporting.domain.projection import Enrolments
from services.reporting.domain.results import ClassTally, ResultCell


class ResultWork(Protocol):
    """One transaction on the counters of results. Locks are taken in the order of these methods, each in order of ids."""

    async def tallies(self, class_ids: Iterable[str]) -> dict[str, ClassTally]:
        """What each class told last, locked; classes that told nothing are made."""
        ...

    async def save_tallies(self, tallies: Mapping[str, ClassTally]) -> None:
        """Replace what these classes told."""
        ...

    async def add_results(self, differences: Mapping[ResultCell, int]) -> None:
        """Add to the counters."""
        ...


class ResultModel(Protocol):
    """The database behind the statistics of results."""

    def results_transaction(self) -> AbstractAsyncContextManager[ResultWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...


class ResultFigures(Protocol):
    """Reads the counters of results."""

    async def latest_results_year(self) -> int:
        """The latest school year of which results are counted; 0 when there is none."""
        ...

    async def results(self, school_year: int, item: str) -> Mapping[ResultCell, int]:
        """The counters of a school year, of one item or (empty) of all."""
        ...

    async def province_names(self) -> Mapping[str, str]:
        """Names by province id."""
        ...


class EnrolmentFigures(Protocol):
    """Reads how many are enrolled."""

    async def enrolments(self, place: Place) -> Enrolments:
        """Pupils enrolled in a province or the nation, by school year and grade, of all years."""
        ...


@dataclass(frozen=True, slots=True)
class Level:
    """How many reached a level; None when that must not be told."""

    level: str
    pupils: int | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the results of an item are spread in a grade (0: all) of a province (empty: the nation)."""

    province_id: str
    name: str
    grade: int
    item: str
    pupils: int
    levels: Sequence[Level]
