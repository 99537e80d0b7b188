"""What grading's use cases need from outside, as protocols; adapters/ fulfils them.

A `Work` is one open transaction. Whatever a use case reads through it after a `hold_…` call stays true until commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from services.grading.domain.class_sheets import SheetVersion
from services.grading.domain.gradebook import CellChange, Held, Reopening, SheetPupil, Window
from services.grading.domain.pupil_year import Decision, SubjectChoice
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.sealing import Candidate, Outcome
from services.grading.domain.terms import Term

Rules = Callable[[int, int], RuleSet]
"""(grade, school year) -> the rule set, with this deployment's switches."""


@dataclass(frozen=True, slots=True)
class Author:
    """The verified person behind a command; `roles` are (role, scope) pairs of the token."""

    account_id: str
    person_id: str
    roles: frozenset[tuple[str, str]] = frozenset()

    def holds(self, role: str, school_id: str) -> bool:
        """Whether the person has the role at this school."""
        return (role, f"school:{school_id}") in self.roles


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a command idempotent: its id, the method, and the digest of everything it says."""

    request_id: str
    method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class as grading knows it; `class_version` is that of its last seal."""

    class_id: str
    school_id: str
    province_id: str
    school_year: int
    grade: int
    name: str
    homeroom_staff_id: str
    class_version: int
    term_1_sealed: bool


@dataclass(frozen=True, slots=True)
class SheetRows:
    """What a sheet holds: version, pupils, cells, and what opens or closes it."""

    version: int
    pupils: Mapping[str, SheetPupil]
    held: Held
    windows: Sequence[Window]
    reopenings: Sequence[Reopening]
    # Persons who may write: the assigned teachers, or the homeroom teacher for the homeroom sheet.
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class PupilFile(Candidate):
    """One pupil's year with everything a seal needs, and the place in the class."""

    roll_number: int


@dataclass(frozen=True, slots=True)
class Seal:
    """The answer to a lock: it never changes once given."""

    lock_id: str
    class_id: str
    term: Term | None
    class_version: int
    class_digest: bytes
    outcomes: Sequence[Outcome]
    # Every class-subject sheet that the outcomes name; they travel with the event and are no part of the answer.
    sheets: Sequence[SheetVersion] = ()


@dataclass(frozen=True, slots=True)
class MarkChange:
    """One line of a cell's history."""

    pupil_id: str
    column: str
    old_value: str
    new_value: str
    account_id: str
    reason: str
    unlock_id: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A window as locking grants it; empty scope fields don't narrow."""

    window_id: str
    version: int
    province_id: str
    school_id: str
    grade: int
    class_id: str
    school_year: int
    term: Term
    opens_at: datetime
    closes_at: datetime
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class School:
    """A school as enrollment describes it."""

    school_id: str
    version: int
    code: str
    name: str
    commune: str
    province_id: str
    province: str


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff at a school; two accounts of one human share `person_id`."""

    staff_id: str
    school_id: str
    version: int
    person_id: str
    full_name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormedClass:
    """A class as enrollment formed it."""

    class_id: str
    school_id: str
    province_id: str
    version: int
    school_year: int
    grade: int
    name: str
    homeroom_staff_id: str


@dataclass(frozen=True, slots=True)
class Teaching:
    """Who teaches what in a class, the whole list: (subject, staff id, responsible)."""

    class_id: str
    version: int
    assignments: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A pupil's place in a class for a school year; `profile` holds what the form prints about the pupil."""

    pupil_id: str
    school_year: int
    version: int
    school_id: str
    class_id: str
    roll_number: int
    full_name: str
    has_personal_number: bool
    individual_plan: bool
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A pupil's move; an empty `to_school_id` means that the pupil left, an empty class that none is chosen yet."""

    pupil_id: str
    school_year: int
    version: int
    to_school_id: str
    to_class_id: str
    roll_number: int
    transferred_on: date


class Roster(Protocol):
    """The copy of enrollment's facts. Every method ignores what is not newer than what it holds."""

    async def put_schools(self, schools: Sequence[School]) -> None:
        """Keep schools."""
        ...

    async def put_staff(self, staff: Sequence[Staff]) -> None:
        """Keep members of staff."""
        ...

    async def put_classes(self, classes: Sequence[FormedClass]) -> None:
        """Keep classes."""
        ...

    async def put_teaching(self, teaching: Teaching) -> None:
        """Replace a class's assignments; they may arrive before the class."""
        ...

    async def enrol(self, enrolments: Sequence[Enrolment]) -> None:
        """Put pupils into their classes; marks of the running year follow. A sealed year stays where it was sealed."""
        ...

    async def transfer(self, transfer: Transfer) -> None:
        """Move one pupil, under the lock of his or her year; a sealed year stays where it was sealed."""
        ...


