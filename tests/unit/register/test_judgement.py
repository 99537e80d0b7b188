"""What the register asks of a batch: one bad record is rejected alone, a batch that isn't whole is refused, only what is higher is applied."""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.archive.adapters.note_keys import verifier_of
from services.archive.domain.statement import Kind
from services.archive.domain.submission import (
    Operation,
    Outcome,
    RegisterReceipt,
    Result,
    SubmissionError,
    read_manifest,
    read_record,
    read_results,
    write_results,
)
from services.register.app import SCHEMA
from services.register.application.find_pupil import versions
from services.register.application.ports import FoundRecord
from services.register.domain.findings import CHECKS, CURES
from services.register.domain.judgement import Batch, BatchRefused, Finding, Held, Proven, decide, examine
from tests.support.registers import AT, Department

TRANSCRIPT = str(uuid.UUID(int=1))


@pytest.fixture
def department(tmp_path: Path) -> Department:
    made = Department.new(tmp_path)
    for number in range(1, 8):
        made.issue(number, school=number % 2)
    return made


def examined(department: Department, data: bytes) -> Batch:
    return examine(data, department.policy, verifier_of)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    told = json.loads(data)
    change(told)
    return json.dumps(told).encode()


def test_whole_batch_is_proven(department: Department) -> None:
    batch = examined(department, department.manifest())
    assert [type(one) for one in batch.records] == [Proven] * 7
    assert [one.result for one in decide(batch.records, {}, {})] == [Result.APPLIED] * 7


def test_same_batch_has_same_bytes_and_shares_hashes(department: Department) -> None:
    data = department.manifest()
    assert data == department.manifest()
    told = json.loads(data)
    assert len(set(told["hashes"])) == len(told["hashes"]) < sum(len(one["path"]) for one in told["records"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: one.update(level="UNIVERSITY"), "malformed"),
        (lambda one: one.pop("fetch"), "malformed"),
        (lambda one: one.update(personal_number="12345"), "malformed"),
        (lambda one: one.update(path=[99]), "malformed"),
        (lambda one: one.update(statement=one["statement"].rstrip("\n")), "statement_unreadable"),
        (lambda one: one.update(statement=one["statement"].replace("hocba/leaf/1", "hocba/leaf/2")), "statement_unreadable"),
        (lambda one: one.update(operation="UPDATE"), "operation_differs"),
        (lambda one: one.update(statement=one["statement"].replace("public-4", "public-5")), "proof_broken"),
        (lambda one: one.update(index=2), "proof_broken"),
        (lambda one: one.update(index=7), "proof_broken"),
        (lambda one: one.update(path=one["path"][::-1]), "proof_broken"),
        (lambda one: one.update(personal_number=None, ministry_code=None), "pupil_unnamed"),
    ],
)
def test_bad_record_is_rejected_alone(department: Department, change: Callable[[dict[str, Any]], object], code: str) -> None:
    batch = examined(department, changed(department.manifest(), lambda told: change(told["records"][3])))
    assert isinstance(batch.records[3], Finding)
    assert batch.records[3].code == code
    outcomes = decide(batch.records, {}, {})
    assert [one.result for one in outcomes] == [*[Result.APPLIED] * 3, Result.REJECTED, *[Result.APPLIED] * 3]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda told: told.update(format="hocba-submission/2"), "malformed"),
        (lambda told: told.update(surplus=1), "malformed"),
        (lambda told: told.update(made_at="yesterday"), "malformed"),
        (lambda told: told.update(records=[]), "malformed"),
        (lambda told: told["records"].pop(), "counts_differ"),
        (lambda told: told["schools"].popitem(), "counts_differ"),
        (lambda told: told.update(checkpoint=told["checkpoint"].replace("\n7\n", "\n8\n")), "checkpoint_not_final"),
        (lambda told: told.update(checkpoint=told["checkpoint"].split("\n\n")[0] + "\n\n"), "checkpoint_not_final"),
    ],
)
def test_batch_that_is_not_whole_is_refused(department: Department, change: Callable[[dict[str, Any]], object], code: str) -> None:
    with pytest.raises(BatchRefused) as refused:
        examined(department, changed(department.manifest(), change))
    assert refused.value.finding.code == code


def test_another_logs_checkpoint_is_refused(department: Department, tmp_path: Path) -> None:
    other = Department.new(tmp_path, "2025-01")
    with pytest.raises(BatchRefused, match="not"):
        examined(other, department.manifest())


def test_names_that_stand_twice_are_refused(department: Department) -> None:
    data = department.manifest().replace(b'{"checkpoint"', b'{"department":"2025-01","checkpoint"', 1)
    with pytest.raises(BatchRefused, match="twice"):
        examined(department, data)


def test_second_of_two_equal_records_is_rejected(department: Department) -> None:
    batch = examined(department, department.manifest(department.records[0], department.records[1], department.records[0]))
    assert [one.code if isinstance(one, Finding) else "" for one in batch.records] == ["", "", "duplicate"]


def outcome(department: Department, held: dict[str, Held], documents: dict[bytes, str]) -> tuple[Result, str]:
    batch = examined(department, department.manifest(department.records[-1]))
    found = decide(batch.records, held, documents)[0]
    return found.result, found.reason


