"""What the six services tell of a class up to its stage: the very messages, in the order of their causes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from hocba.archive.v1 import events_pb2 as archive_pb2
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from hocba.grading.v1 import events_pb2 as grading_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.simulate.nation import STAGES, YEAR, Class, School

_ENROLLED = datetime(2025, 9, 5, 1, tzinfo=UTC)
_SEALED = datetime(2026, 5, 21, 3, tzinfo=UTC)
_WAITS = {"no_number": "no_personal_number", "retake": "retake_in_summer"}
_ROLES = {
    "homeroom_signed": common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER,
    "principal_signed": common_pb2.SIGNATURE_ROLE_PRINCIPAL,
    "school_sealed": common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL,
}
_IDENTITIES = {"unchecked": "unchecked", "contradictory": "mismatched", "no_number": "unknown"}


def registered(school: School) -> Message:
    """The school."""
    return enrollment_pb2.SchoolRegistered(
        school_id=school.school_id, version=1, name=school.name, province_id=school.province_id, province_name=f"Tỉnh {school.province_id}"
    )


def told(of: Class) -> Iterator[tuple[Message, datetime]]:
    """(message, when it was announced). `unsigned` pupils lack the principal's signature, `refused` ones the archive's admission."""
    place: dict[str, Any] = {"school_id": of.school.school_id, "class_id": of.class_id}
    yield enrollment_pb2.ClassFormed(version=1, school_year=YEAR, grade=of.grade, name=of.name, province_id=of.school.province_id, **place), _ENROLLED
    roster = [
        enrollment_pb2.PupilRef(pupil_id=pupil, version=1, has_personal_number=kind != "no_number", identity_state=_IDENTITIES.get(kind, "matched"))
        for pupil, kind in zip(of.pupils, of.kinds, strict=True)
    ]
    yield enrollment_pb2.PupilsEnrolled(school_year=YEAR, pupils=roster, **place), _ENROLLED
    at = _SEALED + timedelta(days=of.day)
    place["province_id"] = of.school.province_id
    if of.stage >= STAGES.index("sealed"):
        outcomes = [
            grading_pb2.PupilOutcome(
                transcript=_ref(pupil, kind not in _WAITS), sealed=kind not in _WAITS, waiting_reasons=[_WAITS[kind]] if kind in _WAITS else []
            )
            for pupil, kind in zip(of.pupils, of.kinds, strict=True)
        ]
        yield grading_pb2.ClassSealed(school_year=YEAR, grade=of.grade, class_version=1, outcomes=outcomes, **place), at
    sealed = [(pupil, kind) for pupil, kind in zip(of.pupils, of.kinds, strict=True) if kind not in _WAITS]
    if sealed:
        yield from _signed(of.stage, place, sealed, at)


def _signed(stage: int, place: dict[str, Any], pupils: Sequence[tuple[str, str]], sealed_at: datetime) -> Iterator[tuple[Message, datetime]]:
    reached = STAGES[: stage + 1]
    for number, (step, role) in enumerate(_ROLES.items(), start=1):
        at = sealed_at + timedelta(hours=6 * number)
        if step in reached or (number == 1 and "approved" in reached):
            yield signing_pb2.ManifestMoved(state="approved", role=role, transcripts=[_ref(pupil) for pupil, _ in pupils], **place), at
        if step in reached:
            fails = "unsigned" if role == common_pb2.SIGNATURE_ROLE_PRINCIPAL else ""
            outcomes = [
                signing_pb2.PupilSigning(transcript=_ref(pupil), signed=kind != fails, reason="certificate_expired" if kind == fails else "")
                for pupil, kind in pupils
            ]
            yield signing_pb2.RoleSigned(role=role, outcomes=outcomes, **place), at + timedelta(hours=1)
            pupils = [(pupil, kind) for pupil, kind in pupils if kind != fails]
        if not pupils:
            return
    at = sealed_at + timedelta(hours=20)
    if "school_sealed" in reached:
        signed = [signing_pb2.SignedTranscript(transcript=_ref(pupil)) for pupil, _ in pupils]
        yield signing_pb2.TranscriptsSigned(school_year=YEAR, transcripts=signed, **place), at
    if "archived" in reached:
        admitted = [archive_pb2.ArchivedTranscript(transcript=_ref(pupil)) for pupil, kind in pupils if kind != "refused"]
        refused = [archive_pb2.RejectedTranscript(transcript=_ref(pupil), reason="signer_untrusted") for pupil, kind in pupils if kind == "refused"]
        if admitted:
            yield archive_pb2.TranscriptsArchived(school_year=YEAR, transcripts=admitted, **place), at + timedelta(hours=1)
        if refused:
            yield archive_pb2.TranscriptsRejected(school_year=YEAR, transcripts=refused, **place), at + timedelta(hours=1)


def _ref(pupil: str, sealed: bool = True) -> common_pb2.TranscriptRef:
    return common_pb2.TranscriptRef(transcript_id=pupil, pupil_id=pupil, version=1 if sealed else 0)
