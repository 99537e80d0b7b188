"""What locking announces and consumes, field by field: producers must make these examples, consumers must take them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from hocba.enrollment.v1 import events_pb2 as enrollment_pb
from hocba.grading.v1 import grading_pb2
from hocba.locking.v1 import events_pb2
from services.chassis import errors
from services.locking import contracts
from services.locking.domain import refusals
from services.locking.domain.audit import GENESIS, Head, next_line
from services.locking.domain.lease import Lease
from services.locking.domain.lock import Answer, Cause, Lock, LockState, Outcome
from services.locking.domain.people import Party
from services.locking.domain.policy import Policy
from services.locking.domain.scope import Area, Place, Scope
from services.locking.domain.terms import Period, Term
from services.locking.domain.unlock import ReasonCode, Target, Unlock
from services.locking.domain.unlock_table import State
from services.locking.domain.window import Span, Window

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"
AT = datetime(2026, 5, 25, 10, 0, tzinfo=UTC)
CLASS, SCHOOL, PUPIL, LOCK, UNLOCK, WINDOW = (UUID(int=number) for number in range(1, 7))
PLACE = Place(CLASS, SCHOOL, "2025-79", 7, 2025)
LINE = next_line(Head(f"school:{SCHOOL}", 41, GENESIS), AT, "example", {})
ANSWER = Answer(2, bytes(range(32)), (Outcome(PUPIL, 2, bytes(32), True), Outcome(LOCK, 0, b"", False, ("missing_marks",))))
HELD = Lock(LOCK, PLACE, Period.YEAR, Cause.RESEAL, AT, UNLOCK, LockState.HELD, ANSWER, AT)
GRANTED = Unlock(
    UNLOCK,
    Target(PLACE, Term.TERM_2, "toan", (PUPIL,)),
    Party("account-1", "person-1", "subject_teacher"),
    "Nhập nhầm điểm cuối kỳ.",
    "12/BB",
    AT,
    Policy(),
    State.GRANTED,
    version=6,
    until=AT + timedelta(hours=2),
    reason_code=ReasonCode.WRONG_ENTRY,
)
OPEN_WINDOW = Window(WINDOW, 3, Scope(Area.SCHOOL, "2025-79", SCHOOL, grade=9), 2025, Term.TERM_2, Span(AT, AT + timedelta(days=3)), seals_year=True)

PRODUCED: dict[str, Message] = {
    "ClassLocked/unlock": contracts.lock_event(HELD, LINE),
    "ClassLocked/first_term": contracts.lock_event(replace(HELD, period=Period.TERM_1, cause=Cause.CLOSING, unlock_id=None, answer=Answer(1, bytes(32))), LINE),
    "UnlockMoved/granted": contracts.unlock_event(GRANTED, "service:locking", LINE, AT),
    "UnlockMoved/sealed": contracts.unlock_event(replace(GRANTED, state=State.RESEALED, version=8), "service:locking", LINE, AT),
    "WindowMoved/open": contracts.window_event(OPEN_WINDOW, "open", LINE),
}


@pytest.mark.parametrize("name", PRODUCED)
def test_produced_event_is_the_committed_example(name: str) -> None:
    event = PRODUCED[name]
    told = json.loads((EXAMPLES / f"{name}.json").read_text())
    assert MessageToDict(event, preserving_proto_field_name=True) == told
    assert ParseDict(told, type(event)()) == event


def test_examples_leave_no_field_of_an_event_unset() -> None:
    for kind in (events_pb2.ClassLocked, events_pb2.UnlockMoved, events_pb2.WindowMoved):
        said = {field.name for event in PRODUCED.values() if isinstance(event, kind) for field, _ in event.ListFields()}
        # One window can't be for a class and for a grade at once.
        exceptions = {"class_id"} if kind is events_pb2.WindowMoved else set()
        assert {field.name for field in kind.DESCRIPTOR.fields} - said == exceptions


def test_every_state_and_cause_has_a_word_on_the_wire() -> None:
    assert set(contracts.STATES) == set(State)
    assert len(set(contracts.STATES.values())) == len(State)
    assert set(contracts.CAUSES) == set(Cause)


def test_roster_events_are_taken() -> None:
    text = str(SCHOOL)
    assert contracts.school_row(enrollment_pb.SchoolRegistered(school_id=text, version=2, province_id="2025-79")) == (SCHOOL, 2, "2025-79")
    formed = enrollment_pb.ClassFormed(school_id=text, class_id=str(CLASS), version=1, school_year=2025, grade=7, homeroom_staff_id="s1", province_id="2025-79")
    assert contracts.class_row(formed) == (PLACE, 1, "s1")
    appointed = enrollment_pb.StaffAppointed(school_id=text, staff_id="s1", version=4, person_id="p1")
    appointed.appointments.add(role="principal")
    assert contracts.staff_row(appointed) == (SCHOOL, "s1", 4, "p1", ("principal",))
    assigned = enrollment_pb.TeachingAssigned(school_id=text, class_id=str(CLASS), version=1)
    assigned.assignments.add(subject="toan", staff_id="s1", responsible=True)
    assert contracts.teaching_row(assigned) == (CLASS, SCHOOL, 1, (("toan", "s1"),))
    with pytest.raises(refusals.Invalid):
        contracts.school_row(enrollment_pb.SchoolRegistered(school_id="7"))


def test_lease_goes_to_grading_as_a_window_of_one_class() -> None:
    sent = contracts.grant_message(WINDOW, Lease(CLASS, Term.TERM_2, 5, OPEN_WINDOW.span), PLACE)
    assert (sent.version, sent.scope.class_id, sent.school_year, sent.withdrawn) == (5, str(CLASS), 2025, False)
    assert sent.closes_at.ToDatetime(UTC) == OPEN_WINDOW.span.closes_at
    emptied = contracts.grant_message(WINDOW, Lease(CLASS, Term.TERM_2, 6, None), PLACE)
    assert emptied.withdrawn
    assert emptied.opens_at.ToDatetime(UTC) < emptied.closes_at.ToDatetime(UTC) < AT


def test_opening_carries_id_and_reason_to_grading() -> None:
    sent = contracts.reopen_message(GRANTED)
    assert isinstance(sent, grading_pb2.ReopenScopeRequest)
    assert (sent.unlock_id, sent.reason, sent.subject, list(sent.pupil_ids)) == (str(UNLOCK), GRANTED.reason, "toan", [str(PUPIL)])


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (refusals.Refused(refusals.Refusal.NOT_LOCKED), errors.Refused, "not_locked"),
        (refusals.Denied(refusals.Refusal.ROLE_MISSING), errors.Denied, "role_missing"),
        (refusals.Invalid("term", "x"), errors.Malformed, "term"),
        (refusals.Unknown("unlock 7"), errors.NotFound, "not_found"),
        (refusals.Superseded("window 7"), errors.Conflict, "superseded"),
    ],
)
def test_refusals_keep_code_and_sentence_on_the_wire(raised: Exception, kind: type[errors.ServiceError], code: str) -> None:
    with pytest.raises(kind) as spoken, contracts.refusals_spoken():
        raise raised
    assert spoken.value.code == code
    assert str(raised) in spoken.value.message
