"""Class-subject sheets: every sealed row proves itself, a correction touches one row, and primary school has none."""

import hashlib
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grading.domain.class_sheets import SCHEMA, SheetVersion, sheet_id_of
from services.grading.domain.merkle import leaf_hash, tree_of
from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.record import canonical
from services.grading.domain.sealing import Candidate, Outcome, SheetBook, seal_pupils
from services.grading.domain.terms import Term
from tests.unit.grading.years import EXAMPLES, SHEET_EXAMPLE, SeededDice, a_year, example_sheet, surroundings, with_cells

RESPONSIBLE = {"toan": str(uuid.UUID(int=77))}


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2, written down as the RFC has it and not as our tree is built."""
    if index >= size:
        return None
    fn, sn, root = index, size - 1, leaf
    for node in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = hashlib.sha256(b"\x01" + node + root).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + node).digest()
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def a_class(*years: PupilYear, previous: list[Outcome] | None = None, known: list[SheetVersion] | None = None, seed: int = 1) -> tuple[Any, Any]:
    candidates = [
        Candidate(
            year,
            replace(surroundings(year), pupil={**surroundings(year).pupil, "name": f"Lê Văn {'ABCDEFG'[at]}"}),
            str(uuid.UUID(int=100 + at)),
            previous[at].sealed if previous else None,
        )
        for at, year in enumerate(years)
    ]
    kept = [replace(sheet, fresh=False) for sheet in known or ()]
    return seal_pupils(candidates, SheetBook(kept, RESPONSIBLE, fallback="homeroom"), SeededDice(seed))


def contents(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [json.loads(outcome.sealed.content) for outcome in outcomes if outcome.sealed]


def row_of(record: dict[str, Any], code: str) -> dict[str, Any]:
    return next(row for row in record["subjects"] if row["code"] == code)


def proven_root(record: dict[str, Any], row: dict[str, Any]) -> str:
    proof = row["sheet"]
    told = {"transcript_id": record["transcript"]["id"], "pupil": record["pupil"]["name"], **{k: v for k, v in row.items() if k != "sheet"}}
    leaf = hashlib.sha256(b"\x00" + bytes.fromhex(proof["salt"]) + canonical(told)).digest()
    root = climb(leaf, proof["index"], proof["size"], [bytes.fromhex(node) for node in proof["path"]])
    return root.hex() if root else ""


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=40), st.data())
def test_every_leaf_is_proven_and_any_change_breaks_the_proof(rows: list[bytes], data: st.DataObject) -> None:
    salts = [hashlib.sha256(bytes([at])).digest() for at in range(len(rows))]
    leaves = [leaf_hash(salt, row) for salt, row in zip(salts, rows, strict=True)]
    tree = tree_of(leaves)
    at = data.draw(st.integers(0, len(rows) - 1))
    path = tree.path(at)
    assert climb(leaves[at], at, len(rows), path) == tree.root
    assert climb(leaf_hash(salts[at], rows[at] + b"x"), at, len(rows), path) != tree.root
    assert climb(leaf_hash(bytes(32), rows[at]), at, len(rows), path) != tree.root
    other = data.draw(st.integers(0, len(rows) - 1))
    assert other == at or climb(leaves[at], other, len(rows), path) != tree.root
    if path:
        spoilt = data.draw(st.integers(0, len(path) - 1))
        assert climb(leaves[at], at, len(rows), [bytes(32) if n == spoilt else node for n, node in enumerate(path)]) != tree.root
        assert climb(leaves[at], at, len(rows), path[:-1]) != tree.root


def test_a_tree_needs_a_leaf() -> None:
    with pytest.raises(ValueError, match="at least one"):
        tree_of([])


def test_each_row_of_a_secondary_class_stands_in_its_subjects_sheet() -> None:
    outcomes, sheets = a_class(a_year(8), a_year(8), a_year(8))
    records = contents(outcomes)
    by_code = {sheet.subject: sheet for sheet in sheets}
    assert set(by_code) == {row["code"] for row in records[0]["subjects"] if row["taken"]}
    for record in records:
        for row in record["subjects"]:
            assert ("sheet" in row) == row["taken"]
            if row["taken"]:
                assert proven_root(record, row) == row["sheet"]["root"] == by_code[row["code"]].root.hex()
    math = json.loads(by_code["toan"].content)
    assert (math["schema"], math["sheet"]["id"], math["sheet"]["version"]) == (SCHEMA, sheet_id_of(records[0]["school_class"]["id"], "toan"), 1)
    assert by_code["toan"].digest == hashlib.sha256(by_code["toan"].content).digest()
    assert [line["row"]["transcript_id"] for line in math["rows"]] == [record["transcript"]["id"] for record in records]
    assert (by_code["toan"].staff_id, by_code["ngu_van"].staff_id) == (RESPONSIBLE["toan"], "homeroom")


def test_the_contracts_example_is_what_sealing_writes_and_holds_the_example_records_row() -> None:
    told = SHEET_EXAMPLE.read_text(encoding="utf-8")
    assert told == example_sheet()
    record = json.loads((EXAMPLES / "lower_secondary.json").read_text(encoding="utf-8"))
    assert json.loads(told)["sheet"]["root"] == row_of(record, "toan")["sheet"]["root"]


def test_electives_are_signed_for_those_who_take_them() -> None:
    first = a_year(11)
    second = replace(first, choice=replace(first.choice, electives=first.choice.electives - {"tin_hoc"} | {"hoa_hoc"}))
    second = replace(second, cells={**second.cells, ("hoa_hoc", Term.TERM_1): {}, ("hoa_hoc", Term.TERM_2): {}})
    for term in (Term.TERM_1, Term.TERM_2):
        second = with_cells(second, "hoa_hoc", term, **dict(first.cells["tin_hoc", term]))
    outcomes, sheets = a_class(first, second)
    assert all(outcome.sealed for outcome in outcomes), [outcome.reasons for outcome in outcomes]
    assert {sheet.subject: sheet.rows for sheet in sheets}["hoa_hoc"] == 1


@pytest.mark.parametrize("grade", [1, 5])
def test_primary_school_has_no_sheets(grade: int) -> None:
    outcomes, sheets = a_class(a_year(grade))
    assert sheets == []
    assert not any("sheet" in row for record in contents(outcomes) for row in record["subjects"])


def test_where_teachers_sign_is_rule_data() -> None:
    _, none = a_class(a_year(8, switches={"signed_sheet_levels": []}))
    outcomes, some = a_class(a_year(4, switches={"signed_sheet_levels": ["PRIMARY"]}))
    assert none == []
    assert len(some) == len([row for row in contents(outcomes)[0]["subjects"] if row["taken"]])
    with pytest.raises(Exception, match="names KINDERGARTEN"):
        a_year(8, switches={"signed_sheet_levels": ["KINDERGARTEN"]})


def test_a_corrected_mark_makes_a_sheet_of_one_row_and_leaves_every_other_proof() -> None:
    years = [a_year(8)] * 3
    first, sheets = a_class(*years)
    better = replace(with_cells(years[1], "toan", Term.TERM_1, ck="9.5"), corrections={"toan": 1})
    second, in_force = a_class(years[0], better, years[2], previous=first, known=sheets, seed=2)
    assert [outcome.changed for outcome in second] == [False, True, False]
    (fresh,) = [sheet for sheet in in_force if sheet.fresh]
    assert (fresh.subject, fresh.version, fresh.rows) == ("toan", 2, 1)
    # The first version stays in force for the rows that it still holds.
    assert {(sheet.subject, sheet.version) for sheet in in_force} == {(sheet.subject, sheet.version) for sheet in sheets} | {("toan", 2)}
    before, after = contents(first)[1], contents(second)[1]
    assert {row["code"] for row in after["subjects"] if row != row_of(before, row["code"])} == {"toan"}
    assert row_of(after, "toan")["sheet"]["version"] == 2
    assert proven_root(after, row_of(after, "toan")) == fresh.root.hex()


def test_the_same_class_sealed_again_makes_nothing_new() -> None:
    first, sheets = a_class(a_year(8), a_year(8))
    again, in_force = a_class(a_year(8), a_year(8), previous=first, known=sheets, seed=2)
    assert [outcome.sealed for outcome in again] == [outcome.sealed for outcome in first]
    assert in_force == [replace(sheet, fresh=False) for sheet in sheets]


def test_what_is_no_mark_needs_no_new_sheet() -> None:
    year = a_year(8)
    first, sheets = a_class(year)
    second, in_force = a_class(with_cells(year, "homeroom", Term.TERM_2, comment="Ngoan."), previous=first, known=sheets, seed=2)
    assert [outcome.changed for outcome in second] == [True]
    assert not any(sheet.fresh for sheet in in_force)
    assert [row["sheet"] for row in contents(second)[0]["subjects"] if row["taken"]] == [row["sheet"] for row in contents(first)[0]["subjects"] if row["taken"]]


def test_late_pupils_get_a_sheet_of_their_own() -> None:
    waiting = with_cells(a_year(8), "toan", Term.TERM_1, ck="")
    first, sheets = a_class(a_year(8), waiting)
    assert [outcome.sealed is not None for outcome in first] == [True, False]
    second, in_force = a_class(a_year(8), a_year(8), previous=first, known=sheets, seed=2)
    assert [outcome.changed for outcome in second] == [False, True]
    assert {(sheet.version, sheet.rows) for sheet in in_force if sheet.fresh} == {(2, 1)}


def test_another_responsible_teacher_signs_an_old_sheet_as_it_is() -> None:
    first, sheets = a_class(a_year(8))
    again, same = a_class(a_year(8), previous=first, known=[replace(sheet, staff_id="gone") for sheet in sheets], seed=4)
    assert [outcome.changed for outcome in again] == [False]
    assert {sheet.subject: sheet.staff_id for sheet in same} == {sheet.subject: RESPONSIBLE.get(sheet.subject, "gone") for sheet in sheets}


def test_a_new_name_goes_into_every_sheet() -> None:
    year = a_year(8)
    first, sheets = a_class(year)
    around = replace(surroundings(year), pupil={**surroundings(year).pupil, "name": "Lê Thị Z"})
    (second,), in_force = seal_pupils([Candidate(year, around, first[0].transcript_id, first[0].sealed)], SheetBook(sheets), SeededDice(5))
    assert second.changed
    assert {(sheet.version, sheet.fresh) for sheet in in_force} == {(2, True)}


def test_a_year_sealed_before_there_were_sheets_stays_as_it_is_until_it_changes() -> None:
    old = a_year(8, switches={"signed_sheet_levels": []})
    first, _ = a_class(old)
    same, none = a_class(a_year(8), previous=first, seed=2)
    assert ([outcome.changed for outcome in same], none) == ([False], [])
    changed, all_of_them = a_class(with_cells(a_year(8), "toan", Term.TERM_1, ck="9.5"), previous=first, seed=3)
    assert [outcome.changed for outcome in changed] == [True]
    assert {sheet.version for sheet in all_of_them} == {1}
    assert all("sheet" in row for row in contents(changed)[0]["subjects"] if row["taken"])
