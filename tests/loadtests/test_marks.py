"""What the load writes is what grading keeps: each value is canonical, so that "stored" can be compared letter by letter."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.marks import sheet, value_for
from loadtests.plan import Gradebook
from services.grading.domain.rulesets import rule_set_for
from services.grading.domain.sheets import Kind, layout, read_cell
from services.grading.domain.subjects import HOMEROOM, subjects_of
from services.grading.domain.terms import Term

YEAR = 2025


@pytest.mark.parametrize("grade", range(1, 13))
def test_every_required_column_gets_a_canonical_value(grade: int) -> None:
    rules, draw = rule_set_for(grade, YEAR), Random(grade)
    subjects = [code for code, row in subjects_of(rules.level).items() if row.taught_in(grade)]
    for subject in (*subjects, HOMEROOM):
        for term in (Term.TERM_1, Term.TERM_2):
            for column in layout(rules, grade, subject, term):
                value = value_for(column.code, draw)
                if column.required:
                    assert value, f"{subject} {term} {column.code} is required and stays empty"
                if value and column.kind is not Kind.TEXT:
                    assert read_cell(column, value) == value


def test_sheet_names_every_pupil_once_per_column() -> None:
    book = Gradebook("c", "toan", 1, "t", ("p1", "p2"), ("tx1", "gk", "certificate"))
    cells = [(pupil, column) for pupil, column, _ in sheet(book, Random(1))]
    assert cells == [("p1", "tx1"), ("p1", "gk"), ("p2", "tx1"), ("p2", "gk")]


def test_correction_touches_only_a_share() -> None:
    book = Gradebook("c", "toan", 1, "t", tuple(f"p{number}" for number in range(200)), ("gk",))
    assert 20 <= len(list(sheet(book, Random(1), 0.2))) <= 60
