"""The record and its digest: canonical form, versions, what makes a new one and what doesn't."""

import hashlib
import json
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest

from services.grading.domain.pupil_year import SubjectChoice
from services.grading.domain.record import canonical, digest_of
from services.grading.domain.sealing import Outcome, class_digest
from services.grading.domain.subjects import HOMEROOM, form_rows
from services.grading.domain.terms import Term
from tests.unit.grading.years import (
    EXAMPLES,
    SeededDice,
    a_year,
    decided,
    example_text,
    example_years,
    seal_pupil,
    sealed,
    surroundings,
    with_average,
    with_cells,
)


def content(outcome: Outcome) -> dict[str, Any]:
    assert outcome.sealed, outcome.reasons
    return dict(json.loads(outcome.sealed.content))


@pytest.mark.parametrize("name", ["primary", "lower_secondary", "upper_secondary"])
def test_examples_are_what_the_rules_write(name: str) -> None:
    assert (EXAMPLES / f"{name}.json").read_text(encoding="utf-8") == example_text(example_years()[name])


def test_canonical_form_is_sorted_compact_utf8() -> None:
    record: Any = {"b": "Đạt", "a": [1, None, True]}
    assert canonical(record) == '{"a":[1,null,true],"b":"Đạt"}'.encode()
    assert digest_of(b"x") == hashlib.sha256(b"x").digest()


@pytest.mark.parametrize("bad", [{"a": 1.5}, {"a": [{"b": 0.1}]}, {1: "a"}, {"a": (1,)}, {"a": b"x"}])
def test_foreign_types_have_no_canonical_form(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"canonical form|not text"):
        canonical(bad)


def test_first_seal_is_version_one_with_its_digest() -> None:
    outcome = sealed(a_year(8))
    assert outcome.sealed is not None
    assert outcome.changed
    assert (outcome.sealed.version, outcome.sealed.digest) == (1, hashlib.sha256(outcome.sealed.content).digest())
    assert re.fullmatch("[a-z2-7]{26}", outcome.sealed.public_id)
    assert content(outcome)["transcript"]["supersedes"] is None


def test_waiting_pupil_has_reasons_and_no_version() -> None:
    outcome = sealed(with_cells(a_year(8), "toan", Term.TERM_1, ck=""))
    assert (outcome.sealed, outcome.reasons, outcome.changed) == (None, ("missing_marks",), False)


def test_reseal_of_the_same_content_changes_nothing() -> None:
    year = a_year(8)
    first = sealed(year)
    again = seal_pupil(year, surroundings(year), first.transcript_id, first.sealed, SeededDice(99))
    assert again.sealed == first.sealed
    assert not again.changed


def test_reseal_after_a_new_principal_or_teacher_changes_nothing() -> None:
    year = a_year(8)
    first = sealed(year)
    assert surroundings(year, seed=8).teachers != surroundings(year).teachers
    moved = replace(surroundings(year, seed=8), pupil=surroundings(year).pupil)
    assert not seal_pupil(year, moved, first.transcript_id, first.sealed, SeededDice(99)).changed


def test_changed_content_makes_the_next_version_with_new_salt_and_public_id() -> None:
    year = a_year(8)
    first = sealed(year)
    better = with_cells(year, "toan", Term.TERM_1, ck="9.5")
    second = seal_pupil(replace(better, corrections={"toan": 1}), surroundings(year), first.transcript_id, first.sealed, SeededDice(2))
    assert first.sealed is not None
    assert second.sealed is not None
    assert (second.sealed.version, second.changed, second.corrections) == (2, True, 1)
    assert second.sealed.public_id != first.sealed.public_id
    assert second.sealed.salt != first.sealed.salt
    assert content(second)["transcript"]["supersedes"] == 1
    assert content(second)["corrections"] == {"count": 1, "subjects": ["Toán"]}


def test_pupils_details_are_content() -> None:
    year = a_year(8)
    first, around = sealed(year), surroundings(year)
    renamed = replace(around, pupil={**around.pupil, "name": "Trần Minh Hà"})
    assert seal_pupil(year, renamed, first.transcript_id, first.sealed, SeededDice(2)).changed


@pytest.mark.parametrize("grade", [*range(1, 13)])
def test_record_holds_every_row_of_the_form_in_its_order(grade: int) -> None:
    year = decided(a_year(grade), "completion", "completed")
    record = content(sealed(year))
    assert [row["code"] for row in record["subjects"]] == [s.code for s in form_rows(year.rules.level)]
    taken = [row for row in record["subjects"] if row["taken"]]
    assert len(taken) == len(list(year.taken()))
    assert all(row["comment"] and row["teachers"] for row in taken)
    assert record["rule_set"]["switches"]["absences_max"] == 45


def test_summer_results_stand_beside_the_years() -> None:
    record = json.loads((EXAMPLES / "lower_secondary.json").read_text(encoding="utf-8"))
    rows = {row["code"]: row for row in record["subjects"]}
    assert (rows["toan"]["year"], rows["toan"]["after_retake"]) == ("3.0", "6.0")
    assert record["results"]["year"]["learning"] == "Chưa đạt"
    assert record["results"]["after_summer"] == {"conduct": None, "learning": "Khá"}
    assert record["results"]["promotion"] == "Được lên lớp"


