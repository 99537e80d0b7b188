"""Between the messages of `hocba.signing.v1` (and of grading and enrollment) and signing's own words."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.archive.v1 import events_pb2 as archive
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment
from hocba.grading.v1 import events_pb2 as grading
from hocba.signing.v1 import events_pb2 as events
from hocba.signing.v1 import signing_pb2 as rpc
from services.chassis.errors import Malformed
from services.chassis.identity import Actor
from services.chassis.requests import digest_for
from services.signing.application import approve_manifest, know_people, register_certificate, reject_manifest
from services.signing.application.ports import EntryRow, Failure, FailureSpot, ManifestRow, OpenRequest, Progress, Reason, Request
from services.signing.domain.cures import cure_for
from services.signing.domain.documents import DocumentKind
from services.signing.domain.events import CertificateMoved, ClassSigned, Event, FinishedTranscript, ManifestMoved, OrderReleased, RoleSigned
from services.signing.domain.orders import LineResult, Order, Step
from services.signing.domain.people import Appointment, Caller, StaffMember
from services.signing.domain.record import Level
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place, Ref, SealedClass, SealedPupil, SealedSheet

_ROLES = {
    SignatureRole.HOMEROOM_TEACHER: common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER,
    SignatureRole.PRINCIPAL: common_pb2.SIGNATURE_ROLE_PRINCIPAL,
    SignatureRole.SCHOOL_SEAL: common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL,
    SignatureRole.SUBJECT_TEACHER: common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER,
}
_LEVELS = {
    common_pb2.LEVEL_PRIMARY: Level.PRIMARY,
    common_pb2.LEVEL_LOWER_SECONDARY: Level.LOWER_SECONDARY,
    common_pb2.LEVEL_UPPER_SECONDARY: Level.UPPER_SECONDARY,
}
# A batch of outcomes is at most this many pupils per message: ids and digests, some 300 bytes each (half of 512 KiB).
_PUPILS_PER_MESSAGE = 800


def caller_of(actor: Actor) -> Caller:
    """The verified actor in signing's words."""
    return Caller(actor.account_id, actor.person_id, tuple((role.name, role.scope) for role in actor.roles), actor.service)


def request_of(message: Message, method: str, actor: Actor) -> Request:
    """Id and digest of a request that takes effect once."""
    return Request(getattr(message, "request_id"), method, digest_for(message, method, actor))  # noqa: B009  # Message has no such attribute for mypy.


def role_of(value: int) -> SignatureRole:
    """A role from the wire; an unknown one is refused."""
    for role, number in _ROLES.items():
        if number == value:
            return role
    raise Malformed(f"role {value} signs nothing; use SUBJECT_TEACHER, HOMEROOM_TEACHER, PRINCIPAL or SCHOOL_SEAL", code="role_unknown")


def uuid_of(message: Message, field: str) -> str:
    """An id of a request, checked to be a UUID."""
    value = str(getattr(message, field))
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise Malformed(f"{field} {value!r} is not a UUID", code=field) from None


def approval_of(request: rpc.ApproveManifestRequest, actor: Actor) -> approve_manifest.Command:
    """An approval as the use case takes it."""
    once = request_of(request, "ApproveManifest", actor)
    manifest_id = uuid_of(request, "manifest_id")
    return approve_manifest.Command(once, caller_of(actor), manifest_id, role_of(request.role), request.merkle_root)


def rejection_of(request: rpc.RejectManifestRequest, actor: Actor) -> reject_manifest.Command:
    """A rejection as the use case takes it."""
    once = request_of(request, "RejectManifest", actor)
    manifest_id = uuid_of(request, "manifest_id")
    return reject_manifest.Command(once, caller_of(actor), manifest_id, role_of(request.role), request.reason)


def registration_of(request: rpc.RegisterCertificateRequest, actor: Actor) -> register_certificate.Command:
    """A registration as the use case takes it."""
    return register_certificate.Command(
        request=request_of(request, "RegisterCertificate", actor),
        caller=caller_of(actor),
        school_id=uuid_of(request, "school_id"),
        role=role_of(request.role),
        staff_id=uuid_of(request, "staff_id") if request.staff_id else None,
        certificate=request.certificate,
        chain=tuple(request.chain),
        key_name=request.key_name,
        image=request.image,
    )


