"""What the archive consumes and announces: the committed examples are taken and made exactly."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from hocba.archive.v1 import archive_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import contracts
from services.archive.application.check_log import Fault, LogInspection
from services.archive.application.log_ports import LogHead, SignedCheckpoint
from services.archive.application.ports import AdmittedSheet, AdmittedVersion, Location, Status
from services.archive.application.submission_ports import OpenBatch, Submittable
from services.archive.domain.class_sheets import SheetFacts
from services.archive.domain.copies import CertifiedCopy, CopyRef, content_of, number_text
from services.archive.domain.document import ROLES
from services.archive.domain.extracts import content_of_extract
from services.archive.domain.log_proof import LogProof
from services.archive.domain.revocation import Decision, IssuedVersion, Person, Revocation, RevocationReason
from services.archive.domain.submission import Operation, Outcome, RegisterReceipt, Result
from services.archive.domain.transcript import Rejection, SheetRef, SignedClass, SignedDocument, SignedSheet, SignedSheets, TranscriptRef
from services.chassis.errors import Malformed
from services.chassis.identity import Actor, Role
from tests.support.records import canonical, example

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"
AT = datetime(2026, 5, 31, 10, 0, tzinfo=UTC)
CLASS, SCHOOL, MANIFEST, FIRST, SECOND, PUPIL, OTHER = (f"00000000-0000-0000-0000-{number:012}" for number in range(1, 8))
REFS = (
    TranscriptRef(FIRST, PUPIL, 1, bytes(range(32)), "mfrggzdfmztwq2lkmfrggzdfmy"),
    TranscriptRef(SECOND, OTHER, 3, bytes(range(1, 33)), "nfrggzdfmztwq2lkmfrggzdfmy"),
)
SERIALS = tuple((role, serial) for role, serial in zip(ROLES, ("a1", "b2", "c3"), strict=True))
DOCUMENTS = tuple(SignedDocument(ref, bytes([number]) * 32, 60_000 + number, SERIALS) for number, ref in enumerate(REFS))
SIGNED = SignedClass(CLASS, SCHOOL, "2025-79", 2025, MANIFEST, "2025/class/pack.zip", DOCUMENTS)


SHEET = SheetRef("00000000-0000-0000-0000-000000000009", 1, "toan", bytes(range(64, 96)), "nbswy3dpnbswy3dpnbswy3dpnb")
SIGNED_SHEET = SignedSheet(SHEET, bytes([9]) * 32, 45_678, (("subject_teacher", "d4"),))
SHEETS = SignedSheets(CLASS, SCHOOL, "2025-79", 2025, MANIFEST, "2025/class/pack.zip", (SIGNED_SHEET,))
SHEET_FACTS = SheetFacts(SHEET.sheet_id, 1, SHEET.public_id, "toan", "LOWER_SECONDARY", "Trường", bytes(range(32, 64)), 30)

BATCH = OpenBatch(1, "2025-79", 0, 2, 2, b"note", AT)
SUBMITTABLE = [
    Submittable(number, list(Operation)[number], number, b"", ref, CLASS, SCHOOL, 2025, "PRIMARY", Location("", 0, 0, b"", "", "2025-79", True))
    for number, ref in enumerate(REFS)
]
OUTCOMES = [Outcome(Result.APPLIED), Outcome(Result.REJECTED, "pupil_unnamed", "neither")]
RECEIPT = RegisterReceipt("register.example", "2025-79", bytes([7]) * 32, 1, 0, 1, bytes(32), AT)


DECISION = Decision(RevocationReason.CONTENT_WRONG, "123/QĐ-SGDĐT", date(2026, 5, 30), bytes(range(2, 34)))
REVOCATION = Revocation(MANIFEST, IssuedVersion(REFS[1], bytes(32), CLASS, SCHOOL, "2025-79", 2025), DECISION, Person("a", "p"), AT, Person("b", "q"), AT)


SAID = content_of(
    MANIFEST,
    "pbswy3dpnbswy3dpnbswy3dpnb",
    number_text(12, 2026),
    REVOCATION.version,
    json.dumps({"level": "PRIMARY", "school_year": "2025-2026", "school": {"name": "Trường", "province": "Thành phố Hồ Chí Minh"}}).encode(),
)
ORDERED = CertifiedCopy(CopyRef(MANIFEST, sha256(SAID).digest(), "pbswy3dpnbswy3dpnbswy3dpnb"), 12, 2026, REVOCATION.version, SAID, "clerk", AT)
RECORD, PARTS = canonical(example()), ("subjects.toan", "results")
EXTRACT_SAYS = content_of_extract(FIRST, "qbswy3dpnbswy3dpnbswy3dpnb", number_text(13, 2026, is_extract=True), REVOCATION.version, RECORD, PARTS)
EXTRACT = replace(ORDERED, ref=CopyRef(FIRST, sha256(EXTRACT_SAYS).digest(), "qbswy3dpnbswy3dpnbswy3dpnb"), number=13, content=EXTRACT_SAYS, parts=PARTS)


def admitted(document: SignedDocument, supersedes: int) -> AdmittedVersion:
    return AdmittedVersion(document.ref, document.sha256, document.size, 100, supersedes, (), b"", "PRIMARY", "Trường")


def produced() -> dict[str, Message]:
    """Every event, by the example it must equal."""
    versions = [admitted(DOCUMENTS[0], 0), admitted(DOCUMENTS[1], 1)]
    return {
        "TranscriptsArchived/first_and_correction": contracts.transcripts_archived(SIGNED, versions, [41, 42], AT),
        "SheetsArchived/one": contracts.sheets_archived(SHEETS, [AdmittedSheet(SHEET, SHEET_FACTS, SIGNED_SHEET.sha256, 45_678, 100, b"")], [40], AT),
        "SheetsRejected/one": contracts.rejected_event(SHEETS, [Rejection(SIGNED_SHEET, "rows_differ", "the rows hash to 00")]),
        "CopyOrdered/one": contracts.copy_ordered(ORDERED),
        "CopyOrdered/extract": contracts.copy_ordered(EXTRACT),
        "TranscriptsSubmitted/one_class": contracts.submitted_event(BATCH, SUBMITTABLE),
        "TranscriptsAcknowledged/applied_and_rejected": contracts.acknowledged_event(BATCH, list(zip(SUBMITTABLE, OUTCOMES, strict=True)), RECEIPT),
        "TranscriptRevoked/one": contracts.transcript_revoked(REVOCATION, 43),
        "TranscriptsRejected/one": contracts.rejected_event(SIGNED, [Rejection(DOCUMENTS[0], "trailing_bytes", "12 bytes stand behind the end")]),
    }


@pytest.mark.parametrize("name", list(produced()))
def test_produced_event_is_the_committed_example(name: str) -> None:
    event, told = produced()[name], json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    assert MessageToDict(event, preserving_proto_field_name=True) == told
    assert ParseDict(told, type(event)()) == event


def signed_event() -> signing_pb2.TranscriptsSigned:
    told = json.loads((EXAMPLES / "TranscriptsSigned/class.json").read_text(encoding="utf-8"))
    return ParseDict(told, signing_pb2.TranscriptsSigned())


def test_announced_sheets_are_taken() -> None:
    told = json.loads((EXAMPLES / "SheetsSigned/one_sheet.json").read_text(encoding="utf-8"))
    signed = contracts.signed_sheets(ParseDict(told, signing_pb2.SheetsSigned()))
    (document,) = signed.documents
    assert (document.ref.subject, document.ref.version, document.serials) == ("toan", 1, (("subject_teacher", "4f3c"),))
    told["sheets"][0]["sheet"]["version"] = 0
    with pytest.raises(Malformed, match="version, digests"):
        contracts.signed_sheets(ParseDict(told, signing_pb2.SheetsSigned()))


def test_announced_class_is_taken() -> None:
    assert contracts.signed_class(signed_event()) == SIGNED


def test_fields_of_a_newer_producer_are_no_obstacle() -> None:
    unknown = bytes([0xFA, 0x7D, 0x03]) + b"new"  # Field 2015, length-delimited: nobody here knows it.
    event = signing_pb2.TranscriptsSigned.FromString(signed_event().SerializeToString() + unknown)
    assert contracts.signed_class(event) == SIGNED


def test_announced_copies_are_taken() -> None:
    told = json.loads((EXAMPLES / "CopiesSigned/one_copy.json").read_text(encoding="utf-8"))
    (document,) = contracts.signed_copies(ParseDict(told, signing_pb2.CopiesSigned())).documents
    assert (document.size, document.serials, document.file_name) == (56789, (("school_seal", "3f3c"),), f"{document.ref.copy_id}-v1.pdf")
    told["copies"][0]["sha256"] = ""
    with pytest.raises(Malformed, match="digests"):
        contracts.signed_copies(ParseDict(told, signing_pb2.CopiesSigned()))


@pytest.mark.parametrize("field", ["class_id", "school_id", "manifest_id"])
def test_announcement_with_a_broken_id_is_malformed(field: str) -> None:
    event = signed_event()
    setattr(event, field, "12")
    with pytest.raises(Malformed, match=field):
        contracts.signed_class(event)


def test_announcement_without_digests_is_malformed() -> None:
    event = signed_event()
    event.transcripts[0].sha256 = b""
    with pytest.raises(Malformed, match="digests"):
        contracts.signed_class(event)


@pytest.mark.parametrize("text", ["00A1", "a1", "A1", "0:A1"])
def test_certificate_serials_are_compared_as_numbers(text: str) -> None:
    event = signed_event()
    event.transcripts[0].signatures[0].certificate_serial = text
    assert contracts.signed_class(event).documents[0].serials[0] == (ROLES[0], "a1")


def test_unknown_and_malformed_public_ids_get_one_answer() -> None:
    unknown = contracts.status(None, AT)
    assert (unknown.status, unknown.school_name, unknown.school_year, unknown.level) == ("unknown", "", 0, "")
    assert (unknown.kind, unknown.newer_public_id, unknown.decision_number, unknown.HasField("revoked_at")) == ("", "", "", False)


def test_status_says_what_took_a_versions_place_or_withdrew_it() -> None:
    valid = contracts.status(Status("transcript", "Trường", 2025, "PRIMARY"), AT)
    superseded = contracts.status(Status("transcript", "Trường", 2025, "PRIMARY", "newer"), AT)
    revoked = contracts.status(Status("transcript", "Trường", 2025, "PRIMARY", "newer", AT, "12/QĐ-SGDĐT"), AT)
    assert [(item.status, item.newer_public_id, item.decision_number) for item in (valid, superseded, revoked)] == [
        ("valid", "", ""),
        ("superseded", "newer", ""),
        ("revoked", "newer", "12/QĐ-SGDĐT"),
    ]
    assert (revoked.revoked_at.ToDatetime(UTC), valid.HasField("revoked_at")) == (AT, False)
    names = {field.name for field in archive_pb2.GetStatusResponse.DESCRIPTOR.fields}
    public = {"status", "school_name", "school_year", "level", "as_of"}
    assert names == public | {"newer_public_id", "revoked_at", "decision_number", "kind"}


def test_inspection_is_told_with_the_broken_line() -> None:
    found = LogInspection(leaves=3, root_database=bytes(32))
    assert contracts.inspection(found).unbroken
    found.faults.append(Fault("document_differs", "2"))
    told = contracts.inspection(found)
    assert (told.entries, told.unbroken, told.first_broken_index, told.head) == (3, False, 3, bytes(32))


def test_log_answers() -> None:
    note = b"a note"
    told = contracts.checkpoint(SignedCheckpoint(7, bytes(32), note), LogHead(1, 9, 8, 7, 3))
    assert (told.checkpoint, told.size, told.root, told.waiting) == (note, 7, bytes(32), 5)
    assert contracts.checkpoint(None, LogHead(1, 0, 0, 0, 3)) == archive_pb2.GetCheckpointResponse(waiting=3)
    assert contracts.proof(None) == archive_pb2.GetProofResponse()
    proof = contracts.proof(LogProof(b"statement", 4, (bytes(32),), note))
    assert (proof.final, proof.log_index, LogProof.read(proof.proof).statement) == (True, 4, b"statement")


@pytest.mark.parametrize(
    ("scopes", "sees"),
    [
        (("nation",), (True, "", (), ())),
        (("province:2025-79",), (False, "2025-79", (), ())),
        ((f"school:{SCHOOL}",), (False, "", (SCHOOL,), ())),
        ((f"class:{CLASS}",), (False, "", (), (CLASS,))),
        ((), (False, "", (), ())),
    ],
)
def test_viewer_sees_what_the_widest_scope_of_the_token_gives(scopes: tuple[str, ...], sees: tuple[object, ...]) -> None:
    viewer = contracts.viewer_of(Actor("account", "person", tuple(Role("principal", scope) for scope in scopes)))
    assert (viewer.everything, viewer.province, viewer.schools, viewer.classes) == sees


def revoke_request(**changed: object) -> archive_pb2.RevokeTranscriptRequest:
    told: dict[str, object] = {
        "revocation_id": MANIFEST,
        "transcript_id": FIRST,
        "version": 3,
        "reason": "content_wrong",
        "decision_number": DECISION.number,
        "decision_date": "2026-05-30",
        "decision_sha256": DECISION.sha256,
    }
    return archive_pb2.RevokeTranscriptRequest(**{**told, **changed})  # type: ignore[arg-type]  # Fields by name.


def test_a_decision_is_taken_and_told_without_who_asked_and_who_confirmed() -> None:
    assert contracts.decision(revoke_request()) == DECISION
    told = contracts.revocation(REVOCATION)
    assert (told.state, told.version, told.decision_number, told.decision_date) == ("revoked", 3, DECISION.number, "2026-05-30")
    assert not [field.name for field in told.DESCRIPTOR.fields if "account" in field.name or "person" in field.name]


@pytest.mark.parametrize(("field", "value"), [("reason", "because"), ("decision_date", "30/05/2026"), ("revocation_id", "1"), ("transcript_id", "1")])
def test_a_request_to_revoke_that_cant_be_one_is_malformed(field: str, value: str) -> None:
    with pytest.raises(Malformed, match=field):
        contracts.decision(revoke_request(**{field: value}))


if __name__ == "__main__":
    for name, event in produced().items():
        file = EXAMPLES / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        told = MessageToDict(event, preserving_proto_field_name=True)
        file.write_text(json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
