"""What the use cases need from outside, as they see it. Adapters fulfil it; nothing here names a library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, Self
from uuid import UUID

from services.enrollment.domain.enrolment import Enrolment, Transfer, TransferState
from services.enrollment.domain.facts import Fact, Standing
from services.enrollment.domain.personal_number import Gender
from services.enrollment.domain.pupil import IdentityState, NumberRecord, Pupil
from services.enrollment.domain.roster_plan import Known
from services.enrollment.domain.roster_row import RosterEntry, RowFault
from services.enrollment.domain.school import School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.staff import Assignment, StaffMember


@dataclass(frozen=True, slots=True)
class Once:
    """A request that takes effect once: its id, made by the caller before the first try, and a digest of all that it asks."""

    request_id: str
    digest: bytes


class Schools(Protocol):
    """The list of schools; public."""

    async def get(self, school_id: UUID) -> School:
        """Give the school; refuse with Missing."""
        ...

    async def find(self, school_id: UUID) -> School | None:
        """Give the school or None."""
        ...

    async def hold(self, *school_ids: UUID) -> tuple[School, ...]:
        """Give the schools, locked until the transaction ends, so that a school's roster has one writer and its facts one order."""
        ...

    async def by_codes(self, codes: Sequence[str]) -> dict[str, School]:
        """Give the open schools that carry the codes."""
        ...

    async def listed(self, province_id: str, closed_too: bool, after_code: str, limit: int, code: str = "") -> list[School]:
        """Give a page of schools by code."""
        ...

    async def put(self, school: School, account_id: str, now: datetime) -> None:
        """Write a school of a new version, and its history."""
        ...

    async def hand_over(self, source: School, target: School, from_year: SchoolYear) -> tuple[list[SchoolClass], list[Standing]]:
        """Move classes of a year and later, with their pupils and teachers' assignments, to another school; versions rise."""
        ...

    async def move_province(self, school: School, from_year: SchoolYear) -> list[SchoolClass]:
        """Let all rows of a school follow it to its province; give the classes still to be taught, versions raised."""
        ...


class Classes(Protocol):
    """Classes, and who teaches in them."""

    async def get(self, class_id: UUID) -> SchoolClass:
        """Give the class; refuse with Missing."""
        ...

    async def find(self, class_id: UUID) -> SchoolClass | None:
        """Give the class or None."""
        ...

    async def named(self, school_ids: Sequence[UUID], year: SchoolYear) -> list[SchoolClass]:
        """Give all classes of the schools in the year."""
        ...

    async def put(self, classes: Sequence[SchoolClass], province_of: dict[UUID, str]) -> None:
        """Write new or changed classes; `province_of` by school."""
        ...

    async def assign(self, class_id: UUID, school: School, assignments: tuple[Assignment, ...]) -> int:
        """Replace the assignments of a class; give the version."""
        ...

    async def next_roll_numbers(self, wanted: dict[UUID, int]) -> dict[UUID, int]:
        """Reserve so many roll numbers per class; give the first of each."""
        ...


class StaffBook(Protocol):
    """Staff of schools."""

    async def of_school(self, school_id: UUID) -> list[StaffMember]:
        """Give all staff of a school with their appointments."""
        ...

    async def put(self, member: StaffMember, province_id: str) -> None:
        """Write a member of a new version."""
        ...


@dataclass(frozen=True, slots=True)
class Lookup:
    """Keys of pupils that rows may mean."""

    names: Sequence[tuple[UUID, str, date | None]]
    codes: Sequence[str]
    numbers: Sequence[str]
    ids: Sequence[UUID]


class Pupils(Protocol):
    """Pupils and their places."""

    async def known(self, year: SchoolYear, lookup: Lookup) -> list[Known]:
        """Give whom the keys mean, in any school of the nation."""
        ...

    async def take_in(self, pupils: Sequence[tuple[UUID, School]], year: SchoolYear) -> set[UUID]:
        """Make schools the present ones of pupils who start a year there; give whom that was allowed for."""
        ...

    async def add(self, standings: Sequence[Standing]) -> None:
        """Write new pupils with their first place."""
        ...

    async def change(self, pupils: Sequence[Pupil]) -> None:
        """Write changed pupils; refuse with Overtaken when somebody else raised a version first."""
        ...

    async def place(self, enrolments: Sequence[Enrolment]) -> None:
        """Write new places, or places of a new version."""
        ...

    async def record_numbers(self, records: Sequence[tuple[NumberRecord, UUID, str]]) -> None:
        """Append to the history of personal numbers, each under a school and its province."""
        ...

    async def standing(self, pupil_id: UUID, year: SchoolYear) -> Standing:
        """Give pupil and place of a year; refuse with Missing."""
        ...

    async def open_standings(self, pupil_id: UUID, today: date) -> list[Standing]:
        """Give the pupil's places of all years that are still to be closed."""
        ...

    async def home_of(self, pupil_id: UUID) -> UUID | None:
        """Give the pupil's present school."""
        ...

    async def of_class(self, class_id: UUID) -> list[Standing]:
        """Give the pupils of a class by roll number."""
        ...

    async def of_school(self, school_id: UUID, today: date) -> list[Standing]:
        """Give the pupils of a school's open years."""
        ...

    async def history(self, pupil_id: UUID) -> tuple[list[tuple[Enrolment, date | None]], list[NumberRecord], Pupil]:
        """Give all places with their last day, all numbers, and the pupil as he is; refuse with Missing."""
        ...

    async def leave_place(self, enrolment: Enrolment, left_on: date) -> None:
        """Append the place that a transfer ends to the past ones."""
        ...

    async def move_home(self, pupil_id: UUID, school: School) -> None:
        """Make another school the present one; the old one goes on reading."""
        ...

    async def record_checks(self, checks: Sequence[tuple[UUID, IdentityState, tuple[str, ...]]], now: datetime) -> None:
        """Append outcomes of identity checks with the names of the fields that differ."""
        ...


