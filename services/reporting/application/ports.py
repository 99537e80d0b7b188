"""What reporting needs from the outside, in its own words."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from services.reporting.domain.classes import School, Sheet, SheetsSealed, SheetsSigned, Unlock
from services.reporting.domain.counting import Age, Cell, ClassFacts, Wait
from services.reporting.domain.facts import Facts, News
from services.reporting.domain.standing import Standing


class Key(NamedTuple):
    """A pupil's school year."""

    pupil_id: str
    school_year: int


@dataclass(frozen=True, slots=True)
class PupilNews:
    """News of a pupil, as an event told it. `school_year` is 0 when the event named only the class."""

    class_id: str
    pupil_id: str
    school_year: int
    news: News
    at: datetime


@dataclass(frozen=True, slots=True)
class ClassNews:
    """What an event said about a class; version 0 when it only mentioned it. `at` is when it told of its sheets' signing."""

    class_id: str
    facts: ClassFacts
    sheets: SheetsSealed | SheetsSigned | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PupilRow:
    """What the read model holds of a pupil's school year."""

    facts: Facts
    standing: Standing
    since: datetime | None
    """Since when the standing's reason holds."""


class ReadModelWork(Protocol):
    """One transaction on the read model. Locks are taken in the order of these methods, each in order of ids."""

    async def homes(self, keys: Iterable[Key]) -> set[str]:
        """The classes in which these pupils count now; takes no lock."""
        ...

    async def classes(self, class_ids: Iterable[str]) -> dict[str, ClassFacts]:
        """What is known of these classes, each locked; unknown ones are made."""
        ...

    async def members(self, class_ids: Iterable[str]) -> set[Key]:
        """The pupils who count in these classes."""
        ...

    async def pupils(self, keys: Iterable[Key]) -> dict[Key, PupilRow]:
        """What is known of these pupils, each locked; unknown ones are made."""
        ...

    async def save_classes(self, classes: Mapping[str, ClassFacts]) -> None:
        """Replace what is known of these classes."""
        ...

    async def save_pupils(self, rows: Mapping[Key, PupilRow], classes: Mapping[str, ClassFacts]) -> None:
        """Replace what is known of these pupils."""
        ...

    async def add(self, differences: Mapping[Cell, int], waits: Mapping[Wait, int]) -> None:
        """Add to the counters, and to those of waiting."""
        ...

    async def keep_waiting(self, news: Sequence[PupilNews]) -> None:
        """Keep news of classes whose school year isn't known yet."""
        ...

    async def take_waiting(self, class_ids: Iterable[str]) -> list[PupilNews]:
        """The news that waited for these classes; they wait no longer."""
        ...

    async def save_schools(self, schools: Sequence[School]) -> None:
        """Keep what is newer than what is known."""
        ...

    async def save_sheets(self, sheets: Sequence[Sheet]) -> None:
        """Keep what is newer than what is known."""
        ...

    async def save_unlocks(self, unlocks: Sequence[Unlock]) -> None:
        """Keep what is newer than what is known."""
        ...

    async def empty_counters(self) -> None:
        """Forget every counter, while nobody else writes."""
        ...

    async def recount_results(self) -> None:
        """Count results anew from what the classes told."""
        ...

    async def page(self, after: Key | None, limit: int) -> dict[Key, PupilRow]:
        """Pupils in order of their keys."""
        ...


class ReadModel(Protocol):
    """The database behind reporting."""

    def transaction(self) -> AbstractAsyncContextManager[ReadModelWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose numbers a reader may see: everything, some provinces, some schools, some classes."""

    everything: bool = False
    provinces: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A scope's ids and names; empty where they don't apply."""

    province_id: str = ""
    school_id: str = ""
    class_id: str = ""
    name: str = ""
    grade: int = 0

    @property
    def scope(self) -> tuple[str, str]:
        """(kind, id) of the counters above classes."""
        if self.school_id:
            return "school", self.school_id
        return ("province", self.province_id) if self.province_id else ("nation", "")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The counters of one scope: by measure, reasons among them."""

    place: Place
    counts: Mapping[str, int]
    ages: Mapping[str, Age] = field(default_factory=dict)
    """Since when those wait who wait for a reason; told of a whole, not of its parts."""


@dataclass(frozen=True, slots=True)
class Point:
    """How the numbers of a scope stood from this time on."""

    taken_at: datetime
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Missing:
    """A pupil whose latest version isn't archived."""

    pupil_id: str
    class_id: str
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two counts that should agree, and don't."""

    check: str
    left: int
    right: int
    detail: str


class Figures(Protocol):
    """Reads the counters."""

    async def latest_year(self) -> int:
        """The latest school year of which anything is counted; 0 when there is none."""
        ...

    async def province(self, province_id: str) -> Place | None:
        """The province, or None when nobody has told of a school in it."""
        ...

    async def school(self, school_id: str) -> Place | None:
        """The school and its province, or None when nobody has told of it."""
        ...

    async def class_(self, class_id: str) -> Place | None:
        """The class, its school and province, or None when nobody has told of it."""
        ...

    async def coverage(self, school_year: int, scope: str, scope_id: str) -> Mapping[str, int]:
        """The counters of one scope, over all grades."""
        ...

    async def by_grade(self, school_year: int, place: Place) -> Sequence[Coverage]:
        """The counters of each grade in a scope, in order of grade."""
        ...

    async def ages(self, school_year: int, scope: str, scope_id: str) -> Mapping[str, Age]:
        """Since when those wait who wait, by reason."""
        ...

    async def parts(self, school_year: int, scope: str, province_id: str, school_id: str) -> Sequence[Coverage]:
        """The counters of every `province`, or of every `school` or `class` in a province or school (empty: everywhere), by name."""
        ...

    async def missing(self, school_year: int, school_id: str, class_id: str) -> Sequence[Missing]:
        """Whose transcripts are missing in a school or class."""
        ...

    async def sheets(self, class_id: str) -> Sequence[Sheet]:
        """How far the class's sheets are filled."""
        ...

    async def unlocks(self, class_id: str) -> Sequence[Unlock]:
        """The class's unlocks that are not closed."""
        ...

    async def differences(self, school_year: int, province_id: str) -> Sequence[Difference]:
        """Where counters don't add up, or differ from a fresh count of the pupils."""
        ...


class History(Protocol):
    """The numbers as they stood."""

    async def take(self, at: datetime, scopes: Sequence[str]) -> int:
        """Write down the numbers of every `nation`, `province` or `school` that moved since they were; how many did."""
        ...

    async def points(self, school_year: int, place: Place, since: datetime | None, until: datetime) -> Sequence[Point]:
        """In order of time, beginning with what held at `since`."""
        ...
