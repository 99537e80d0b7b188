"""From cells to a year: averages, exemptions, retakes, supplementary assessment, readiness and its reasons."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.grading.domain.completion import check_completion, decision_due, obstacles
from services.grading.domain.errors import NotAllowed
from services.grading.domain.pupil_year import PupilYear, SubjectChoice, gaps
from services.grading.domain.readiness import reasons_to_wait
from services.grading.domain.results import primary_year, secondary_year
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import PrimaryResult, Standard, Term, YearEnd
from tests.unit.grading.years import a_year, decided, with_average, with_cells

T1, T2, SUMMER = Term.TERM_1, Term.TERM_2, Term.SUMMER


def conduct(year: PupilYear, term_1: str, term_2: str) -> PupilYear:
    return with_cells(with_cells(year, HOMEROOM, T1, conduct=term_1), HOMEROOM, T2, conduct=term_2)


def failing(grade: int = 8) -> PupilYear:
    """Two subjects at 3.0, so that article 9.3 can't help."""
    return with_average(with_average(a_year(grade), "toan", "3.0"), "ngu_van", "3.0")


@pytest.mark.parametrize("grade", [*range(1, 13)])
def test_a_full_year_is_ready_unless_completion_is_undecided(grade: int) -> None:
    expected = ["completion_undecided"] if grade in (5, 9) else []
    assert reasons_to_wait(a_year(grade)) == expected
    assert reasons_to_wait(decided(a_year(grade), "completion", "completed")) == []


def test_missing_and_zero_are_different_things() -> None:
    empty = with_cells(a_year(8), "toan", T1, ck="")
    zero = with_cells(a_year(8), "toan", T1, ck="0.0")
    assert secondary_year(empty).learning[2] is None
    assert reasons_to_wait(empty) == ["missing_marks"]
    assert reasons_to_wait(zero) == []
    toan = next(s for s in secondary_year(zero).subjects if s.subject.code == "toan")
    assert toan.term_1 == Decimal("5.7")  # (4 x 8.5 + 17 + 0) / 9 = 5.666…


def test_excused_test_waits_for_its_make_up() -> None:
    year = with_cells(a_year(8), "toan", T1, tx2="V")
    assert reasons_to_wait(year) == ["make_up_due"]
    assert [(g.subject, g.column, g.make_up_due) for g in gaps(year)] == [("toan", "tx2", True)]


@pytest.mark.parametrize(
    ("column", "reason"),
    [("conduct", "missing_conduct"), ("absences_excused", "missing_absences"), ("comment", "missing_comments")],
)
def test_homeroom_gaps_are_named(column: str, reason: str) -> None:
    assert reasons_to_wait(with_cells(a_year(8), HOMEROOM, T2, **{column: ""})) == [reason]


def test_primary_traits_are_asked_for() -> None:
    assert reasons_to_wait(with_cells(a_year(3), HOMEROOM, T2, quality_nhan_ai="")) == ["missing_traits"]


def test_no_personal_number_waits_only_where_policy_asks() -> None:
    assert reasons_to_wait(a_year(8, has_personal_number=False)) == ["no_personal_number"]
    assert reasons_to_wait(a_year(8, has_personal_number=False, switches={"personal_number_required": False})) == []
    assert reasons_to_wait(replace(failing(), has_personal_number=False)) == ["no_personal_number", "retake_in_summer"]
    assert reasons_to_wait(a_year(8, transfer_under_way=True)) == ["transfer_under_way"]


def test_electives_must_be_chosen() -> None:
    fewer = SubjectChoice(electives=frozenset({"dia_li", "vat_li", "am_nhac"}))
    assert "electives_not_chosen" in reasons_to_wait(a_year(10, choice=fewer))


