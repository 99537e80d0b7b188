"""Policies as data, and the small rules of locks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.locking.domain.lock import Answer, Cause, Lock, LockState, Outcome, back_off, held, ready_now
from services.locking.domain.people import Caller
from services.locking.domain.policy import Policy, Wait, policy_from_data, policy_to_data
from services.locking.domain.refusals import Invalid
from services.locking.domain.terms import Period
from tests.unit.locking.builders import HOUR, NOW, PLACE, an_id


@given(
    st.builds(
        Policy,
        province_id=st.just("2025-79"),
        version=st.integers(1, 9),
        wait=st.sampled_from(Wait),
        max_pupils=st.integers(1, 100),
        objection_stops=st.booleans(),
        confirming_roles=st.sampled_from([("principal",), ("principal", "vice_principal")]),
    )
)
def test_policy_reads_back_what_it_wrote(policy: Policy) -> None:
    assert policy_from_data(policy.province_id, policy.version, policy_to_data(policy)) == policy


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"max_pupil": 3}, "policy.max_pupil"),
        ({"max_pupils": True}, "policy.max_pupils"),
        ({"max_pupils": 0}, "policy.max_pupils"),
        ({"wait": "SOMETIMES"}, "policy.wait"),
        ({"wait_hours": 0}, "policy.wait_hours"),
        ({"confirming_roles": "principal"}, "policy.confirming_roles"),
        ({"confirming_roles": ["doet_officer"]}, "policy.confirming_roles"),
        ({"confirming_roles": []}, "policy.confirming_roles"),
    ],
)
def test_policy_faults_name_the_switch(data: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as invalid:
        policy_from_data("2025-79", 1, data)
    assert invalid.value.field == field


def test_first_answer_of_grading_stays() -> None:
    lock = Lock(an_id("lock"), PLACE, Period.YEAR, Cause.CLOSING, NOW)
    first = held(lock, Answer(1, b"1"), NOW)
    assert (first.state, first.answer, first.held_at) == (LockState.HELD, Answer(1, b"1"), NOW)
    assert held(first, Answer(2, b"2"), NOW + HOUR) == first


def test_back_off_grows_to_a_minute() -> None:
    assert [back_off(n).total_seconds() for n in (0, 1, 5, 6, 500)] == [1, 2, 32, 60, 60]


def test_only_pupils_who_waited_are_a_reason_for_a_late_seal() -> None:
    one, two, three = (an_id(name) for name in "123")
    answer = Answer(1, b"", (Outcome(one, 1, b"x", True), Outcome(two, 0, b"", False, ("missing_marks",))))
    assert (answer.sealed, answer.waiting) == (1, 1)
    assert ready_now(answer, frozenset({one, three})) == frozenset()
    assert ready_now(answer, frozenset({one, two})) == {two}


def test_caller_holds_roles_only_in_their_scope() -> None:
    caller = Caller("a", "p", frozenset({("principal", "school:1"), ("doet_officer", "province:2025-79")}))
    assert caller.role_in("school:1", "vice_principal", "principal") == "principal"
    assert caller.role_in("school:2", "principal") is None
    assert caller.scopes_of("province") == {"2025-79"}