def order_of(message: events.SigningOrder) -> tuple[str, Step]:
    """Id and step of an order; the rest stands in the database."""
    try:
        return uuid_of(message, "order_id"), Step(message.step)
    except ValueError:
        raise Malformed(f"order {message.order_id}: step {message.step!r} is unknown here", code="step_unknown") from None


def optional_role_of(value: int) -> SignatureRole | None:
    """A role, or None for unspecified."""
    return None if value == common_pb2.SIGNATURE_ROLE_UNSPECIFIED else role_of(value)


def sealed_class_of(event: grading.ClassSealed, contents: Sequence[bytes], sheets: Sequence[bytes]) -> SealedClass:
    """What grading sealed; `contents` are the opened records of the sealed outcomes and `sheets` the opened sheets, each in order."""
    sealed = [outcome for outcome in event.outcomes if outcome.sealed]
    if len(sealed) != len(contents):
        raise Malformed(f"class {event.class_id}: {len(sealed)} sealed outcomes but {len(contents)} records", code="records_missing")
    if len(event.sheets) != len(sheets):
        raise Malformed(f"class {event.class_id}: {len(event.sheets)} sealed sheets but {len(sheets)} contents", code="sheets_missing")
    level = _LEVELS.get(event.level)
    if level is None:
        raise Malformed(f"class {event.class_id}: level {event.level} is unknown here", code="level_unknown")
    return SealedClass(
        place=Place(event.class_id, event.school_id, event.province_id),
        school_year=event.school_year,
        grade=event.grade,
        level=level.value,
        class_version=event.class_version,
        part=event.part,
        parts=max(event.parts, 1),
        sealed_at=event.sealed_at.ToDatetime(UTC),
        homeroom_staff_id=event.homeroom_staff_id or None,
        pupils=tuple(SealedPupil(_ref(outcome.transcript), content, outcome.corrections) for outcome, content in zip(sealed, contents, strict=True)),
        sheets=tuple(
            SealedSheet(_sheet_ref(item.sheet), content, item.responsible_staff_id or None) for item, content in zip(event.sheets, sheets, strict=True)
        ),
    )


def ordered_copy_of(event: archive.CopyOrdered) -> tuple[Place, Ref, bytes]:
    """A certified copy that the archive has ordered: where, which, and what it says."""
    ref = event.copy
    return (
        Place(event.class_id, event.school_id, event.province_id),
        Ref(ref.copy_id, "", 1, ref.content_digest, ref.public_id, DocumentKind.COPY),
        event.content,
    )


def school_fact_of(event: enrollment.SchoolRegistered) -> know_people.SchoolFact:
    """A school's facts."""
    return know_people.SchoolFact(event.school_id, event.province_id, event.version, event.name)


def homeroom_fact_of(event: enrollment.ClassFormed) -> know_people.HomeroomFact:
    """Who is homeroom teacher of a class."""
    return know_people.HomeroomFact(event.class_id, event.homeroom_staff_id or None, event.version)


def teaching_fact_of(event: enrollment.TeachingAssigned) -> know_people.TeachingFact:
    """Who is responsible for each subject: where the terms differ, the second term's teacher, who closes the year."""
    ranked = sorted((a for a in event.assignments if a.responsible), key=lambda a: a.term != common_pb2.TERM_1)
    return know_people.TeachingFact(event.class_id, event.version, {assignment.subject: assignment.staff_id for assignment in ranked})


def staff_fact_of(event: enrollment.StaffAppointed, profile: enrollment.StaffProfile) -> StaffMember:
    """A member of staff with the opened profile."""
    return StaffMember(
        event.staff_id,
        event.school_id,
        event.version,
        event.person_id,
        profile.full_name,
        tuple(Appointment(a.role, a.valid_from, a.valid_to, a.acts_for_staff_id, a.authority) for a in event.appointments),
    )


