"""Protobuf <-> domain: the one file of the archive that knows both."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.archive.v1 import archive_pb2, events_pb2
from hocba.common.v1 import common_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive.application.ports import AdmittedVersion, Entry, Filter, RejectedEntry, Status, Viewer
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL
from services.archive.domain.register import Inspection
from services.archive.domain.transcript import Rejection, SignedClass, SignedDocument, TranscriptRef
from services.chassis.errors import Malformed
from services.chassis.identity import Actor

ROLE_NAMES = {
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER: HOMEROOM_TEACHER,
    common_pb2.SIGNATURE_ROLE_PRINCIPAL: PRINCIPAL,
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL: SCHOOL_SEAL,
}
STATUS_VALID, STATUS_SUPERSEDED, STATUS_UNKNOWN = "valid", "superseded", "unknown"


def signed_class(event: signing_pb2.TranscriptsSigned) -> SignedClass:
    """What signing announced; Malformed when an id, a digest or a version can't be one."""
    for name, text in (("class_id", event.class_id), ("school_id", event.school_id), ("manifest_id", event.manifest_id)):
        _uuid(name, text)
    return SignedClass(
        class_id=event.class_id,
        school_id=event.school_id,
        province_id=event.province_id,
        school_year=event.school_year,
        manifest_id=event.manifest_id,
        pack=event.pack,
        documents=tuple(_signed_document(item) for item in event.transcripts),
    )


def transcripts_archived(signed: SignedClass, versions: Sequence[AdmittedVersion], at: datetime) -> events_pb2.TranscriptsArchived:
    """The event for what was admitted."""
    return events_pb2.TranscriptsArchived(
        class_id=signed.class_id,
        school_id=signed.school_id,
        province_id=signed.province_id,
        school_year=signed.school_year,
        transcripts=[
            events_pb2.ArchivedTranscript(transcript=_ref(version.ref), sha256=version.sha256, supersedes=version.supersedes, register_index=version.index)
            for version in versions
        ],
        archived_at=_timestamp(at),
    )


def transcripts_rejected(signed: SignedClass, rejections: Sequence[Rejection]) -> events_pb2.TranscriptsRejected:
    """The event for what was refused."""
    return events_pb2.TranscriptsRejected(
        class_id=signed.class_id,
        school_id=signed.school_id,
        province_id=signed.province_id,
        school_year=signed.school_year,
        transcripts=[events_pb2.RejectedTranscript(transcript=_ref(item.document.ref), reason=item.reason, detail=item.detail) for item in rejections],
    )


def viewer_of(actor: Actor) -> Viewer:
    """Whose rows the actor may read."""
    if actor.service or any(role.scope == "nation" for role in actor.roles):
        return Viewer(everything=True)
    if provinces := actor.scoped("province"):
        return Viewer(province=provinces[0])
    if schools := actor.scoped("school"):
        return Viewer(schools=schools)
    return Viewer(classes=actor.scoped("class"))


def list_filter(request: archive_pb2.ListTranscriptsRequest) -> Filter:
    """What a list asks for."""
    return Filter(request.school_id, request.class_id, request.pupil_id, request.school_year)


def rejected_filter(request: archive_pb2.ListRejectedRequest) -> Filter:
    """Which refusals are asked for."""
    return Filter(request.school_id, request.class_id)


def entry(item: Entry) -> archive_pb2.TranscriptEntry:
    """An index entry for the wire."""
    return archive_pb2.TranscriptEntry(
        transcript=_ref(item.ref),
        sha256=item.sha256,
        size=item.size,
        supersedes=item.supersedes,
        superseded_by=item.superseded_by,
        register_index=item.index,
        register_hash=item.hash,
        archived_at=_timestamp(item.admitted_at),
        class_id=item.class_id,
        school_id=item.school_id,
        school_year=item.school_year,
    )


def status(found: Status | None, as_of: datetime) -> archive_pb2.GetStatusResponse:
    """The public answer; for an unknown id it holds nothing but that."""
    if found is None:
        return archive_pb2.GetStatusResponse(status=STATUS_UNKNOWN, as_of=_timestamp(as_of))
    return archive_pb2.GetStatusResponse(
        status=STATUS_VALID if found.latest else STATUS_SUPERSEDED,
        school_name=found.school_name,
        school_year=found.school_year,
        level=found.level,
        as_of=_timestamp(as_of),
    )


def rejected(item: RejectedEntry) -> archive_pb2.RejectedEntry:
    """A refusal for the wire."""
    return archive_pb2.RejectedEntry(
        transcript=_ref(item.ref), class_id=item.class_id, reason=item.reason, detail=item.detail, rejected_at=_timestamp(item.rejected_at)
    )


def inspection(found: Inspection) -> archive_pb2.VerifyRegisterResponse:
    """What following the register showed."""
    return archive_pb2.VerifyRegisterResponse(
        entries=found.head.entries,
        unbroken=found.first_broken is None,
        first_broken_index=found.first_broken or 0,
        head=found.head.hash,
    )


def _signed_document(item: signing_pb2.SignedTranscript) -> SignedDocument:
    ref = item.transcript
    _uuid("transcript_id", ref.transcript_id)
    _uuid("pupil_id", ref.pupil_id)
    if ref.version < 1 or len(ref.content_digest) != 32 or len(item.sha256) != 32 or not ref.public_id:
        raise Malformed(f"transcript {ref.transcript_id}: version, digests or public id are missing; announce them", code="incomplete_reference")
    return SignedDocument(
        ref=TranscriptRef(ref.transcript_id, ref.pupil_id, ref.version, ref.content_digest, ref.public_id),
        sha256=item.sha256,
        size=item.size,
        serials=tuple(
            (ROLE_NAMES[signature.role], _serial(signature.certificate_serial))
            for signature in item.signatures
            if signature.role in ROLE_NAMES and signature.certificate_serial
        ),
    )


def _serial(text: str) -> str:
    return text.lower().replace(":", "").lstrip("0")


def _ref(ref: TranscriptRef) -> common_pb2.TranscriptRef:
    return common_pb2.TranscriptRef(
        transcript_id=ref.transcript_id, pupil_id=ref.pupil_id, version=ref.version, content_digest=ref.content_digest, public_id=ref.public_id
    )


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _uuid(name: str, text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise Malformed(f"{name} {text!r} is not a UUID", code="not_a_uuid") from error
