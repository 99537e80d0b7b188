"""
Locks: the decision that a class be closed for a period, and what grading answered.

A lock is stored as an intent before grading is asked, under an id that makes the question idempotent. It is recorded
as held only with grading's answer in hand, so locking never claims what grading does not enforce.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.locking.domain.scope import Place
from services.locking.domain.terms import Period


class Cause(enum.StrEnum):
    """Why a class is sealed."""

    CLOSING = "CLOSING"  # its window closed
    MANUAL = "MANUAL"  # the principal closed it early
    LATE = "LATE"  # pupils who could not be finished became ready
    RESEAL = "RESEAL"  # an unlock ended


class LockState(enum.StrEnum):
    INTENDED = "INTENDED"
    HELD = "HELD"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one pupil: a version and digest when sealed, else the reasons for waiting."""

    pupil_id: UUID
    version: int
    digest: bytes
    sealed: bool
    reasons: tuple[str, ...] = ()
    corrections: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What grading said when it sealed."""

    class_version: int
    digest: bytes
    outcomes: tuple[Outcome, ...] = ()

    @property
    def sealed(self) -> int:
        return sum(outcome.sealed for outcome in self.outcomes)

    @property
    def waiting(self) -> int:
        return len(self.outcomes) - self.sealed


@dataclass(frozen=True, slots=True)
class Lock:
    """One order to seal one class for one period."""

    lock_id: UUID
    place: Place
    period: Period
    cause: Cause
    intended_at: datetime
    unlock_id: UUID | None = None
    state: LockState = LockState.INTENDED
    answer: Answer | None = None
    held_at: datetime | None = None
    reason: str = ""


def held(lock: Lock, answer: Answer, now: datetime) -> Lock:
    """Record grading's answer; a second answer changes nothing, because the first is what was announced."""
    if lock.state == LockState.HELD:
        return lock
    return replace(lock, state=LockState.HELD, answer=answer, held_at=now)


def back_off(attempts: int) -> timedelta:
    """1, 2, 4 ... seconds, at most a minute: work that waits goes on within a minute of the other side's return."""
    return timedelta(seconds=min(2 ** min(attempts, 6), 60))


def ready_now(last: Answer, ready: frozenset[UUID]) -> frozenset[UUID]:
    """The pupils who waited at the last seal and could be sealed now: the reason for a late one."""
    return frozenset(outcome.pupil_id for outcome in last.outcomes if not outcome.sealed) & ready