def messages_of(event: Event) -> list[Message]:
    """The messages that tell a fact, split where a class is very large."""
    if isinstance(event, OrderReleased):
        order = _order(event.order)
        return [events.ExpressSigningOrder(class_id=order.class_id, order=order) if event.express else order]
    if isinstance(event, ManifestMoved):
        return [_manifest_moved(event, part) for part in _parts(event.transcripts)]
    if isinstance(event, RoleSigned):
        return [_role_signed(event, part) for part in _parts(event.outcomes)]
    if isinstance(event, CertificateMoved):
        return [_certificate_moved(event)]
    return [_class_signed(event)]


def _order(order: Order) -> events.SigningOrder:
    return events.SigningOrder(
        class_id=order.place.class_id,
        order_id=order.order_id,
        step=order.step.value,
        manifest_id=order.manifest_id or "",
        role=_role(order.role),
        school_id=order.place.school_id,
        province_id=order.place.province_id,
        transcripts=_transcripts(order.lines),
        sheets=_sheets(order.lines),
    )


def _manifest_moved(event: ManifestMoved, part: Sequence[Ref]) -> events.ManifestMoved:
    return events.ManifestMoved(
        class_id=event.place.class_id,
        school_id=event.place.school_id,
        province_id=event.place.province_id,
        manifest_id=event.manifest_id,
        version=event.version,
        state=str(event.state),
        role=_role(event.role),
        merkle_root=event.merkle_root,
        transcripts=_transcripts(part),
        sheets=_sheets(part),
    )


def _role_signed(event: RoleSigned, part: Sequence[LineResult]) -> events.RoleSigned:
    message = events.RoleSigned(
        class_id=event.place.class_id,
        school_id=event.place.school_id,
        province_id=event.place.province_id,
        role=_role(event.role),
        manifest_id=event.manifest_id,
    )
    for result in part:
        # The code before the colon is for programs; what follows may quote a record, so it stays here.
        message.outcomes.add(**_named(result.ref), signed=not result.failure, reason=result.failure.split(":", 1)[0])
    return message


def _certificate_moved(event: CertificateMoved) -> events.CertificateMoved:
    return events.CertificateMoved(
        school_id=event.school_id,
        province_id=event.province_id,
        certificate_id=event.sha256.hex(),
        version=2 if event.revoked_at else 1,
        state="revoked" if event.revoked_at else "registered",
        role=_role(event.role),
        staff_id=event.staff_id or "",
        valid_from=_stamp(event.valid_from),
        valid_until=_stamp(event.valid_until),
        registered_at=_stamp(event.registered_at),
        revoked_at=_stamp(event.revoked_at) if event.revoked_at else None,
    )


def _class_signed(event: ClassSigned) -> events.TranscriptsSigned | events.SheetsSigned | events.CopiesSigned:
    about = {
        "class_id": event.place.class_id,
        "school_id": event.place.school_id,
        "province_id": event.place.province_id,
        "school_year": event.school_year,
        "manifest_id": event.manifest_id,
        "pack": event.pack,
        "pack_digest": event.pack_digest,
        "signed_at": _stamp(event.signed_at),
        "sealed_at": _stamp(event.sealed_at),
    }
    # A manifest lists documents of one kind, and so does what comes of it.
    if all(finished.ref.kind is DocumentKind.COPY for finished in event.transcripts):
        return events.CopiesSigned(**about, copies=[events.SignedCopy(**_named(f.ref), **_finished(f)) for f in event.transcripts])  # type: ignore[arg-type]
    if all(finished.ref.kind is DocumentKind.SHEET for finished in event.transcripts):
        return events.SheetsSigned(**about, sheets=[events.SignedSheet(**_named(f.ref), **_finished(f)) for f in event.transcripts])  # type: ignore[arg-type]
    return events.TranscriptsSigned(**about, transcripts=[events.SignedTranscript(**_named(f.ref), **_finished(f)) for f in event.transcripts])  # type: ignore[arg-type]