def test_only_higher_revisions_and_versions_are_applied(department: Department) -> None:
    department.issue(1, 2)
    second = hashlib.sha256(b"1/2").digest()
    assert outcome(department, {}, {}) == (Result.APPLIED, "")
    assert outcome(department, {TRANSCRIPT: Held(1, 1)}, {}) == (Result.APPLIED, "")
    assert outcome(department, {TRANSCRIPT: Held(8, 1)}, {}) == (Result.IGNORED, "revision_not_above")
    assert outcome(department, {TRANSCRIPT: Held(9, 1)}, {}) == (Result.IGNORED, "revision_not_above")
    assert outcome(department, {TRANSCRIPT: Held(7, 2)}, {}) == (Result.REJECTED, "version_not_above")
    assert outcome(department, {}, {second: "another"}) == (Result.REJECTED, "document_held")


def test_withdrawal_needs_the_document(department: Department) -> None:
    department.issue(1, 1, kind=Kind.REVOKE)
    document = hashlib.sha256(b"1/1").digest()
    assert outcome(department, {TRANSCRIPT: Held(1, 1)}, {}) == (Result.REJECTED, "document_unknown")
    assert outcome(department, {TRANSCRIPT: Held(1, 1)}, {document: "another"}) == (Result.REJECTED, "document_unknown")
    assert outcome(department, {TRANSCRIPT: Held(1, 1)}, {document: TRANSCRIPT}) == (Result.APPLIED, "")


def test_version_and_its_withdrawal_in_one_batch(department: Department) -> None:
    department.issue(1, 1, kind=Kind.REVOKE)
    batch = examined(department, department.manifest())
    assert {one.result for one in decide(batch.records, {}, {})} == {Result.APPLIED}


def test_every_statement_kind_that_is_no_version_is_rejected(department: Department) -> None:
    record = department.issue(9, kind=Kind.EVIDENCE)
    batch = examined(department, department.manifest(replace(record, operation=Operation.NEW)))
    assert isinstance(batch.records[0], Finding)
    assert batch.records[0].code == "operation_differs"


VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
ODD = st.sampled_from([None, True, 0, -1, 1.5, 2**70, "", "x", "\u0660" * 12, [], [0], [1.5], {}, {"a": 0}, "PRIMARY", "NEW"])


def test_schema_and_reader_agree_on_what_is_right(department: Department) -> None:
    VALIDATOR.validate(json.loads(department.manifest()))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    department = Department.new(tmp_path_factory.mktemp("department"))
    department.issue(1)
    department.issue(2)
    return department.manifest()


def test_line_end_behind_a_number_is_wrong(small: bytes) -> None:
    record = json.loads(small)["records"][0] | {"personal_number": "012345678901\n"}
    with pytest.raises(SubmissionError, match="personal_number"):
        read_record(record, read_manifest(small).hashes)


@given(data=st.data())
def test_schema_and_reader_agree_on_what_is_wrong(data: st.DataObject, small: bytes) -> None:
    told = json.loads(small)
    target = data.draw(st.sampled_from([told, told["records"][0]]))
    name = data.draw(st.sampled_from(sorted(target)))
    if name in ("statement", "checkpoint"):
        return  # What these texts say no schema can tell.
    if data.draw(st.booleans()):
        target[name] = data.draw(ODD)
    else:
        del target[name]
    raw = json.dumps(told).encode()
    right = VALIDATOR.is_valid(json.loads(raw))
    try:
        manifest = read_manifest(raw)
        for one in manifest.records:
            read_record(one, manifest.hashes)
        read = True
    except SubmissionError:
        read = False
    # A place in `hashes` that isn't there is the one thing of these that the schema can't say.
    assert read == right or (right and ("hashes" in name or name == "path"))


def test_receipt_reads_as_it_was_written() -> None:
    outcomes = [Outcome(Result.APPLIED), Outcome(Result.REJECTED, "proof_broken", "không"), Outcome(Result.IGNORED, "revision_not_above")]
    receipt = RegisterReceipt.of("register.example", "2025-79", b"manifest", outcomes, AT)
    assert RegisterReceipt.read(receipt.text) == receipt
    assert read_results(write_results(outcomes)) == outcomes
    assert receipt.results == hashlib.sha256(write_results(outcomes)).digest()
    for wrong in (receipt.text + "x", receipt.text.replace("\n1\n", "\n01\n", 1), receipt.text.upper(), ""):
        with pytest.raises(SubmissionError):
            RegisterReceipt.read(wrong)


def test_each_check_has_a_cure() -> None:
    assert CHECKS.keys() == CURES.keys()
    assert all(all(texts) for table in (CHECKS, CURES) for texts in table.values())


def test_status_of_found_versions() -> None:
    def one(version: int, operation: str, revision: int, department: str = "2025-79") -> FoundRecord:
        document = hashlib.sha256(bytes([version])).digest()
        return FoundRecord(department, "", TRANSCRIPT, revision, version, operation, document, 2025, "PRIMARY", "", "https://a")

    records = [one(1, "NEW", 1), one(2, "UPDATE", 2), one(2, "CANCEL", 3), one(1, "NEW", 1, "2025-01")]
    assert [(found.record.version, found.status) for found in versions(records)] == [(1, "superseded"), (2, "withdrawn"), (1, "valid")]