def test_adjusted_parts_are_named() -> None:
    record = content(sealed(with_average(a_year(8), "toan", "4.0")))
    assert record["results"]["year"]["learning"] == "Khá"
    assert record["results"]["adjusted"] == ["term_1", "term_2", "year"]


@pytest.mark.parametrize(
    ("grade", "decision", "expected"),
    [
        (9, "completed", "Hoàn thành chương trình trung học cơ sở"),
        (9, "not_completed", "Không hoàn thành chương trình trung học cơ sở"),
        (5, "completed", "Hoàn thành chương trình tiểu học"),
        (12, "", "Hoàn thành chương trình trung học phổ thông"),
        (8, "", "Được lên lớp"),
    ],
)
def test_line_about_moving_up(grade: int, decision: str, expected: str) -> None:
    year = decided(a_year(grade), "completion", decision) if decision else a_year(grade)
    record = content(sealed(year))
    assert record["results"]["promotion"] == expected
    assert (record["completion"] or {}).get("number") == ("12/QĐ-HT" if decision else None)


@pytest.mark.parametrize("value", ["promoted", "retained"])
def test_a_promotion_decision_does_not_overrule_the_rules(value: str) -> None:
    absent = with_cells(decided(a_year(8), "promotion", value), HOMEROOM, Term.TERM_1, absences_excused="46")
    assert content(sealed(absent))["results"]["promotion"] == "Không được lên lớp"
    assert content(sealed(decided(a_year(8), "promotion", value)))["results"]["promotion"] == "Được lên lớp"
    assert content(sealed(decided(a_year(3), "promotion", value)))["results"]["promotion"] == "Được lên lớp"


def test_a_decision_about_promotion_counts_where_the_rules_leave_it_open() -> None:
    weak = with_cells(a_year(3), "toan", Term.TERM_2, end2="4")
    assert content(sealed(decided(weak, "promotion", "promoted")))["results"]["promotion"] == "Được lên lớp"
    assert content(sealed(decided(weak, "promotion", "retained")))["results"]["promotion"] == "Không được lên lớp"
    plan = replace(a_year(7), choice=SubjectChoice(individual_plan=True))
    assert content(sealed(decided(plan, "promotion", "promoted")))["results"]["promotion"] == "Được lên lớp"
    assert content(sealed(decided(plan, "promotion", "retained")))["results"]["promotion"] == "Không được lên lớp"


def test_nobody_completes_a_level_whom_the_rules_keep_from_it() -> None:
    failed = content(sealed(with_cells(a_year(9), "gdtc", Term.TERM_2, nx_ck="CD")))
    assert failed["completion"] is None
    assert failed["results"]["promotion"] == "Không hoàn thành chương trình trung học cơ sở"
    weak = decided(with_cells(a_year(5), "toan", Term.TERM_2, end2="4"), "promotion", "promoted")
    assert content(sealed(weak))["results"]["promotion"] == "Không hoàn thành chương trình tiểu học"


def test_summer_traits_and_excused_tests_are_no_results() -> None:
    year = with_cells(a_year(3), HOMEROOM, Term.TERM_2, quality_nhan_ai="D")
    year = with_cells(year, HOMEROOM, Term.SUMMER, quality_nhan_ai="T")
    levels = {row["code"]: row["level"] for row in content(sealed(year))["qualities"]["rows"]}
    assert levels["nhan_ai"] == "Đ"
    supplemented = with_cells(with_cells(year, "toan", Term.TERM_2, end2="4"), "toan", Term.SUMMER, mark_after="5")
    levels = {row["code"]: row["level"] for row in content(sealed(supplemented))["qualities"]["rows"]}
    assert levels["nhan_ai"] == "T"
    excused = decided(with_cells(supplemented, "toan", Term.SUMMER, mark_after="V"), "promotion", "retained")
    rows = {row["code"]: row for row in content(sealed(excused))["subjects"]}
    assert rows["toan"]["mark_after_supplement"] is None


def test_text_is_normalised_so_that_lookalikes_have_one_digest() -> None:
    composed = with_cells(a_year(8), HOMEROOM, Term.TERM_2, comment="Tiến bộ")
    decomposed = with_cells(a_year(8), HOMEROOM, Term.TERM_2, comment="Tiê\u0301n bô\u0323")
    assert sealed(composed).sealed == sealed(decomposed).sealed


def test_class_digest_ignores_order_and_waiting_pupils() -> None:
    one, two, waiting = sealed(a_year(7)), sealed(a_year(8)), sealed(a_year(9))
    assert waiting.sealed is None
    assert class_digest([one, two, waiting]) == class_digest([two, one])
    assert class_digest([one]) != class_digest([one, two])


def test_records_carry_no_class_average_and_no_rank() -> None:
    text = " ".join(path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.json"))
    assert not re.search(r"rank|class_average|position|xếp hạng", text, re.IGNORECASE)


def test_transcript_id_is_the_callers() -> None:
    assert sealed(a_year(8), seed=5).transcript_id == str(uuid.UUID(int=5))