def _finished(finished: FinishedTranscript) -> dict[str, Any]:
    return {
        "sha256": finished.sha256,
        "size": finished.size,
        "template_version": finished.template_version,
        "signatures": [
            events.Signature(role=_role(s.role), certificate_serial=s.certificate_serial, signed_at=_stamp(s.signed_at)) for s in finished.signatures
        ],
    }


def summary_message(manifest: ManifestRow) -> rpc.ManifestSummary:
    """A manifest in brief."""
    return rpc.ManifestSummary(
        manifest_id=manifest.manifest_id,
        class_id=manifest.held.place.class_id,
        state=manifest.state.value,
        class_version=manifest.class_version,
        merkle_root=manifest.merkle_root,
        transcripts=manifest.transcripts if manifest.kind is DocumentKind.TRANSCRIPT else 0,
        copies=manifest.transcripts if manifest.kind is DocumentKind.COPY else 0,
        sheets=manifest.transcripts if manifest.kind is DocumentKind.SHEET else 0,
        subject=manifest.subject,
        responsible_staff_id=manifest.responsible_staff_id or "",
        approved=[_role(approval.role) for approval in manifest.approvals],
        signed=[_role(role) for role in manifest.signed],
        roles=[_role(role) for role in manifest.policy.roles],
        deputies=[_role(role) for role in manifest.policy.deputies],
        signature_level=manifest.policy.signature_level.value,
    )


def manifest_message(manifest: ManifestRow, entries: Iterable[EntryRow]) -> rpc.Manifest:
    """A manifest with its lines."""
    return rpc.Manifest(
        summary=summary_message(manifest),
        entries=[
            rpc.ManifestEntry(
                **_named(row.ref),
                template_version=row.entry.template_version,
                template_digest=row.entry.template_digest,
                body_digest=row.entry.body_digest,
                full_name=row.full_name,
                corrections=row.corrections,
            )
            for row in entries
        ],
    )


def open_digests_message(found: OpenRequest) -> rpc.OpenDigests:
    """An open request for the agent that may serve it."""
    request = found.request
    return rpc.OpenDigests(
        signing_request_id=request.request_id,
        order_id=request.order_id,
        manifest_id=request.manifest_id,
        merkle_root=found.merkle_root,
        school_name=found.school_name,
        class_id=request.place.class_id,
        school_year=found.school_year,
        grade=found.grade,
        role=_ROLES[request.role],
        expires_at=_stamp(request.expires_at),
        digests=[rpc.OpenDigest(intent_id=item.intent_id, digest=item.digest) for item in request.items],
    )


def optional_uuid_of(message: Message, field: str) -> str:
    """An id of a request, or empty."""
    return uuid_of(message, field) if getattr(message, field) else ""


def progress_answer(classes: Sequence[Progress], failures: Sequence[Failure]) -> rpc.GetProgressResponse:
    """How far classes are, each with its failures."""
    failed: dict[str, list[str]] = {}
    for failure in failures:
        failed.setdefault(failure.spot.class_id, []).append(f"{failure.spot.transcript_id}: {failure.reason}")
    return rpc.GetProgressResponse(
        classes=[
            rpc.ClassProgress(
                class_id=one.class_id,
                transcripts=one.transcripts,
                prepared=one.prepared,
                homeroom=one.of(SignatureRole.HOMEROOM_TEACHER).signed,
                principal=one.of(SignatureRole.PRINCIPAL).signed,
                seal=one.of(SignatureRole.SCHOOL_SEAL).signed,
                sheets=one.of(SignatureRole.SUBJECT_TEACHER).needed,
                sheets_signed=one.of(SignatureRole.SUBJECT_TEACHER).signed,
                failed=len(failed.get(one.class_id, ())),
                failures=failed.get(one.class_id, ()),
            )
            for one in classes
        ]
    )