class Work(Protocol):
    """One transaction over grading's own store."""

    roster: Roster

    async def answered(self, request: Request) -> bytes | None:
        """The answer this request got before; nobody else works on its id until the end of the transaction."""
        ...

    async def keep_answer(self, request: Request, answer: bytes) -> None:
        """Keep the answer for repeats."""
        ...

    async def get_class(self, class_id: str) -> ClassFacts:
        """The class, or NotFound."""
        ...

    async def hold_sheet(self, class_id: str, subject: str, term: Term) -> ClassFacts:
        """Hold the sheet against other saves and the class against a seal, until the end of the transaction."""
        ...

    async def hold_class(self, class_id: str) -> ClassFacts:
        """Hold the class against saves, seals and transfers of its pupils, until the end of the transaction."""
        ...

    async def read_sheet(self, facts: ClassFacts, subject: str, term: Term) -> SheetRows:
        """What the sheet holds now."""
        ...

    async def save_cells(
        self,
        facts: ClassFacts,
        subject: str,
        term: Term,
        changes: Sequence[CellChange],
        author: Author,
        now: datetime,
        *,
        reason: str = "",
        unlock_id: str = "",
    ) -> None:
        """Write cells and their history."""
        ...

    async def save_fill(self, facts: ClassFacts, subject: str, term: Term, version: int, expected: int, filled: int) -> None:
        """Raise the sheet's version, keep its counts and announce them."""
        ...

    async def read_years(self, facts: ClassFacts, rules: RuleSet) -> list[PupilFile]:
        """Every pupil of the class with the whole year, in roll order."""
        ...

    async def class_sheets(self, facts: ClassFacts) -> list[SheetVersion]:
        """Every version of the class's class-subject sheets."""
        ...

    async def responsible(self, facts: ClassFacts) -> Mapping[str, str]:
        """subject -> responsible staff id; the homeroom sheet's under its own code."""
        ...

    async def homeroom_persons(self, facts: ClassFacts) -> frozenset[str]:
        """Person ids of the class's homeroom teacher."""
        ...

    async def class_persons(self, facts: ClassFacts) -> frozenset[str]:
        """Person ids of everybody who teaches the class, the homeroom teacher included."""
        ...

    async def set_choice(self, facts: ClassFacts, pupil_id: str, choice: SubjectChoice, reasons: Mapping[str, str]) -> None:
        """Replace a pupil's electives, clusters and exemptions; `reasons` by exempted subject."""
        ...

    async def add_decision(self, facts: ClassFacts, pupil_id: str, decision: Decision, author: Author, now: datetime) -> None:
        """Add a decision to a pupil's year."""
        ...

    async def history(self, facts: ClassFacts, subject: str, term: Term, pupil_id: str) -> list[MarkChange]:
        """Changes of a sheet's cells, oldest first; of one pupil when named."""
        ...

    async def put_window(self, lease: Lease) -> int:
        """Keep a lease unless a newer version is there; the version now held."""
        ...

    async def find_seal(self, lock_id: str) -> Seal | None:
        """The answer a lock got before."""
        ...

    async def keep_seal(self, facts: ClassFacts, seal: Seal, now: datetime) -> None:
        """Keep the seal, its new versions and sheets and the class version, end re-openings, and announce a sealed year with its tally of results."""
        ...

    async def class_of_version(self, transcript_id: str, version: int) -> str | None:
        """The class that sealed this version, or None when no class here did."""
        ...

    async def withdraw(self, transcript_id: str, version: int) -> bool:
        """Keep that a version is withdrawn; False when that was known."""
        ...

    async def sealed_classes(self, school_year: int, after: str, limit: int) -> list[str]:
        """Classes whose year is sealed, of a school year (0: of all), by id from the one after `after`."""
        ...

    async def tally_results(self, facts: ClassFacts) -> None:
        """Announce how the results of the class's newest seal are spread."""
        ...

    async def find_reopening(self, unlock_id: str) -> int | None:
        """The class version that a re-opening was granted on, or None."""
        ...

    async def reopen(self, facts: ClassFacts, reopening: Reopening, reason: str) -> None:
        """Keep and announce a re-opening."""
        ...

    async def close_reopening(self, unlock_id: str, now: datetime) -> int:
        """End a re-opening; how many cells were changed under it."""
        ...


class Transactions(Protocol):
    """Opens a transaction whose rows are those that the calling actor may see."""

    def __call__(self) -> AbstractAsyncContextManager[Work]:
        """Commit at the end of the block, roll back on any error."""
        ...
