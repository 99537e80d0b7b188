"""What the use cases of locking need from outside: one transaction's worth of stores, and the two neighbours they call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.locking.domain.audit import Line
from services.locking.domain.lease import Lease
from services.locking.domain.lock import Answer, Lock
from services.locking.domain.people import Caller
from services.locking.domain.policy import Policy
from services.locking.domain.scope import Place, Scope
from services.locking.domain.terms import Period, Term
from services.locking.domain.unlock import Step, Unlock
from services.locking.domain.window import Window


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as far as repeating it is concerned: its id, the method, and a digest of everything it says."""

    request_id: str
    method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease as stored: with the window that gave it and the version that grading has confirmed."""

    lease: Lease
    given_by: UUID | None
    confirmed_version: int


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One line of an unlock's history."""

    state: str
    account_id: str
    role: str
    reason: str
    document: str
    moved_at: datetime


@dataclass(frozen=True, slots=True)
class UnlockView:
    """An unlock with its history, for those who may see it."""

    unlock: Unlock
    steps: tuple[StepTaken, ...]
    sealed_class_version: int


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that must still be said to a neighbour: `lease`, `seal` or `open`, about a subject."""

    errand_id: int
    kind: str
    class_id: UUID
    subject_id: UUID
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of unlocks is narrowed to; empty ones do not narrow."""

    school_id: UUID | None = None
    province_id: str = ""
    class_id: UUID | None = None
    state: str = ""


class Roster(Protocol):
    """Locking's copy of schools, classes and staff."""

    async def place(self, class_id: UUID) -> Place | None: ...

    async def hold_class(self, class_id: UUID) -> Place | None:
        """The class, its row locked until the end: whoever changes a class's locks or unlocks does this first."""
        ...

    async def places(self, scope: Scope, school_year: int) -> list[Place]:
        """Every class in a scope, their rows locked in one order, so that planning and closing can't interleave."""
        ...

    async def schools_of(self, person_id: str) -> frozenset[UUID]:
        """The schools where a human works, under whichever account."""
        ...

    async def teaches(self, person_id: str, class_id: UUID, subject: str) -> bool:
        """Whether the human teaches the subject in the class, or is its homeroom teacher (which no subject asks for)."""
        ...

    async def homeroom_classes(self, person_id: str) -> frozenset[UUID]: ...

    async def put_schools(self, rows: Sequence[tuple[UUID, int, str]]) -> None: ...

    async def put_classes(self, rows: Sequence[tuple[Place, int, str]]) -> list[Place]:
        """Store (class, version, homeroom staff id); returns the classes that were news."""
        ...

    async def put_staff(self, rows: Sequence[tuple[UUID, str, int, str, tuple[str, ...]]]) -> None: ...

    async def put_teaching(self, rows: Sequence[tuple[UUID, UUID, int, tuple[tuple[str, str], ...]]]) -> None: ...

    async def check_late_at(self, class_ids: Iterable[UUID], at: datetime | None) -> None:
        """Have classes looked at for pupils who became ready; None ends that."""
        ...

    async def hurry_late_check(self, class_ids: Iterable[UUID], at: datetime) -> None:
        """Move a look that is planned anyway to an earlier time."""
        ...

    async def due_for_late_check(self, now: datetime, limit: int) -> list[Place]:
        """Classes whose look is due, their rows locked, skipping those that another instance holds."""
        ...


class Windows(Protocol):
    async def get(self, window_id: UUID) -> Window | None:
        """The present version; certain only for whoever holds the plan of its term."""
        ...

    async def hold_plan(self, school_year: int, term: Term) -> None:
        """Make everybody wait who sets windows of this term, since each must be judged against all others."""
        ...

    async def bearing_on(self, scope: Scope, school_year: int, term: Term) -> list[Window]: ...

    async def put(self, window: Window, caller: Caller, reason: str, now: datetime) -> None: ...

    async def listed(self, scope: Scope, school_year: int) -> list[tuple[Window, bool]]:
        """Windows that bear on a scope, each with whether grading holds every lease it gave."""
        ...

    async def due_to_turn(self, now: datetime, limit: int) -> list[Window]:
        """Windows whose state the clock has changed without an announcement; locked, skipping others' locks."""
        ...

    async def turned(self, window: Window, state: str, turns_at: datetime | None) -> None: ...


class Leases(Protocol):
    async def of(self, class_ids: Sequence[UUID], term: Term) -> dict[UUID, HeldLease]: ...

    async def of_class(self, class_id: UUID) -> list[HeldLease]: ...

    async def put(self, leases: Sequence[tuple[Lease, UUID | None]]) -> None:
        """Store leases as planned, and for each version that grading has not heard of, the errand to tell it."""
        ...

    async def claim_due_to_close(self, now: datetime, but: Collection[UUID]) -> tuple[UUID, Term] | None:
        """
        A class and term whose closing has passed and is not yet acted upon, other than those named.

        The class row is held, and skipped by others meanwhile.
        """
        ...

    async def find(self, class_id: UUID, wanted: UUID) -> HeldLease | None: ...

    async def confirm(self, class_id: UUID, term: Term, version: int) -> None: ...