def run_progress_answer(school_year: int, found: Sequence[Progress]) -> rpc.GetRunProgressResponse:
    """How far a run is, by province, school or class."""
    return rpc.GetRunProgressResponse(
        school_year=school_year,
        parts=[
            rpc.RunProgress(
                province_id=one.province_id,
                school_id=one.school_id,
                class_id=one.class_id,
                school_name=one.school_name,
                grade=one.grade,
                classes=one.classes,
                transcripts=one.transcripts,
                prepared=one.prepared,
                completed=one.completed,
                roles=[
                    rpc.RoleProgress(role=_ROLES[each.role], needed=each.needed, signed=each.signed, ordered=each.ordered, awaiting=each.turn - each.ordered)
                    for each in one.roles
                    if each.needed
                ],
                reasons=[_stuck(each) for each in one.reasons],
            )
            for one in found
        ],
    )


def _stuck(reason: Reason) -> rpc.StuckReason:
    cure = cure_for(reason.code, reason.waiting)
    return rpc.StuckReason(code=reason.code, waiting=reason.waiting, documents=reason.documents, cure=cure.vi, cure_en=cure.en)


def failures_answer(found: Sequence[Failure]) -> rpc.ListFailuresResponse:
    """Documents that don't go on, and where the next page begins."""
    told = []
    for one in found:
        cure = cure_for(one.code, one.waiting)
        told.append(
            rpc.StuckDocument(
                province_id=one.spot.province_id,
                school_id=one.spot.school_id,
                class_id=one.spot.class_id,
                transcript_id=one.spot.transcript_id,
                version=one.spot.version,
                sheet_subject=one.subject,
                code=one.code,
                reason=one.reason,
                waiting=one.waiting,
                cure=cure.vi,
                cure_en=cure.en,
            )
        )
    return rpc.ListFailuresResponse(documents=told, next="/".join(map(str, astuple(found[-1].spot))) if found else "")


def spot_of(text: str) -> FailureSpot:
    """Where a page begins, as the one before told it."""
    try:
        province_id, school_id, class_id, transcript_id, version = text.split("/")
        return FailureSpot(province_id, str(uuid.UUID(school_id)), str(uuid.UUID(class_id)), str(uuid.UUID(transcript_id)), int(version))
    except ValueError:
        raise Malformed(f"after {text!r} isn't the `next` of another answer", code="after") from None


T = TypeVar("T")


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _PUPILS_PER_MESSAGE] for start in range(0, max(len(items), 1), _PUPILS_PER_MESSAGE)]


def _ref(message: common_pb2.TranscriptRef) -> Ref:
    return Ref(message.transcript_id, message.pupil_id, message.version, message.content_digest, message.public_id)


def _ref_message(ref: Ref) -> common_pb2.TranscriptRef:
    return common_pb2.TranscriptRef(
        transcript_id=ref.transcript_id,
        pupil_id=ref.pupil_id,
        version=ref.version,
        content_digest=ref.content_digest,
        public_id=ref.public_id,
    )


def _sheet_ref(message: common_pb2.SheetRef) -> Ref:
    return Ref(message.sheet_id, "", message.version, message.content_digest, message.public_id, DocumentKind.SHEET, message.subject)


def _sheet_message(ref: Ref) -> common_pb2.SheetRef:
    return common_pb2.SheetRef(sheet_id=ref.transcript_id, version=ref.version, subject=ref.subject, content_digest=ref.content_digest, public_id=ref.public_id)


def _transcripts(refs: Iterable[Ref]) -> list[common_pb2.TranscriptRef]:
    return [_ref_message(ref) for ref in refs if ref.kind is DocumentKind.TRANSCRIPT]


def _sheets(refs: Iterable[Ref]) -> list[common_pb2.SheetRef]:
    return [_sheet_message(ref) for ref in refs if ref.kind is DocumentKind.SHEET]


def _named(ref: Ref) -> dict[str, Any]:
    """The one field of a message that says which document it is about."""
    if ref.kind is DocumentKind.COPY:
        return {"copy": common_pb2.CopyRef(copy_id=ref.transcript_id, content_digest=ref.content_digest, public_id=ref.public_id)}
    return {"sheet": _sheet_message(ref)} if ref.kind is DocumentKind.SHEET else {"transcript": _ref_message(ref)}


def _role(role: SignatureRole | None) -> common_pb2.SignatureRole.ValueType:
    return common_pb2.SIGNATURE_ROLE_UNSPECIFIED if role is None else _ROLES[role]


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp
