"""Thông tư 22/2021/TT-BGDĐT: every worked example, the full tables, and properties that no example can show."""

import itertools
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grading.domain.rulesets import rule_set_for, with_switches
from services.grading.domain.secondary import (
    Learning,
    YearFacts,
    base_learning,
    half_up,
    learning,
    must_retake,
    term_average,
    term_verdict,
    title,
    year_average,
    year_conduct,
    year_end,
)
from services.grading.domain.terms import Standard, YearEnd

RULES = rule_set_for(8, 2025)
FAIL, PASS, FAIR, GOOD = Standard.FAIL, Standard.PASS, Standard.FAIR, Standard.GOOD


def marks(text: str) -> list[Decimal]:
    """ "8.5*7 4.0" is seven times 8.5 and one 4.0."""
    out: list[Decimal] = []
    for part in text.split():
        mark, _, times = part.partition("*")
        out += [Decimal(mark)] * int(times or 1)
    return out


@pytest.mark.parametrize(
    ("regular", "midterm", "final", "expected"),
    [("8 9", "7", "8", "7.9"), ("7 8 8 9", "7.5", "6.8", "7.5"), ("6 7 8", "6", "6.5", "6.6")],
)
def test_term_average_of_the_worked_examples(regular: str, midterm: str, final: str, expected: str) -> None:
    assert term_average(marks(regular), Decimal(midterm), Decimal(final)) == Decimal(expected)


@pytest.mark.parametrize(("term_1", "term_2", "expected"), [("7.9", "8.5", "8.3"), ("6.4", "6.5", "6.5")])
def test_year_average_of_the_worked_examples(term_1: str, term_2: str, expected: str) -> None:
    assert year_average(Decimal(term_1), Decimal(term_2)) == Decimal(expected)


def test_exact_halves_round_up_unlike_python() -> None:
    assert half_up(Decimal("8.25")) == Decimal("8.3")
    assert round(8.25, 1) == 8.2


@pytest.mark.parametrize(("lessons", "expected"), [(35, 2), (36, 3), (52, 3), (70, 3), (71, 4), (105, 4), (140, 4)])
def test_regular_marks_follow_lessons(lessons: int, expected: int) -> None:
    assert RULES.secondary.regular_marks_of(lessons) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([True] * 4, True), ([True] * 3, False), ([True, True, True, False], False), ([], False)],
)
def test_comment_subject_passes_only_with_every_assessment(verdicts: list[bool], expected: bool) -> None:
    assert term_verdict(verdicts, required=4) is expected


@pytest.mark.parametrize(
    ("scored", "failed", "base", "final"),
    [
        ("8.5*7 4.0", 0, PASS, FAIR),
        ("8.5*7 3.0", 0, FAIL, PASS),
        ("7.0*7 3.0", 0, FAIL, PASS),
        ("8.5*7 6.0", 0, FAIR, FAIR),
        ("8.5*6 4.0*2", 0, PASS, PASS),
        ("8.5*8", 1, PASS, FAIR),
        ("8.5*5 7.0*2 4.0", 0, PASS, FAIR),
        ("8.0*6 6.5*2", 0, GOOD, GOOD),
        ("8.0*5 7.9*3", 0, FAIR, FAIR),
        ("8.0*6 6.4*2", 0, FAIR, FAIR),
        ("6.5*6 5.0*2", 0, FAIR, FAIR),
        ("6.5*6 4.9 5.0", 0, PASS, PASS),
        ("5.0*6 3.5*2", 0, PASS, PASS),
        ("5.0*6 3.4 3.5", 0, FAIL, FAIL),
        ("5.0*5 4.9*3", 0, FAIL, FAIL),
        ("5.0*8", 1, PASS, PASS),
        ("5.0*8", 2, FAIL, FAIL),
        ("8.5*8", 2, FAIL, FAIL),
    ],
)
def test_learning_by_the_bars(scored: str, failed: int, base: Standard, final: Standard) -> None:
    verdicts = [False] * failed + [True] * (4 - failed)
    assert base_learning(marks(scored), verdicts, RULES) is base
    assert learning(marks(scored), verdicts, RULES) == Learning(final, adjusted=final is not base)


def test_adjustment_can_leave_comment_subjects_out() -> None:
    strict = with_switches(RULES, {"adjustment_counts_comment_subjects": False})
    assert learning(marks("8.5*8"), [False, True, True, True], strict) == Learning(PASS)


def test_adjustment_by_removal_is_stricter_than_by_replacement() -> None:
    remove = with_switches(RULES, {"adjustment_reading": "remove"})
    tight = marks("8.5*5 7.0*2 4.0")
    assert learning(tight, [True] * 4, RULES) == Learning(FAIR, adjusted=True)
    assert learning(tight, [True] * 4, remove) == Learning(PASS)


def test_six_subjects_are_a_parameter() -> None:
    five = with_switches(RULES, {"strong_subjects_min": 5})
    assert learning(marks("8.5*5"), [], RULES).standard is FAIL
    assert learning(marks("8.5*5"), [], five).standard is GOOD


CONDUCT = {
    GOOD: {GOOD: GOOD, FAIR: GOOD, PASS: FAIR, FAIL: FAIR},
    FAIR: {GOOD: FAIR, FAIR: FAIR, PASS: FAIR, FAIL: PASS},
    PASS: {GOOD: FAIR, FAIR: PASS, PASS: PASS, FAIL: PASS},
    FAIL: {GOOD: FAIL, FAIR: FAIL, PASS: FAIL, FAIL: FAIL},
}