def test_comment_subject_of_the_year_is_the_second_terms() -> None:
    first = secondary_year(with_cells(a_year(8), "gdtc", T1, nx_ck="CD"))
    second = secondary_year(with_cells(a_year(8), "gdtc", T2, nx_ck="CD"))
    assert [(s.term_1, s.term_2, s.year) for s in first.subjects if s.subject.code == "gdtc"] == [(False, True, True)]
    assert [(s.term_1, s.term_2, s.year) for s in second.subjects if s.subject.code == "gdtc"] == [(True, False, False)]


@pytest.mark.parametrize("exempt_term", [T1, T2])
def test_exemption_in_one_term_leaves_the_other_for_the_year(exempt_term: Term) -> None:
    year = with_cells(a_year(8), "toan", T1, ck="5.0")
    choice = SubjectChoice(exemptions={"toan": frozenset({exempt_term})})
    toan = next(s for s in secondary_year(replace(year, choice=choice)).subjects if s.subject.code == "toan")
    assert toan.year == (toan.term_1 if exempt_term is T2 else toan.term_2)
    assert reasons_to_wait(replace(year, choice=choice)) == []


def test_exemption_for_the_year_leaves_the_subject_out() -> None:
    choice = SubjectChoice(exemptions={"gdtc": frozenset({T1, T2})})
    year = with_cells(with_cells(a_year(8, choice=choice), "gdtc", T1, nx1=""), "gdtc", T2, nx1="")
    assert "gdtc" not in {s.subject.code for s in secondary_year(year).subjects}
    assert reasons_to_wait(year) == []


def test_retake_replaces_the_result_and_promotes() -> None:
    year = failing()
    assert secondary_year(year).end is YearEnd.NEEDS_RETAKE
    assert reasons_to_wait(year) == ["retake_in_summer"]
    one = with_cells(year, "toan", SUMMER, retake="6.0")
    assert secondary_year(one).retakes_open == ("ngu_van",)
    both = with_cells(one, "ngu_van", SUMMER, retake="5.0")
    worked_out = secondary_year(both)
    assert worked_out.end is YearEnd.PROMOTED
    assert worked_out.learning[2] is not None
    assert worked_out.learning[2].standard is Standard.FAIL
    assert reasons_to_wait(both) == []


def test_failed_or_missed_retake_retains() -> None:
    year = with_cells(with_cells(failing(), "toan", SUMMER, retake="V"), "ngu_van", SUMMER, retake="3.0")
    worked_out = secondary_year(year)
    assert worked_out.end is YearEnd.RETAINED
    assert [(s.subject.code, s.after) for s in worked_out.subjects if s.subject.code in ("toan", "ngu_van")] == [("ngu_van", Decimal("3.0")), ("toan", None)]
    assert reasons_to_wait(year) == []


def test_retake_does_not_apply_when_conduct_failed_too() -> None:
    year = conduct(failing(), "CD", "CD")
    assert secondary_year(year).end is YearEnd.RETAINED
    assert reasons_to_wait(year) == []


def test_retake_of_a_promoted_pupil_is_ignored() -> None:
    year = with_cells(with_average(a_year(8), "toan", "4.0"), "toan", SUMMER, retake="9.0")
    worked_out = secondary_year(year)
    assert worked_out.end is YearEnd.PROMOTED
    assert all(s.after is None for s in worked_out.subjects)


@pytest.mark.parametrize(("after", "end"), [("D", YearEnd.PROMOTED), ("CD", YearEnd.RETAINED), ("", YearEnd.NEEDS_SUMMER_TRAINING)])
def test_summer_training_decides_failed_conduct(after: str, end: YearEnd) -> None:
    year = with_cells(conduct(a_year(8), "T", "CD"), HOMEROOM, SUMMER, conduct_after=after)
    assert secondary_year(year).end is end
    assert reasons_to_wait(year) == (["summer_training"] if not after else [])


def test_principal_may_end_the_wait_by_retaining() -> None:
    assert reasons_to_wait(decided(failing(), "promotion", "retained")) == []


def test_too_many_absences_retain() -> None:
    year = with_cells(a_year(8), HOMEROOM, T1, absences_excused="44")
    assert secondary_year(year).end is YearEnd.RETAINED
    assert secondary_year(with_cells(year, HOMEROOM, T2, absences_unexcused="0", absences_excused="0")).end is YearEnd.PROMOTED


