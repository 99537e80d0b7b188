"""Thông tư 27/2020/TT-BGDĐT: worked examples, the whole table of results, titles, properties."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grading.domain.primary import EXEMPLARY, YearEndState, class_completed, title, year_result
from services.grading.domain.rulesets import rule_set_for
from services.grading.domain.terms import Completion, PrimaryResult, Trait

RULES = rule_set_for(4, 2025)
T, H, C = Completion.WELL, Completion.COMPLETE, Completion.INCOMPLETE
WELL_MARKED = (9, 10, 9, 9, 9, 9, 9)


def state(levels: str = "TTTTTTTTTTT", traits: str = "T" * 15, marks: tuple[int, ...] = WELL_MARKED) -> YearEndState:
    level = {"T": T, "H": H, "C": C}
    trait = {"T": Trait.GOOD, "D": Trait.PASS, "C": Trait.NEEDS_EFFORT}
    return YearEndState([level[x] for x in levels], [trait[x] for x in traits], marks)


@pytest.mark.parametrize(
    ("given_state", "expected"),
    [
        (state(), PrimaryResult.EXCELLENT),
        (state(marks=(8, *WELL_MARKED[1:])), PrimaryResult.WELL),
        (state(marks=(6, *WELL_MARKED[1:])), PrimaryResult.COMPLETE),
        (state(traits="T" * 14 + "D"), PrimaryResult.COMPLETE),
        (state(levels="TTTTTTTTTTC", marks=(5,) * 7), PrimaryResult.INCOMPLETE),
        (state(marks=(4, *WELL_MARKED[1:])), PrimaryResult.INCOMPLETE),
        (state(marks=()), PrimaryResult.EXCELLENT),
    ],
)
def test_year_result_of_the_worked_examples(given_state: YearEndState, expected: PrimaryResult) -> None:
    assert year_result(given_state, RULES) is expected


def test_year_result_over_every_combination() -> None:
    for level, trait, mark in itertools.product("THC", "TDC", range(11)):
        got = year_result(state("T" * 10 + level, "T" * 14 + trait, (10, mark)), RULES)
        if level == "C" or trait == "C" or mark < 5:
            assert got is PrimaryResult.INCOMPLETE
        elif level == "T" and trait == "T" and mark >= 7:
            assert got is (PrimaryResult.EXCELLENT if mark >= 9 else PrimaryResult.WELL)
        else:
            assert got is PrimaryResult.COMPLETE


@pytest.mark.parametrize(("result", "expected"), [(r, r is not PrimaryResult.INCOMPLETE) for r in PrimaryResult])
def test_class_is_completed_by_every_result_but_the_last(result: PrimaryResult, expected: bool) -> None:
    assert class_completed(result) is expected


@pytest.mark.parametrize("recognised", [True, False])
@pytest.mark.parametrize("result", list(PrimaryResult))
def test_titles_need_recognition_below_excellent(result: PrimaryResult, recognised: bool) -> None:
    expected = None
    if result is PrimaryResult.EXCELLENT:
        expected = "Học sinh Xuất sắc"
    elif result is PrimaryResult.WELL and recognised:
        expected = EXEMPLARY
    assert title(result, recognised_as_exemplary=recognised) == expected


states = st.builds(
    YearEndState,
    st.lists(st.sampled_from(Completion), min_size=1, max_size=12),
    st.lists(st.sampled_from(Trait), min_size=1, max_size=15),
    st.lists(st.integers(0, 10), max_size=7),
)


@settings(max_examples=60, deadline=None)
@given(states, st.randoms())
def test_order_of_subjects_does_not_matter(given_state: YearEndState, dice: random.Random) -> None:
    levels, traits, marks = list(given_state.levels), list(given_state.traits), list(given_state.marks)
    for items in (levels, traits, marks):
        dice.shuffle(items)
    assert year_result(YearEndState(levels, traits, marks), RULES) is year_result(given_state, RULES)


@settings(max_examples=60, deadline=None)
@given(states, st.data())
def test_a_better_cell_never_lowers_the_result(given_state: YearEndState, data: st.DataObject) -> None:
    levels = [data.draw(st.sampled_from([x for x in Completion if x >= level])) for level in given_state.levels]
    traits = [data.draw(st.sampled_from([x for x in Trait if x >= trait])) for trait in given_state.traits]
    marks = [data.draw(st.integers(mark, 10)) for mark in given_state.marks]
    assert year_result(YearEndState(levels, traits, marks), RULES) >= year_result(given_state, RULES)