@pytest.mark.parametrize(("term_1", "term_2"), list(itertools.product(Standard, Standard)))
def test_year_conduct_is_the_whole_table(term_1: Standard, term_2: Standard) -> None:
    assert year_conduct(term_1, term_2) is CONDUCT[term_2][term_1]


def expected_end(conduct: Standard, learned: Standard, absences: int, c_after: Standard | None, l_after: Standard | None) -> YearEnd:
    """Articles 12 to 14 as a reader would say them, independent of the code under test."""
    if absences > 45 or (conduct is FAIL and learned is FAIL):
        return YearEnd.RETAINED
    if conduct is not FAIL and learned is not FAIL:
        return YearEnd.PROMOTED
    if conduct is FAIL:
        return YearEnd.NEEDS_SUMMER_TRAINING if c_after is None else (YearEnd.PROMOTED if c_after is not FAIL else YearEnd.RETAINED)
    return YearEnd.NEEDS_RETAKE if l_after is None else (YearEnd.PROMOTED if l_after is not FAIL else YearEnd.RETAINED)


def test_year_end_over_every_combination() -> None:
    later = (None, *Standard)
    for conduct, learned, absences, c_after, l_after in itertools.product(Standard, Standard, (0, 45, 46), later, later):
        facts = YearFacts(conduct, learned, absences, c_after, l_after)
        assert year_end(facts, RULES) is expected_end(conduct, learned, absences, c_after, l_after), facts


def test_absence_limit_is_a_switch() -> None:
    lenient = with_switches(RULES, {"absences_max": 60})
    assert year_end(YearFacts(GOOD, GOOD, 50), RULES) is YearEnd.RETAINED
    assert year_end(YearFacts(GOOD, GOOD, 50), lenient) is YearEnd.PROMOTED


@pytest.mark.parametrize(
    ("result", "expected"),
    [(Decimal("4.9"), True), (Decimal("5.0"), False), (False, True), (True, False)],
)
def test_retake_covers_failed_comment_and_marks_below_five(result: Decimal | bool, expected: bool) -> None:
    assert must_retake(result, RULES) is expected


@pytest.mark.parametrize(
    ("conduct", "learned", "scored", "expected"),
    [
        (GOOD, GOOD, "9.0*6 8.0*2", "Học sinh Xuất sắc"),
        (GOOD, GOOD, "9.0*5 8.9*3", "Học sinh Giỏi"),
        (FAIR, GOOD, "9.0*8", None),
        (GOOD, FAIR, "9.0*8", None),
    ],
)
def test_titles(conduct: Standard, learned: Standard, scored: str, expected: str | None) -> None:
    assert title(conduct, learned, marks(scored), RULES) == expected


mark = st.integers(0, 100).map(lambda tenths: Decimal(tenths) / 10)
several = st.lists(mark, min_size=6, max_size=10)
verdict_lists = st.lists(st.booleans(), min_size=0, max_size=5)


@settings(max_examples=50, deadline=None)
@given(st.lists(mark, min_size=1, max_size=4), mark, mark)
def test_term_average_stays_within_its_marks(regular: list[Decimal], midterm: Decimal, final: Decimal) -> None:
    average = term_average(regular, midterm, final)
    assert min(*regular, midterm, final) <= average <= max(*regular, midterm, final)
    assert average == average.quantize(Decimal("0.1"))


@settings(max_examples=50, deadline=None)
@given(st.lists(mark, min_size=2, max_size=4), mark, mark, st.randoms())
def test_term_average_ignores_the_order_of_regular_marks(regular: list[Decimal], midterm: Decimal, final: Decimal, dice: random.Random) -> None:
    shuffled = list(regular)
    dice.shuffle(shuffled)
    assert term_average(regular, midterm, final) == term_average(shuffled, midterm, final)


@settings(max_examples=60, deadline=None)
@given(several, verdict_lists, st.data())
def test_a_better_mark_never_lowers_the_result(scored: list[Decimal], verdicts: list[bool], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(scored) - 1))
    better = list(scored)
    better[index] = data.draw(st.integers(int(scored[index] * 10), 100).map(lambda tenths: Decimal(tenths) / 10))
    assert base_learning(better, verdicts, RULES) >= base_learning(scored, verdicts, RULES)
    assert learning(better, verdicts, RULES).standard >= learning(scored, verdicts, RULES).standard


@settings(max_examples=60, deadline=None)
@given(several, verdict_lists, st.randoms())
def test_learning_ignores_the_order_of_subjects(scored: list[Decimal], verdicts: list[bool], dice: random.Random) -> None:
    other_marks, other_verdicts = list(scored), list(verdicts)
    dice.shuffle(other_marks)
    dice.shuffle(other_verdicts)
    assert learning(scored, verdicts, RULES) == learning(other_marks, other_verdicts, RULES)


@settings(max_examples=60, deadline=None)
@given(several, verdict_lists)
def test_adjustment_gives_one_step_at_most(scored: list[Decimal], verdicts: list[bool]) -> None:
    base, adjusted = base_learning(scored, verdicts, RULES), learning(scored, verdicts, RULES)
    assert adjusted.standard - base == int(adjusted.adjusted)
    assert not adjusted.adjusted or base <= PASS


@settings(max_examples=50, deadline=None)
@given(mark, mark)
def test_year_average_lies_between_the_terms_and_leans_to_the_second(term_1: Decimal, term_2: Decimal) -> None:
    year = year_average(term_1, term_2)
    assert min(term_1, term_2) <= year <= max(term_1, term_2)
    assert abs(year - term_2) <= abs(year - term_1) + Decimal("0.1")