def test_primary_supplement_completes_the_class() -> None:
    year = with_cells(a_year(3), "toan", T2, level_end2="C", end2="4")
    assert primary_year(year).result is PrimaryResult.INCOMPLETE
    assert reasons_to_wait(year) == ["supplement_in_summer"]
    better = with_cells(year, "toan", SUMMER, level_after="H", mark_after="6")
    assert primary_year(better).final is PrimaryResult.COMPLETE
    assert reasons_to_wait(better) == []


def test_primary_supplement_that_fails_leaves_it_to_the_principal() -> None:
    year = with_cells(a_year(3), "toan", T2, level_end2="C", end2="4")
    worse = with_cells(year, "toan", SUMMER, level_after="C", mark_after="3")
    assert reasons_to_wait(worse) == ["promotion_undecided"]
    assert reasons_to_wait(decided(worse, "promotion", "promoted")) == []


def test_only_end_of_year_marks_count_in_primary_school() -> None:
    year = with_cells(a_year(4), "toan", T1, end1="2", mid1="1")
    assert primary_year(with_cells(year, "toan", T2, mid2="0")).result is PrimaryResult.EXCELLENT


def test_individual_plan_asks_for_no_marks_but_for_a_decision() -> None:
    bare = a_year(7, choice=SubjectChoice(individual_plan=True))
    cells = {key: value for key, value in bare.cells.items() if key[0] == HOMEROOM}
    year = replace(bare, cells=cells)
    assert reasons_to_wait(year) == ["promotion_undecided"]
    assert reasons_to_wait(decided(year, "promotion", "promoted")) == []


def test_completion_is_refused_with_every_obstacle_named() -> None:
    failed = with_cells(with_average(a_year(9), "toan", "4.0"), "gdtc", T2, nx_ck="CD")
    assert obstacles(failed) == ["failed_subject"]
    with pytest.raises(NotAllowed, match="not_promotable, failed_subject"):
        check_completion(with_average(with_average(failed, "toan", "1.0"), "ngu_van", "1.0"))
    assert obstacles(a_year(9, born_on=date(2004, 1, 1))) == ["too_old"]
    assert obstacles(a_year(8)) == ["not_last_grade"]
    assert obstacles(a_year(9)) == []
    lenient = a_year(9, switches={"completion_refuses_failed_subject": False})
    assert obstacles(with_cells(lenient, "gdtc", T2, nx_ck="CD")) == []


def test_completion_decision_is_due_only_for_those_who_can_complete() -> None:
    assert decision_due(a_year(9))
    assert not decision_due(a_year(12))
    assert not decision_due(with_cells(a_year(9), "gdtc", T2, nx_ck="CD"))
    assert obstacles(with_cells(a_year(5), "toan", T2, end2="3")) == ["class_not_completed"]


def test_a_completion_that_the_year_no_longer_bears_is_to_be_decided_anew() -> None:
    decided_before = decided(a_year(9), "completion", "completed")
    assert not decision_due(decided_before)
    worse = with_cells(decided_before, "gdtc", T2, nx_ck="CD")
    assert reasons_to_wait(worse) == ["completion_undecided"]
    assert reasons_to_wait(decided(worse, "completion", "not_completed")) == []


def test_the_year_is_averaged_over_terms_that_were_rounded_first() -> None:
    year = with_cells(with_average(a_year(8), "toan", "4.9"), "toan", T2, tx1="5.4")  # 44.6 / 9 = 4.956 in the second term.
    toan = next(s for s in secondary_year(year).subjects if s.subject.code == "toan")
    # (4.9 + 2 x 5.0) / 3 = 4.967; unrounded terms would come to 4.937, and to a retake.
    assert (toan.term_1, toan.term_2, toan.year) == (Decimal("4.9"), Decimal("5.0"), Decimal("5.0"))