class Transfers(Protocol):
    """Transfers that wait for a side, and those that are done."""

    async def open_one(self, pupil_id: UUID, year: SchoolYear) -> Transfer | None:
        """Give the open transfer of a pupil and year."""
        ...

    async def hold(self, transfer_id: UUID) -> tuple[Transfer, TransferState] | None:
        """Give a transfer with its state, locked until the transaction ends."""
        ...

    async def put(self, transfer: Transfer, state: TransferState, target_province: str | None) -> None:
        """Write a transfer; two open ones of one pupil can't be."""
        ...


@dataclass(slots=True)
class ImportJob:
    """How far an import came. Counts cover rows up to `last_row`."""

    job_id: UUID
    school_id: UUID | None
    province_id: str
    school_year: int
    file_sha256: bytes
    started_by: str
    started_at: datetime
    last_row: int = 0
    rows_read: int = 0
    rows_taken: int = 0
    rows_unchanged: int = 0
    rows_refused: int = 0
    done: bool = False


class Imports(Protocol):
    """Import jobs: progress is written in the transaction that writes the rows."""

    async def start(self, job: ImportJob) -> ImportJob:
        """Make the job, or give it as it stands; it is locked until the transaction ends."""
        ...

    async def settle(self, job: ImportJob, faults: Sequence[RowFault], now: datetime) -> None:
        """Write how far the job came, and the faults of the rows since."""
        ...

    async def faults(self, job_id: UUID) -> list[RowFault]:
        """Give all faults of the job so far."""
        ...


class Work(Protocol):
    """One transaction."""

    schools: Schools
    classes: Classes
    staff: StaffBook
    pupils: Pupils
    transfers: Transfers
    imports: Imports

    async def answered(self, once: Once) -> dict[str, Any] | None:
        """Give the answer that the request got before, or None."""
        ...

    async def keep_answer(self, once: Once, method: str, answer: dict[str, Any]) -> None:
        """Keep the answer for a repeat of the request."""
        ...

    async def announce(self, *facts: Fact) -> None:
        """Tell the others, if and when the transaction commits."""
        ...


class Transactions(Protocol):
    """Opens transactions."""

    def __call__(self, *, every_school: bool = False) -> AbstractAsyncContextManager[Work]:
        """Open one that sees the caller's rows; `every_school` only where a rule has checked the caller itself."""
        ...


class RosterRows(Protocol):
    """Reads a roster file row by row."""

    def entries(self, year: SchoolYear, today: date) -> AsyncGenerator[tuple[int, RosterEntry | None, list[RowFault]], None]:
        """Give row number, entry (None: refused) and faults of each row that holds anything; refuse with Invalid a file that is no roster."""
        ...

    @property
    def sha256(self) -> bytes:
        """Digest of the file."""
        ...


class IncomingFile(RosterRows, Protocol):
    """A roster file while it arrives; gone at the end of its `with` block."""

    def __enter__(self) -> Self:
        """Give the file itself."""
        ...

    def __exit__(self, *reason: object) -> None:
        """Remove it."""
        ...

    def add(self, part: bytes) -> None:
        """Append a part; refuse with Invalid a file that is too big."""
        ...


@dataclass(frozen=True, slots=True)
class IdentityQuestion:
    """What the population database is asked to confirm."""

    personal_number: str
    full_name: str
    born_on: date | None
    gender: Gender


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """What it said: MATCHED, MISMATCHED with the names of the fields that differ, or UNKNOWN with why."""

    state: IdentityState
    fields: tuple[str, ...] = ()


class PopulationDatabase(Protocol):
    """The national population database."""

    async def check(self, question: IdentityQuestion) -> IdentityAnswer:
        """Confirm one person. Never raises for a service that is slow, down or doesn't know: that is UNKNOWN."""
        ...


class NewIds(Protocol):
    """Makes ids."""

    def __call__(self) -> UUID:
        """Give a new one."""
        ...
