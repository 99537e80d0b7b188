"""Every state meets every verb; each cell is asserted, both what is allowed and what is refused and why."""

from __future__ import annotations

import itertools

import pytest

from services.locking.domain.policy import Policy
from services.locking.domain.refusals import Refusal, Refused
from services.locking.domain.unlock import Step, stepped
from services.locking.domain.unlock_table import FINAL, HOLDS_CLASS, TABLE, State, Verb
from tests.unit.locking.builders import NOW, an_unlock, someone_allowed

# Written down a second time and in another form on purpose: rows are states, columns the verbs in the order below.
# A word in capitals is the next state, anything else is the code of the refusal.
VERBS = "confirm refuse withdraw cancel finish report acknowledge object begin_grant opened abort expire lapse resealed"
EXPECTED = {
    "REQUESTED": "CONFIRMED REFUSED not_granted CANCELLED not_granted not_confirmed not_confirmed not_confirmed"
    " not_confirmed not_granted not_granted not_granted LAPSED not_granted",
    "CONFIRMED": "already_confirmed REFUSED not_granted CANCELLED not_granted REPORTED not_reported not_reported"
    " not_reported not_granted not_granted not_granted LAPSED not_granted",
    "REPORTED": "already_confirmed REFUSED not_granted CANCELLED not_granted already_reported ACKNOWLEDGED OBJECTED"
    " GRANTING not_granted not_granted not_granted LAPSED not_granted",
    "ACKNOWLEDGED": "already_confirmed REFUSED not_granted CANCELLED not_granted already_reported already_acknowledged"
    " OBJECTED GRANTING not_granted not_granted not_granted LAPSED not_granted",
    "OBJECTED": "already_confirmed REFUSED not_granted CANCELLED not_granted already_reported ACKNOWLEDGED"
    " already_objected GRANTING not_granted not_granted not_granted LAPSED not_granted",
    "GRANTING": "already_confirmed grant_under_way grant_under_way grant_under_way grant_under_way grant_under_way"
    " grant_under_way grant_under_way grant_under_way GRANTED WITHDRAWN EXPIRED grant_under_way grant_under_way",
    "GRANTED": "already_confirmed already_open WITHDRAWN already_open CORRECTED already_open already_open WITHDRAWN"
    " already_open already_open already_open EXPIRED already_open already_open",
    "CORRECTED": "already_over " * 13 + "RESEALED",
    "EXPIRED": "already_over " * 4 + "time_is_over " + "already_over " * 8 + "RESEALED",
    "WITHDRAWN": "already_over " * 13 + "RESEALED",
    "RESEALED": "is_resealed " * 14,
    "REFUSED": "is_refused " * 14,
    "CANCELLED": "is_cancelled " * 14,
    "LAPSED": "is_lapsed " * 14,
}
CELLS = list(itertools.product(State, Verb))


def test_table_has_an_entry_for_every_state_and_verb() -> None:
    assert set(TABLE) == set(State) == {State(name) for name in EXPECTED}
    assert [verb.value for verb in Verb if verb.value not in VERBS.split()] == []
    for state in State:
        assert set(TABLE[state]) == set(Verb)
        assert all(isinstance(cell, State | Refusal) for cell in TABLE[state].values())
        assert len(EXPECTED[state].split()) == len(VERBS.split()) == len(Verb)


@pytest.mark.parametrize(("state", "verb"), CELLS, ids=[f"{state}-{verb}" for state, verb in CELLS])
def test_every_cell_moves_or_refuses_as_written(state: State, verb: Verb) -> None:
    # Only an objection that does not stop lets a grant begin; that it stops otherwise is a test of its own.
    unlock = an_unlock(state, Policy(objection_stops=state != State.OBJECTED))
    expected = EXPECTED[state].split()[VERBS.split().index(verb)]
    step = someone_allowed(unlock, verb)
    if expected.isupper():
        after = stepped(unlock, step)
        assert (after.state, after.version) == (State(expected), unlock.version + 1)
    else:
        with pytest.raises(Refused) as refused:
            stepped(unlock, step)
        assert refused.value.refusal.code == expected


def test_final_states_have_no_way_out() -> None:
    for state in FINAL:
        assert all(isinstance(cell, Refusal) for cell in TABLE[state].values())


def test_every_state_that_opened_the_class_leads_to_a_reseal_only() -> None:
    reached = set(HOLDS_CLASS)
    while True:
        further = {cell for state in reached for cell in TABLE[state].values() if isinstance(cell, State)} | reached
        if further == reached:
            break
        reached = further
    assert reached == {*HOLDS_CLASS, State.RESEALED}


def test_refusal_codes_are_unique_and_say_something() -> None:
    codes = [refusal.code for refusal in Refusal]
    assert len(codes) == len(set(codes)) == len(list(Refusal.__members__))
    assert all(len(refusal.sentence) > 5 for refusal in Refusal)


def test_a_verb_without_a_party_is_not_let_through_as_a_person() -> None:
    with pytest.raises(Refused) as refused:
        stepped(an_unlock(State.REQUESTED), Step(Verb.CONFIRM, NOW))
    assert refused.value.refusal == Refusal.REQUESTER_CANNOT_CONFIRM