class Locks(Protocol):
    async def get(self, lock_id: UUID) -> Lock | None: ...

    async def latest_held(self, class_id: UUID, period: Period) -> Lock | None: ...

    async def intended(self, class_id: UUID) -> list[Lock]: ...

    async def intend(self, lock: Lock, account_id: str) -> None:
        """Store an order to seal and the errand that carries it out, in one go."""
        ...

    async def hold(self, lock: Lock) -> None: ...


class Unlocks(Protocol):
    async def get(self, unlock_id: UUID, *, hold: bool = False) -> Unlock | None: ...

    async def add(self, unlock: Unlock, now: datetime, due_at: datetime | None) -> None: ...

    async def move(self, unlock: Unlock, step: Step, reason: str, due_at: datetime | None) -> None:
        """Store the next version with its step; raises Superseded when another version is there already."""
        ...

    async def resealed_as(self, unlock_id: UUID, class_version: int) -> None: ...

    async def open_in(self, class_id: UUID) -> UUID | None:
        """The unlock that has the class open or waits for its re-seal."""
        ...

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """(unlock, class) of those whose own time has come; nothing is locked."""
        ...

    async def intend_opening(self, unlock: Unlock, now: datetime) -> None: ...

    async def put_off(self, unlock_id: UUID, until: datetime) -> None:
        """Look again later at an unlock whose turn can't be taken now."""
        ...

    async def view(self, unlock_id: UUID) -> UnlockView | None: ...

    async def listed(self, filters: Filters, limit: int) -> list[UnlockView]: ...


class Policies(Protocol):
    async def of(self, province_id: str) -> Policy:
        """The newest policy of a province, else the nation's, else hocba's own defaults."""
        ...

    async def put(self, policy: Policy, caller: Caller, now: datetime) -> Policy:
        """Store the next version and return it."""
        ...


class Errands(Protocol):
    async def claim(self, now: datetime) -> Errand | None:
        """
        The oldest errand that is due, its row locked until the end and skipped by others meanwhile.

        When there is none, those that were put off under a clock that has since gone back are due again from now.
        A seal waits while an unlock has its class open (except for that unlock's own), and behind older seals of it.
        """
        ...

    async def done(self, errand: Errand) -> None: ...

    async def postpone(self, errand: Errand, until: datetime, error: str) -> None: ...


class Work(Protocol):
    """One transaction. What it announces and audits is there if, and only if, what it stores is."""

    @property
    def roster(self) -> Roster: ...

    @property
    def windows(self) -> Windows: ...

    @property
    def leases(self) -> Leases: ...

    @property
    def locks(self) -> Locks: ...

    @property
    def unlocks(self) -> Unlocks: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def errands(self) -> Errands: ...

    async def answered(self, request: Request) -> UUID | None:
        """What this very request made before; raises Conflict when its id was used for another."""
        ...

    async def keep_answer(self, request: Request, made: UUID) -> None: ...

    async def audit(self, stream: str, action: str, facts: Mapping[str, Any], now: datetime, belongs: Place | Scope) -> Line:
        """Add a line to a stream; it is seen by those who may see what it belongs to."""
        ...

    async def announce_lock(self, lock: Lock, line: Line) -> None: ...

    async def announce_unlock(self, unlock: Unlock, caller: Caller, line: Line, now: datetime) -> None: ...

    async def announce_window(self, window: Window, state: str, line: Line) -> None: ...


class Transactions(Protocol):
    def __call__(self, caller: Caller) -> AbstractAsyncContextManager[Work]:
        """Begin a transaction that sees what the caller may see, and commit it at the end of the block."""
        ...


class Grading(Protocol):
    """Grading's side of a lock. Every call may be repeated; errors are those of services.chassis.errors."""

    async def grant(self, lease: Lease, place: Place) -> int:
        """Tell a lease; returns the highest version that grading holds."""
        ...

    async def seal(self, lock: Lock) -> Answer: ...

    async def reopen(self, unlock: Unlock) -> int:
        """Open the target until its time; returns the class version that is being corrected."""
        ...

    async def close(self, unlock: Unlock) -> int:
        """End a re-opening; returns how many marks were changed in it."""
        ...

    async def ready_pupils(self, class_id: UUID) -> frozenset[UUID]: ...


class Signing(Protocol):
    async def halt(self, unlock: Unlock) -> None:
        """Stop signing the unlock's class; nothing of it can be announced afterwards."""
        ...


class Witness(Protocol):
    """A second clock on another machine, asked before anything that can't be undone."""

    async def now(self) -> datetime | None:
        """The other clock's time, or None when it can't be asked."""
        ...
