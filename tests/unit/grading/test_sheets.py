"""Columns of every sheet, and what a cell takes and refuses."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grading.domain.errors import BadInput, NotAllowed
from services.grading.domain.rulesets import REGISTRY, rule_set_for, with_switches
from services.grading.domain.sheets import Column, Kind, layout, read_cell
from services.grading.domain.subjects import HOMEROOM, form_rows, subjects_of
from services.grading.domain.terms import Level, Mode, Term, level_of_grade


def codes(grade: int, subject: str, term: Term, *, cluster: bool = False) -> list[str]:
    return [c.code for c in layout(rule_set_for(grade, 2025), grade, subject, term, cluster=cluster)]


def test_scored_subject_has_as_many_regular_marks_as_its_lessons_ask() -> None:
    assert codes(6, "gdcd", Term.TERM_1) == ["tx1", "tx2", "gk", "ck", "comment"]
    assert codes(8, "cong_nghe", Term.TERM_1) == ["tx1", "tx2", "tx3", "gk", "ck", "comment"]
    assert codes(8, "toan", Term.TERM_2) == ["tx1", "tx2", "tx3", "tx4", "gk", "ck", "comment"]


def test_topic_cluster_adds_the_fourth_regular_mark() -> None:
    assert len(codes(11, "vat_li", Term.TERM_1)) + 1 == len(codes(11, "vat_li", Term.TERM_1, cluster=True))


@pytest.mark.parametrize(
    ("grade", "subject", "expected"),
    [
        (1, "tieng_viet", ["level_mid1", "level_end1", "end1", "comment"]),
        (4, "toan", ["level_mid1", "mid1", "level_end1", "end1", "comment"]),
        (2, "ngoai_ngu_1", ["level_mid1", "level_end1", "comment"]),
        (3, "ngoai_ngu_1", ["level_mid1", "level_end1", "end1", "comment"]),
        (3, "tin_hoc", ["level_mid1", "level_end1", "end1", "comment"]),
        (5, "gdtc", ["level_mid1", "level_end1", "comment"]),
        (9, "gdtc", ["nx1", "nx2", "nx_gk", "nx_ck", "comment"]),
    ],
)
def test_columns_of_the_first_term(grade: int, subject: str, expected: list[str]) -> None:
    assert codes(grade, subject, Term.TERM_1) == expected


# Which primary subject has a mark in which grade: the whole table, "x" with a mark at the end, "m" at mid-term too.
MARKED = {
    "tieng_viet": "xxxmm", "toan": "xxxmm", "ngoai_ngu_1": "--xxx", "lich_su_va_dia_li": "...xx", "khoa_hoc": "...xx",
    "tin_hoc": "..xxx", "cong_nghe": "..xxx", "dao_duc": "-----", "tu_nhien_va_xa_hoi": "---..", "gdtc": "-----",
    "am_nhac": "-----", "mi_thuat": "-----", "hdtn": "-----", "tieng_dan_toc": "xxxxx",
}  # fmt: skip


def test_primary_marks_follow_the_table_for_every_subject_and_grade() -> None:
    assert set(MARKED) == set(subjects_of(Level.PRIMARY))
    for subject, row in MARKED.items():
        for grade, sign in enumerate(row, start=1):
            if sign == ".":
                with pytest.raises(BadInput, match="has no subject"):
                    codes(grade, subject, Term.TERM_2)
                continue
            got = codes(grade, subject, Term.TERM_2)
            assert ("end2" in got, "mid2" in got) == (sign in "xm", sign == "m"), (subject, grade)


@pytest.mark.parametrize(("grade", "scored", "comment"), [(6, 8, 4), (9, 8, 4)])
def test_lower_secondary_has_eight_scored_and_four_comment_subjects(grade: int, scored: int, comment: int) -> None:
    compulsory = [s for s in form_rows(Level.LOWER_SECONDARY) if not s.elective_in(grade)]
    assert sum(s.mode is Mode.SCORED for s in compulsory) == scored
    assert sum(s.mode is Mode.COMMENT for s in compulsory) == comment


def test_every_sheet_of_every_grade_has_a_layout_with_distinct_codes() -> None:
    for grade in range(1, 13):
        for subject in (*(s.code for s in form_rows(level_of_grade(grade)) if s.taught_in(grade)), HOMEROOM):
            for term in Term:
                got = codes(grade, subject, term)
                assert len(got) == len(set(got))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Kind.MARK, "7.5", "7.5"), (Kind.MARK, "7,5", "7.5"), (Kind.MARK, "10", "10.0"), (Kind.MARK, "0", "0.0"),
        (Kind.MARK, " 8 ", "8.0"), (Kind.MARK, "7.50", "7.5"), (Kind.MARK, "v", "V"), (Kind.MARK, "", ""),
        (Kind.WHOLE_MARK, "9", "9"), (Kind.VERDICT, "Đ", "D"), (Kind.VERDICT, "\u00d0", "D"), (Kind.VERDICT, "cđ", "CD"),
        (Kind.VERDICT, "Chưa đạt", "CD"), (Kind.LEVEL, "h", "H"), (Kind.STANDARD, "Khá", "K"), (Kind.TRAIT, "đ", "D"),
        (Kind.COUNT, "12", "12"), (Kind.MEASURE, "140,5", "140.5"), (Kind.TEXT, "  Ngoan  ", "Ngoan"),
    ],
)  # fmt: skip
def test_cells_are_read_into_one_spelling(kind: Kind, text: str, expected: str) -> None:
    assert read_cell(Column("x", "x", kind), text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.MARK, "10.1"), (Kind.MARK, "-1"), (Kind.MARK, "7.25"), (Kind.MARK, "1e1"), (Kind.MARK, "NaN"), (Kind.MARK, "tám"),
        (Kind.MARK, "٧"), (Kind.WHOLE_MARK, "8.5"), (Kind.VERDICT, "T"), (Kind.LEVEL, "D"), (Kind.STANDARD, "G"),
        (Kind.TRAIT, "H"), (Kind.COUNT, "1.5"), (Kind.COUNT, "V"), (Kind.TEXT, "x" * 2001), (Kind.LEVEL, "V"),
        (Kind.TEXT, "a\x1fb"), (Kind.TEXT, "a\x00"),
    ],
)  # fmt: skip
def test_bad_cells_are_refused_with_a_cure(kind: Kind, text: str) -> None:
    with pytest.raises(BadInput, match=r"write|shorten|type it anew"):
        read_cell(Column("x", "x", kind), text)


def test_make_up_not_taken_counts_as_zero_and_nothing_else() -> None:
    mark, verdict = Column("tx1", "", Kind.MARK), Column("nx1", "", Kind.VERDICT)
    assert read_cell(mark, "", "no_make_up") == "0.0"
    assert read_cell(verdict, "", "no_make_up") == "CD"
    with pytest.raises(BadInput, match=r"counts as 0\.0"):
        read_cell(mark, "5", "no_make_up")
    with pytest.raises(BadInput, match="no make-up"):
        read_cell(Column("comment", "", Kind.TEXT), "", "no_make_up")


def test_topic_cluster_result_stands_among_the_regular_marks() -> None:
    assert read_cell(Column("tx2", "", Kind.MARK), "8", "cluster") == "8.0"
    with pytest.raises(BadInput, match="regular mark"):
        read_cell(Column("gk", "", Kind.MARK), "8", "cluster")
    with pytest.raises(BadInput, match="unknown"):
        read_cell(Column("gk", "", Kind.MARK), "8", "guess")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=8))
def test_any_text_is_either_refused_or_read_to_a_fixed_point(text: str) -> None:
    column = Column("tx1", "", Kind.MARK)
    try:
        once = read_cell(column, text)
    except BadInput:
        return
    assert read_cell(column, once) == once
    assert once in ("", "V") or Decimal(0) <= Decimal(once) <= Decimal(10)


def test_rule_sets_are_chosen_by_grade_and_year() -> None:
    assert rule_set_for(5, 2024).code == "TT27-2020"
    assert rule_set_for(12, 2030).level is Level.UPPER_SECONDARY
    for rules in REGISTRY:
        for grade, first in rules.first_year.items():
            assert rule_set_for(grade, first) is rules
            with pytest.raises(NotAllowed, match="archived"):
                rule_set_for(grade, first - 1)


def test_switches_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BadInput, match="known are absences_max"):
        with_switches(rule_set_for(6, 2025), {"absence_max": 45})
    with pytest.raises(BadInput, match="replace or remove"):
        with_switches(rule_set_for(6, 2025), {"adjustment_reading": "drop"})
