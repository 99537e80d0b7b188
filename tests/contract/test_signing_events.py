"""What signing announces and consumes, field by field: producers must make these examples, consumers must take them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from hocba.archive.v1 import events_pb2 as archive
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment
from hocba.grading.v1 import events_pb2 as grading
from services.chassis.errors import Malformed
from services.signing import contracts
from services.signing.domain.copy_of_document import read_copy
from services.signing.domain.documents import DocumentKind
from services.signing.domain.events import CertificateMoved, ClassSigned, FinishedTranscript, ManifestMoved, OrderReleased, RoleSigned, SignatureMade
from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import LineResult, Order, Step
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.transcripts import Place, Ref

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"
AT = datetime(2026, 6, 2, 1, 0, tzinfo=UTC)
ID = "00000000-0000-0000-0000-00000000000{}".format
PLACE = Place(ID(1), ID(2), "2025-79")
REF = Ref(ID(3), ID(4), 2, sha256(b"record").digest(), "mfrggzdfmztwq2lknnwg23tp")
OTHER = replace(REF, transcript_id=ID(5), pupil_id=ID(6), version=1)
PREPARE = Order(ID(7), PLACE, Step.PREPARE, None, None, 0, AT, "released", (REF, OTHER))
SIGN = Order(ID(8), PLACE, Step.SIGN, ID(9), SignatureRole.PRINCIPAL, 0, AT, "released", (REF,))
ROOT = sha256(b"root").digest()
SIGNATURES = tuple(SignatureMade(role, f"{number}f3c", AT) for number, role in enumerate(DEFAULT_ORDER, start=1))
SHEET = Ref(ID(0), "", 1, sha256(b"sheet").digest(), "nbswy3dpnbswy3dpnbswy3dp", DocumentKind.SHEET, "toan")
SIGNED_SHEET = FinishedTranscript(SHEET, sha256(b"pdf").digest(), 45678, "class_subject/v1", (SignatureMade(SignatureRole.SUBJECT_TEACHER, "4f3c", AT),))
COPY = Ref(ID(8), "", 1, sha256(b"copy").digest(), "obswy3dpnbswy3dpnbswy3dp", DocumentKind.COPY)
SIGNED_COPY = FinishedTranscript(COPY, sha256(b"copy pdf").digest(), 56789, "copy/v1", (SignatureMade(SignatureRole.SCHOOL_SEAL, "3f3c", AT),))
CERTIFICATE = CertificateMoved(ID(2), "2025-79", sha256(b"certificate").digest(), SignatureRole.PRINCIPAL, ID(7), AT.replace(day=1), AT.replace(year=2029), AT)
FINISHED = FinishedTranscript(REF, sha256(b"pdf").digest(), 98765, "lower_secondary/v1", SIGNATURES)

PRODUCED: dict[str, Message] = {
    "SigningOrder/prepare": contracts.messages_of(OrderReleased(PREPARE, express=False))[0],
    "ExpressSigningOrder/one_pupil": contracts.messages_of(OrderReleased(SIGN, express=True))[0],
    "ManifestMoved/ready": contracts.messages_of(ManifestMoved(PLACE, ID(9), 1, ManifestState.READY, None, ROOT, (REF, OTHER)))[0],
    "ManifestMoved/approved": contracts.messages_of(ManifestMoved(PLACE, ID(9), 2, "approved", SignatureRole.HOMEROOM_TEACHER, ROOT, (REF, OTHER)))[0],
    "RoleSigned/one_failed": contracts.messages_of(
        RoleSigned(PLACE, SignatureRole.PRINCIPAL, ID(9), (LineResult(REF), LineResult(OTHER, "check_failed: told to nobody outside")))
    )[0],
    "ManifestMoved/of_a_sheet": contracts.messages_of(ManifestMoved(PLACE, ID(9), 2, "approved", SignatureRole.SUBJECT_TEACHER, ROOT, (SHEET,)))[0],
    "RoleSigned/of_a_sheet": contracts.messages_of(RoleSigned(PLACE, SignatureRole.SUBJECT_TEACHER, ID(9), (LineResult(SHEET),)))[0],
    "SheetsSigned/one_sheet": contracts.messages_of(
        ClassSigned(PLACE, 2025, ID(9), f"{ID(1)}/subject_teacher-00.zip", sha256(b"pack").digest(), (SIGNED_SHEET,), AT, AT)
    )[0],
    "RoleSigned/of_a_copy": contracts.messages_of(RoleSigned(PLACE, SignatureRole.SCHOOL_SEAL, ID(9), (LineResult(COPY),)))[0],
    "CopiesSigned/one_copy": contracts.messages_of(
        ClassSigned(PLACE, 2025, ID(9), f"{ID(1)}/school_seal-01.zip", sha256(b"pack").digest(), (SIGNED_COPY,), AT, AT)
    )[0],
    "CertificateMoved/registered": contracts.messages_of(CERTIFICATE)[0],
    "CertificateMoved/revoked": contracts.messages_of(replace(CERTIFICATE, revoked_at=AT.replace(day=20)))[0],
    "CertificateMoved/of_a_seal": contracts.messages_of(replace(CERTIFICATE, role=SignatureRole.SCHOOL_SEAL, staff_id=None))[0],
    "TranscriptsSigned/one_class": contracts.messages_of(
        ClassSigned(PLACE, 2025, ID(9), f"{ID(1)}/school_seal-00.zip", sha256(b"pack").digest(), (FINISHED,), AT, AT)
    )[0],
}


@pytest.mark.parametrize("case", PRODUCED)
def test_signing_makes_the_example(case: str) -> None:
    assert MessageToDict(PRODUCED[case], preserving_proto_field_name=True) == json.loads((EXAMPLES / f"{case}.json").read_text())


def test_reason_of_a_failure_is_its_code_and_quotes_no_record() -> None:
    (message,) = contracts.messages_of(RoleSigned(PLACE, SignatureRole.PRINCIPAL, ID(9), (LineResult(OTHER, "record_unreadable: $.pupil.name: …"),)))
    assert [outcome.reason for outcome in message.outcomes] == ["record_unreadable"]  # type: ignore[attr-defined]


def test_large_class_is_split_and_nobody_is_lost() -> None:
    many = tuple(replace(REF, version=number) for number in range(1, 2001))
    messages = contracts.messages_of(ManifestMoved(PLACE, ID(9), 1, ManifestState.READY, None, ROOT, many))
    assert [t.version for m in messages for t in m.transcripts] == list(range(1, 2001))  # type: ignore[attr-defined]
    assert max(m.ByteSize() for m in messages) < 512 * 1024


def test_signing_takes_a_sealed_class_of_grading() -> None:
    event = ParseDict(json.loads((EXAMPLES / "ClassSealed/one_sealed_one_waiting.json").read_text()), grading.ClassSealed())
    sealed = contracts.sealed_class_of(event, [b"record"], [b"sheet"])
    assert len(sealed.pupils) == 1
    assert sealed.pupils[0].content == b"record"
    assert sealed.class_version == event.class_version
    (sheet,) = sealed.sheets
    assert (sheet.content, sheet.ref.kind, sheet.ref.subject, sheet.ref.pupil_id) == (b"sheet", DocumentKind.SHEET, "toan", "")
    assert sheet.staff_id == event.sheets[0].responsible_staff_id
    with pytest.raises(Malformed, match="1 sealed sheets but 0 contents"):
        contracts.sealed_class_of(event, [b"record"], [])


def test_signing_takes_a_copy_that_the_archive_orders() -> None:
    event = ParseDict(json.loads((EXAMPLES / "CopyOrdered/one.json").read_text()), archive.CopyOrdered())
    place, ref, content = contracts.ordered_copy_of(event)
    copy = read_copy(content)
    assert (place.class_id, ref.kind, ref.version) == (event.class_id, DocumentKind.COPY, 1)
    assert (copy.copy_id, copy.public_id, copy.digest) == (ref.transcript_id, ref.public_id, ref.content_digest)


def test_signing_takes_an_extract_that_the_archive_orders() -> None:
    event = ParseDict(json.loads((EXAMPLES / "CopyOrdered/extract.json").read_text()), archive.CopyOrdered())
    _, ref, content = contracts.ordered_copy_of(event)
    extract = read_copy(content)
    assert (extract.form, ref.kind, extract.copy_id, extract.digest) == ("extract_secondary", DocumentKind.COPY, ref.transcript_id, ref.content_digest)


def test_where_terms_differ_the_second_terms_teacher_signs_the_years_sheet() -> None:
    told = json.loads((EXAMPLES / "TeachingAssigned/shared_subject.json").read_text())
    fact = contracts.teaching_fact_of(ParseDict(told, enrollment.TeachingAssigned()))
    assert fact.responsible == {"khtn": "00000000-0000-4000-8000-000000000023", "toan": "00000000-0000-4000-8000-000000000022"}
    assert (fact.class_id, fact.version) == (told["class_id"], 3)


def test_sealed_class_with_a_record_too_few_is_refused() -> None:
    event = ParseDict(json.loads((EXAMPLES / "ClassSealed/one_sealed_one_waiting.json").read_text()), grading.ClassSealed())
    with pytest.raises(Malformed, match="1 sealed outcomes but 0 records"):
        contracts.sealed_class_of(event, [], [b"sheet"])


def test_unknown_role_on_the_wire_is_refused_and_unspecified_means_any() -> None:
    with pytest.raises(Malformed):
        contracts.role_of(99)
    assert contracts.optional_role_of(common_pb2.SIGNATURE_ROLE_UNSPECIFIED) is None


if __name__ == "__main__":
    for name, message in PRODUCED.items():
        file = EXAMPLES / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        told = MessageToDict(message, preserving_proto_field_name=True)
        file.write_text(json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
