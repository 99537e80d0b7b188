"""Who, when and under which policy: the questions that come after the table has said yes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.locking.domain.people import Party
from services.locking.domain.policy import Policy, Wait
from services.locking.domain.refusals import Invalid, Refusal, Refused
from services.locking.domain.unlock import Step, Target, Unlock, due_at, next_by_clock, requested, stepped
from services.locking.domain.unlock_table import FINAL, State, Verb
from tests.unit.locking.builders import (
    HOUR,
    NOW,
    OFFICER,
    PLACE,
    PRINCIPAL,
    REQUEST,
    TARGET,
    TEACHER,
    an_id,
    an_unlock,
)


def refusal_of(unlock: Unlock, step: Step) -> Refusal:
    with pytest.raises(Refused) as refused:
        stepped(unlock, step)
    return refused.value.refusal


def test_requester_cannot_confirm() -> None:
    own = replace(TEACHER, role="principal")
    assert refusal_of(an_unlock(), Step(Verb.CONFIRM, NOW, own)) == Refusal.REQUESTER_CANNOT_CONFIRM


def test_second_account_of_the_requester_cannot_confirm() -> None:
    twin = Party("account-other", TEACHER.person_id, "principal")
    assert refusal_of(an_unlock(), Step(Verb.CONFIRM, NOW, twin)) == Refusal.SAME_PERSON_OTHER_ACCOUNT


def test_vice_principal_confirms_only_where_policy_says_so() -> None:
    deputy = replace(PRINCIPAL, role="vice_principal")
    assert refusal_of(an_unlock(), Step(Verb.CONFIRM, NOW, deputy)) == Refusal.ROLE_MAY_NOT_CONFIRM
    policy = Policy(confirming_roles=("principal", "vice_principal"))
    assert stepped(an_unlock(policy=policy), Step(Verb.CONFIRM, NOW, deputy)).approver == deputy


def test_confirmation_after_its_deadline_is_refused() -> None:
    unlock = an_unlock()
    assert refusal_of(unlock, Step(Verb.CONFIRM, unlock.confirm_by, PRINCIPAL)) == Refusal.CONFIRM_DEADLINE_PASSED
    assert stepped(unlock, Step(Verb.CONFIRM, unlock.confirm_by - HOUR, PRINCIPAL)).state == State.CONFIRMED


@pytest.mark.parametrize("verb", [Verb.ACKNOWLEDGE, Verb.OBJECT])
def test_officer_must_be_a_third_person_from_outside_the_school(verb: Verb) -> None:
    reported = an_unlock(State.REPORTED)
    for person in (TEACHER.person_id, PRINCIPAL.person_id):
        other_account = Party("account-officer", person, "doet_officer")
        assert refusal_of(reported, Step(verb, NOW, other_account)) == Refusal.SAME_PERSON_OTHER_ACCOUNT
    insider = replace(OFFICER, serves_at=frozenset({PLACE.school_id}))
    assert refusal_of(reported, Step(verb, NOW, insider)) == Refusal.OFFICER_SERVES_AT_SCHOOL
    assert stepped(reported, Step(verb, NOW, OFFICER)).officer == OFFICER


@pytest.mark.parametrize(("state", "verb"), [(State.REQUESTED, Verb.CANCEL), (State.GRANTED, Verb.FINISH)])
def test_only_the_requester_cancels_and_finishes(state: State, verb: Verb) -> None:
    assert refusal_of(an_unlock(state), Step(verb, NOW, PRINCIPAL)) == Refusal.NOT_THE_REQUESTER


def test_finishing_after_the_time_is_refused() -> None:
    granted = an_unlock(State.GRANTED)
    assert granted.until is not None
    assert refusal_of(granted, Step(Verb.FINISH, granted.until, TEACHER)) == Refusal.TIME_IS_OVER


def test_expiry_before_the_time_is_refused() -> None:
    assert refusal_of(an_unlock(State.GRANTED), Step(Verb.EXPIRE, NOW)) == Refusal.NOT_YET
    assert refusal_of(an_unlock(State.REQUESTED), Step(Verb.LAPSE, NOW)) == Refusal.NOT_YET


def test_objection_stops_the_grant_where_policy_says_so() -> None:
    objected = an_unlock(State.OBJECTED)
    assert refusal_of(objected, Step(Verb.BEGIN_GRANT, NOW)) == Refusal.OBJECTION_STANDS
    assert next_by_clock(objected, NOW) is None
    granted = an_unlock(State.GRANTED, Policy(objection_stops=False))
    assert refusal_of(granted, Step(Verb.OBJECT, NOW, OFFICER)) == Refusal.OBJECTION_TOO_LATE


def test_grant_waits_as_policy_says() -> None:
    for wait, hours, expected in (
        (Wait.NEVER, 1, State.GRANTING),
        (Wait.FOR_A_TIME, 1, State.GRANTING),
        (Wait.FOR_A_TIME, 2, None),
        (Wait.UNTIL_ACKNOWLEDGED, 1, None),
    ):
        reported = an_unlock(State.REPORTED, Policy(wait=wait, wait_hours=hours))
        if expected is None:
            assert refusal_of(reported, Step(Verb.BEGIN_GRANT, NOW)) == Refusal.AWAITS_ACKNOWLEDGEMENT
            assert next_by_clock(reported, NOW) is None
        else:
            assert stepped(reported, Step(Verb.BEGIN_GRANT, NOW)).state == expected
            assert next_by_clock(reported, NOW) == Verb.BEGIN_GRANT
        acknowledged = replace(reported, state=State.ACKNOWLEDGED)
        assert next_by_clock(acknowledged, NOW) == Verb.BEGIN_GRANT


def test_time_is_fixed_when_the_grant_begins_and_bounded_by_policy() -> None:
    policy = Policy(open_for_hours=2)
    for asked, given_ in ((timedelta(0), 2 * HOUR), (HOUR, HOUR), (9 * HOUR, 2 * HOUR)):
        unlock = requested(replace(REQUEST, open_for=asked), TEACHER, policy, NOW)
        acknowledged = replace(unlock, state=State.ACKNOWLEDGED, approver=PRINCIPAL, reported_at=NOW)
        assert stepped(acknowledged, Step(Verb.BEGIN_GRANT, NOW)).until == NOW + given_


def test_report_by_hand_leaves_the_report_to_a_person() -> None:
    assert next_by_clock(an_unlock(State.CONFIRMED), NOW) == Verb.REPORT
    assert next_by_clock(an_unlock(State.CONFIRMED, Policy(report_by_hand=True)), NOW) is None
    by_hand = stepped(an_unlock(State.CONFIRMED), Step(Verb.REPORT, NOW, PRINCIPAL, report_number="12/BC"))
    assert (by_hand.report_number, by_hand.reported_at) == ("12/BC", NOW)


def test_request_must_be_reasoned_proven_and_narrow() -> None:
    many = Target(PLACE, TARGET.term, "toan", tuple(an_id(f"pupil {n}") for n in range(6)))
    with pytest.raises(Refused) as refused:
        requested(replace(REQUEST, target=many), TEACHER, Policy(max_pupils=5), NOW)
    assert refused.value.refusal == Refusal.SCOPE_TOO_WIDE
    for change in ({"reason": "  sai   "}, {"evidence": " "}, {"open_for": -HOUR}):
        with pytest.raises(Invalid):
            requested(replace(REQUEST, **change), TEACHER, Policy(), NOW)
    for pupils in ((), (an_id("pupil"), an_id("pupil"))):
        with pytest.raises(Invalid):
            replace(TARGET, pupils=pupils)


policies = st.builds(
    Policy,
    wait=st.sampled_from(Wait),
    wait_hours=st.integers(1, 300),
    objection_stops=st.booleans(),
    report_by_hand=st.booleans(),
    confirm_within_hours=st.integers(1, 300),
    lapse_after_hours=st.integers(1, 300),
    open_for_hours=st.integers(1, 300),
)


@settings(max_examples=300, deadline=None)
@given(policy=policies, state=st.sampled_from(State), hours=st.integers(-10, 1000))
@example(policy=Policy(), state=State.CONFIRMED, hours=-2)
def test_the_clock_never_asks_for_a_step_that_is_refused(policy: Policy, state: State, hours: int) -> None:
    unlock = an_unlock(state, policy)
    now = NOW + hours * HOUR
    verb = next_by_clock(unlock, now)
    if verb is not None:
        stepped(unlock, Step(verb, now))
        due = due_at(unlock)
        assert due is not None
        assert due <= now, "what is due would not be found by its stored time"


@settings(max_examples=200, deadline=None)
@given(policy=policies, answers=st.lists(st.sampled_from([Verb.ACKNOWLEDGE, Verb.OBJECT]), max_size=2))
def test_every_unlock_ends_by_the_clock_alone(policy: Policy, answers: list[Verb]) -> None:
    unlock = stepped(requested(REQUEST, TEACHER, policy, NOW), Step(Verb.CONFIRM, NOW, PRINCIPAL))
    now = NOW
    for _ in range(20):
        verb = next_by_clock(unlock, now)
        if verb is not None:
            unlock = stepped(unlock, Step(verb, now))
        elif unlock.state in (State.REPORTED, State.ACKNOWLEDGED) and answers:
            try:
                unlock = stepped(unlock, Step(answers.pop(), now, OFFICER))
            except Refused:
                continue
        elif (due := due_at(unlock)) is not None:
            assert due >= now
            now = due
        else:
            break
    assert unlock.state in (State.EXPIRED, *FINAL), "nobody acts, so it must expire or lapse"
