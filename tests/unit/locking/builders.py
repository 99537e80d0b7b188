"""What the unit tests of locking build their cases from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from services.locking.domain.people import Party
from services.locking.domain.policy import Policy
from services.locking.domain.scope import Place
from services.locking.domain.terms import Term
from services.locking.domain.unlock import Request, Step, Target, Unlock, requested
from services.locking.domain.unlock_table import State, Verb

NOW = datetime(2026, 5, 25, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def an_id(name: str) -> UUID:
    """A UUID that is the same in every run."""
    return uuid5(UUID(int=0), name)


SCHOOL = an_id("school")
PLACE = Place(an_id("class"), SCHOOL, "2025-79", 7, 2025)
TEACHER = Party("account-teacher", "person-teacher", "subject_teacher", frozenset({SCHOOL}))
PRINCIPAL = Party("account-principal", "person-principal", "principal", frozenset({SCHOOL}))
OFFICER = Party("account-officer", "person-officer", "doet_officer")
TARGET = Target(PLACE, Term.TERM_2, "toan", (an_id("pupil"),))
REQUEST = Request(an_id("unlock"), TARGET, "Nhập nhầm điểm cuối kỳ của một học sinh.", "sha256:3f2a")


def an_unlock(state: State = State.REQUESTED, policy: Policy | None = None) -> Unlock:
    """An unlock in a state, with everything that its way there would have left behind."""
    unlock = requested(REQUEST, TEACHER, policy or Policy(), NOW - HOUR)
    if state == State.REQUESTED:
        return unlock
    unlock = replace(unlock, state=state, approver=PRINCIPAL, version=2)
    if state != State.CONFIRMED:
        unlock = replace(unlock, reported_at=NOW - HOUR)
    if state not in (State.CONFIRMED, State.REPORTED, State.ACKNOWLEDGED, State.OBJECTED):
        unlock = replace(unlock, until=NOW + HOUR)
    return unlock


def someone_allowed(unlock: Unlock, verb: Verb) -> Step:
    """A step by the right person at a moment when neither policy nor clock object."""
    parties = {
        Verb.CONFIRM: PRINCIPAL,
        Verb.REFUSE: PRINCIPAL,
        Verb.WITHDRAW: PRINCIPAL,
        Verb.CANCEL: TEACHER,
        Verb.FINISH: TEACHER,
        Verb.ACKNOWLEDGE: OFFICER,
        Verb.OBJECT: OFFICER,
    }
    now = NOW
    if verb == Verb.LAPSE:
        now = unlock.lapses_at
    if verb == Verb.EXPIRE and unlock.until is not None:
        now = unlock.until
    if verb == Verb.BEGIN_GRANT:
        now = unlock.lapses_at - HOUR
    return Step(verb, now, parties.get(verb))
