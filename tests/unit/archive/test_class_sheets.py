"""The archive's own reading of class-subject sheets: every proof of the contract's examples holds, and any change breaks it."""

import copy
import hashlib
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.admission import Admit, Already, decide_sheet, standing
from services.archive.domain.class_sheets import Proof, proofs_of, read_sheet_facts, row_findings, sheet_findings
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.transcript import SheetRef
from tests.support.records import canonical, example, record_of, with_sheet


def a_class(pupils: int = 5, subject: str = "toan") -> tuple[list[bytes], bytes]:
    records, sheet = with_sheet([record_of("lower_secondary", str(uuid.UUID(int=n)), name=f"Lê Thị {n}") for n in range(pupils)], subject)
    return records, sheet.content


def subject_row(record: dict[str, Any], code: str = "toan") -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in record["subjects"] if row["code"] == code)
    return found


@pytest.mark.parametrize("level", ["lower_secondary", "upper_secondary"])
def test_every_row_of_the_contracts_examples_is_proven(level: str) -> None:
    content = canonical(example(level))
    proofs = proofs_of(content)
    assert len(proofs) == len([row for row in example(level)["subjects"] if row["taken"]])
    assert all(proof.holds for proof in proofs)
    assert row_findings(content) == []


def test_a_record_whose_rules_ask_for_no_sheet_needs_none() -> None:
    assert row_findings(canonical(example("primary"))) == []


@pytest.mark.parametrize("pupils", [1, 2, 3, 7, 8, 33])
def test_sheets_and_proofs_of_every_size_hold(pupils: int) -> None:
    records, sheet = a_class(pupils)
    assert sheet_findings(sheet) == []
    assert [row_findings(record) for record in records] == [[]] * pupils
    facts = read_sheet_facts(sheet)
    assert facts is not None
    assert (facts.rows, {proof.root for record in records for proof in proofs_of(record)}) == (pupils, {facts.root})


@pytest.mark.parametrize(
    ("where", "value"),
    [("term_1", "9.9"), ("comment", "Khác."), ("after_retake", None), ("name", "Ngữ văn"), ("teachers", [])],
)
def test_a_changed_row_is_unproven(where: str, value: Any) -> None:
    record = json.loads(a_class()[0][2])
    subject_row(record)[where] = value
    assert [finding.reason for finding in row_findings(canonical(record))] == [Reason.ROW_UNPROVEN]


def test_another_pupils_proof_is_none() -> None:
    first, second = (json.loads(record) for record in a_class()[0][:2])
    subject_row(first)["sheet"] = subject_row(second)["sheet"]
    renamed = json.loads(a_class()[0][0])
    renamed["pupil"]["name"] = "Trần Văn Khác"
    moved = json.loads(a_class()[0][0])
    moved["transcript"]["id"] = str(uuid.UUID(int=99))
    for record in (first, renamed, moved):
        assert [finding.reason for finding in row_findings(canonical(record))] == [Reason.ROW_UNPROVEN]


def test_a_row_without_the_proof_that_its_rules_ask_for_is_unproven() -> None:
    record = example("lower_secondary")
    del subject_row(record)["sheet"]
    assert ["names no sheet" in finding.detail for finding in row_findings(canonical(record))] == [True]


@pytest.mark.parametrize(
    "broken",
    [
        {"salt": "00"},
        {"salt": "zz"},
        {"path": ["00" * 32] * 21},
        {"path": "00"},
        {"index": 40},
        {"index": -1},
        {"size": 0},
        {"size": "x"},
        {"version": "1"},
        {"root": "00" * 32},
        {"id": None},
    ],
)
def test_a_broken_proof_is_a_finding_and_no_crash(broken: dict[str, Any]) -> None:
    record = json.loads(a_class()[0][0])
    subject_row(record)["sheet"] |= broken
    assert [finding.reason for finding in row_findings(canonical(record))] == [Reason.ROW_UNPROVEN]


@pytest.mark.parametrize("content", [b"{", b"[]", b"1", b"{}", b'{"rows":[],"sheet":{"root":"00"}}', b'{"rows":[{"salt":1}]}'])
def test_what_is_no_sheet_is_refused(content: bytes) -> None:
    assert [finding.reason for finding in sheet_findings(content)] == [Reason.ROWS_DIFFER]
    assert read_sheet_facts(content) is None


def test_a_sheet_with_a_row_more_less_or_changed_has_another_root() -> None:
    told = json.loads(a_class()[1])
    shorter, longer, changed, swapped = (copy.deepcopy(told) for _ in range(4))
    shorter["rows"].pop()
    longer["rows"].append(longer["rows"][0])
    changed["rows"][3]["row"]["term_1"] = "10.0"
    swapped["rows"].reverse()
    for forged in (shorter, longer, changed, swapped):
        assert [finding.reason for finding in sheet_findings(canonical(forged))] == [Reason.ROWS_DIFFER]


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(st.integers(1, 70), st.data())
def test_a_proof_holds_for_its_leaf_its_place_and_its_root_alone(size: int, data: st.DataObject) -> None:
    leaves = [hashlib.sha256(bytes([at])).digest() for at in range(size)]

    def path(at: int, of: list[bytes]) -> list[bytes]:
        """RFC 6962 section 2.1.1, word for word."""
        if len(of) == 1:
            return []
        half = 1 << ((len(of) - 1).bit_length() - 1)
        return [*path(at, of[:half]), root(of[half:])] if at < half else [*path(at - half, of[half:]), root(of[:half])]

    def root(of: list[bytes]) -> bytes:
        if len(of) == 1:
            return of[0]
        half = 1 << ((len(of) - 1).bit_length() - 1)
        return node(root(of[:half]), root(of[half:]))

    at = data.draw(st.integers(0, size - 1))
    proof = Proof("toan", "id", 1, root(leaves), leaves[at], at, size, tuple(path(at, leaves)))
    assert proof.holds
    assert not replace(proof, root=proof.leaf, path=(), index=0, size=size + 1).holds, "a path may not end below the root"
    assert not replace(proof, root=bytes(32)).holds
    assert not replace(proof, leaf=bytes(32)).holds
    assert not replace(proof, path=(*proof.path, bytes(32))).holds
    assert not replace(proof, index=size).holds
    if size > 1:
        assert not replace(proof, path=proof.path[:-1]).holds
        assert not replace(proof, index=(at + 1) % size).holds


def test_a_sheets_versions_stand_side_by_side_and_come_in_any_order() -> None:
    ref = SheetRef("s", 2, "toan", b"", "p")
    assert decide_sheet(ref, b"a", {}) == Admit(0, ())
    assert decide_sheet(replace(ref, version=1), b"a", {("s", 2): b"b"}) == Admit(0, ())
    assert decide_sheet(ref, b"a", {("s", 2): b"a"}) == Already()
    contradiction = decide_sheet(ref, b"a", {("s", 2): b"b"})
    assert isinstance(contradiction, Finding)
    assert contradiction.reason is Reason.VERSION_CONTRADICTS


def test_a_transcript_stands_when_its_sheets_are_admitted_with_its_roots() -> None:
    proofs = proofs_of(a_class()[0][0])
    key = (proofs[0].sheet_id, proofs[0].version)
    waiting, differing = standing(proofs, {}), standing(proofs, {key: bytes(32)})
    assert waiting is not None
    assert differing is not None
    assert (waiting.reason, differing.reason) == (Reason.WAITING_FOR_SHEET, Reason.SHEET_DIFFERS)
    assert standing(proofs, {key: proofs[0].root}) is None
