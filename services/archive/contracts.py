"""Protobuf <-> domain: the one file of the archive that knows both."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.archive.v1 import archive_pb2, events_pb2
from hocba.common.v1 import common_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive.application.access_ports import AccessFilter
from services.archive.application.check_log import LogInspection
from services.archive.application.dossier_ports import Recipient
from services.archive.application.get_evidence import Evidence
from services.archive.application.log_ports import LogHead, SignedCheckpoint
from services.archive.application.ports import AdmittedSheet, AdmittedVersion, Entry, Filter, RejectedEntry, SheetEntry, Status, Viewer
from services.archive.application.receive_dossier import Receipt
from services.archive.application.revocation_ports import Caller
from services.archive.application.submission_ports import OpenBatch, Submittable
from services.archive.domain.access_line import Access, AccessLine, ReadDocument
from services.archive.domain.copies import CertifiedCopy, CopyRef, SignedCopies, SignedCopy
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL, SUBJECT_TEACHER
from services.archive.domain.dossier import Dossier
from services.archive.domain.log_proof import LogProof
from services.archive.domain.revocation import Decision, IssuedVersion, Person, Revocation, RevocationReason
from services.archive.domain.status_list import StatusProof
from services.archive.domain.submission import Outcome, RegisterReceipt
from services.archive.domain.transcript import Rejection, SheetRef, SignedClass, SignedDocument, SignedSheet, SignedSheets, TranscriptRef
from services.chassis.errors import Malformed
from services.chassis.identity import Actor

ROLE_NAMES = {
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER: HOMEROOM_TEACHER,
    common_pb2.SIGNATURE_ROLE_PRINCIPAL: PRINCIPAL,
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL: SCHOOL_SEAL,
    common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER: SUBJECT_TEACHER,
}
PURPOSE_KEY = "hocba-purpose"
"""Metadata in which a caller says what a reading is for."""
_PURPOSE = re.compile(r"[-A-Za-z0-9_.:/]{0,64}", re.ASCII)
_TOLD = ("account_id", "person_id", "roles", "action", "document_id", "version", "entries", "sought", "school_id", "purpose", "trace_id")
STATUS_VALID, STATUS_SUPERSEDED, STATUS_REVOKED, STATUS_UNKNOWN = "valid", "superseded", "revoked", "unknown"


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


def signed_sheets(event: signing_pb2.SheetsSigned) -> SignedSheets:
    """The class-subject sheets that signing announced; Malformed when an id, a digest or a version can't be one."""
    for name, text in (("class_id", event.class_id), ("school_id", event.school_id), ("manifest_id", event.manifest_id)):
        _uuid(name, text)
    return SignedSheets(
        class_id=event.class_id,
        school_id=event.school_id,
        province_id=event.province_id,
        school_year=event.school_year,
        manifest_id=event.manifest_id,
        pack=event.pack,
        documents=tuple(_signed_sheet(item) for item in event.sheets),
    )


def transcripts_archived(signed: SignedClass, versions: Sequence[AdmittedVersion], leaf_ids: Sequence[int], at: datetime) -> events_pb2.TranscriptsArchived:
    """The event for what was admitted."""
    return events_pb2.TranscriptsArchived(
        class_id=signed.class_id,
        school_id=signed.school_id,
        province_id=signed.province_id,
        school_year=signed.school_year,
        transcripts=[
            events_pb2.ArchivedTranscript(transcript=_ref(version.ref), sha256=version.sha256, supersedes=version.supersedes, register_index=leaf_id)
            for version, leaf_id in zip(versions, leaf_ids, strict=True)
        ],
        archived_at=_timestamp(at),
    )


def sheets_archived(signed: SignedSheets, sheets: Sequence[AdmittedSheet], leaf_ids: Sequence[int], at: datetime) -> events_pb2.SheetsArchived:
    """The event for sheets that were admitted."""
    return events_pb2.SheetsArchived(
        class_id=signed.class_id,
        school_id=signed.school_id,
        province_id=signed.province_id,
        school_year=signed.school_year,
        sheets=[
            events_pb2.ArchivedSheet(sheet=_sheet_ref(sheet.ref), sha256=sheet.sha256, register_index=leaf_id)
            for sheet, leaf_id in zip(sheets, leaf_ids, strict=True)
        ],
        archived_at=_timestamp(at),
    )


def transcript_revoked(revocation: Revocation, leaf_id: int) -> events_pb2.TranscriptRevoked:
    """The event for a revocation that holds."""
    version = revocation.version
    assert revocation.revoked_at is not None
    return events_pb2.TranscriptRevoked(
        class_id=version.class_id,
        school_id=version.school_id,
        province_id=version.province_id,
        school_year=version.school_year,
        transcript=_ref(version.ref),
        reason=revocation.decision.reason,
        decision_number=revocation.decision.number,
        revoked_at=_timestamp(revocation.revoked_at),
        register_index=leaf_id,
    )


def copy_ordered(copy: CertifiedCopy) -> events_pb2.CopyOrdered:
    """The event that has a copy made."""
    source, ref = copy.source, copy.ref
    return events_pb2.CopyOrdered(
        class_id=source.class_id,
        school_id=source.school_id,
        province_id=source.province_id,
        school_year=source.school_year,
        copy=common_pb2.CopyRef(copy_id=ref.copy_id, content_digest=ref.content_digest, public_id=ref.public_id),
        content=copy.content,
        ordered_at=_timestamp(copy.ordered_at),
    )


def signed_copies(event: signing_pb2.CopiesSigned) -> SignedCopies:
    """The certified copies that signing announced; Malformed when an id or a digest can't be one."""
    for item in event.copies:
        _uuid("copy_id", item.copy.copy_id)
        if len(item.copy.content_digest) != 32 or len(item.sha256) != 32 or not item.copy.public_id:
            raise Malformed(f"copy {item.copy.copy_id}: digests or public id are missing; announce them", code="incomplete_reference")
    return SignedCopies(
        event.pack,
        tuple(
            SignedCopy(CopyRef(item.copy.copy_id, item.copy.content_digest, item.copy.public_id), item.sha256, item.size, _serials(item.signatures))
            for item in event.copies
        ),
    )


def rejected_event(signed: SignedClass | SignedSheets, rejections: Sequence[Rejection]) -> events_pb2.TranscriptsRejected | events_pb2.SheetsRejected:
    """The event for what was refused."""
    place = {"class_id": signed.class_id, "school_id": signed.school_id, "province_id": signed.province_id}
    refused = [(item.document.ref, {"reason": str(item.reason), "detail": item.detail}) for item in rejections]
    if isinstance(signed, SignedSheets):
        sheets = [events_pb2.RejectedSheet(sheet=_sheet_ref(ref), **why) for ref, why in refused if isinstance(ref, SheetRef)]
        return events_pb2.SheetsRejected(**place, school_year=signed.school_year, sheets=sheets)
    transcripts = [events_pb2.RejectedTranscript(transcript=_ref(ref), **why) for ref, why in refused if isinstance(ref, TranscriptRef)]
    return events_pb2.TranscriptsRejected(**place, school_year=signed.school_year, transcripts=transcripts)


def viewer_of(actor: Actor) -> Viewer:
    """Whose rows the actor may read."""
    if actor.service or any(role.scope == "nation" for role in actor.roles):
        return Viewer(everything=True)
    if provinces := actor.scoped("province"):
        return Viewer(province=provinces[0])
    if schools := actor.scoped("school"):
        return Viewer(schools=schools)
    return Viewer(classes=actor.scoped("class"))


def caller_of(actor: Actor) -> Caller:
    """Who calls, and whose rows this person may see."""
    return Caller(Person(actor.account_id, actor.person_id), viewer_of(actor))


def decision(request: archive_pb2.RevokeTranscriptRequest) -> Decision:
    """The decision of a request; Malformed when reason, date or an id can't be one."""
    _uuid("revocation_id", request.revocation_id)
    _uuid("transcript_id", request.transcript_id)
    if request.reason not in set(RevocationReason):
        raise Malformed(f"reason {request.reason!r} is unknown; use one of {', '.join(RevocationReason)}", code="reason")
    try:
        day = date.fromisoformat(request.decision_date)
    except ValueError as error:
        raise Malformed(f"decision_date {request.decision_date!r} is no date; write it like 2026-06-30", code="decision_date") from error
    return Decision(RevocationReason(request.reason), request.decision_number, day, request.decision_sha256)


def revocation_id(request: archive_pb2.ConfirmRevocationRequest) -> str:
    """The id of a request; Malformed when it can't be one."""
    _uuid("revocation_id", request.revocation_id)
    return request.revocation_id


def ordered_copy(request: archive_pb2.OrderCopyRequest) -> tuple[str, str, int]:
    """(copy's id, transcript's id, version) of an order; Malformed when one can't be one."""
    _uuid("copy_id", request.copy_id)
    _uuid("transcript_id", request.transcript_id)
    return request.copy_id, request.transcript_id, request.version


def ordered_extract(request: archive_pb2.OrderExtractRequest) -> tuple[str, str, int, list[str]]:
    """(copy's id, transcript's id, version, parts) of an order; Malformed when an id can't be one."""
    _uuid("copy_id", request.copy_id)
    _uuid("transcript_id", request.transcript_id)
    return request.copy_id, request.transcript_id, request.version, list(request.parts)


def copy_id(request: archive_pb2.GetCopyRequest | archive_pb2.GetEvidenceRequest) -> str:
    """The id of a copy; Malformed when it can't be one."""
    _uuid("copy_id", request.copy_id)
    return request.copy_id


def copy(found: CertifiedCopy) -> archive_pb2.CopyResponse:
    """A copy or an extract for the wire: who ordered it stays in the archive."""
    return archive_pb2.CopyResponse(
        copy_id=found.ref.copy_id,
        state="issued" if found.issued_at else "ordered",
        number=found.number_text,
        public_id=found.ref.public_id,
        transcript_id=found.source.ref.transcript_id,
        version=found.source.ref.version,
        school_id=found.source.school_id,
        ordered_at=_timestamp(found.ordered_at),
        issued_at=_timestamp(found.issued_at) if found.issued_at else None,
        sha256=found.sha256 or b"",
        parts=found.parts,
    )


def revocation(found: Revocation) -> archive_pb2.RevocationResponse:
    """A revocation for the wire: who has asked and confirmed stays in the archive."""
    ref, told = found.version.ref, found.decision
    return archive_pb2.RevocationResponse(
        revocation_id=found.revocation_id,
        state="revoked" if found.revoked_at else "requested",
        transcript_id=ref.transcript_id,
        version=ref.version,
        public_id=ref.public_id,
        school_id=found.version.school_id,
        reason=told.reason,
        decision_number=told.number,
        decision_date=told.day.isoformat(),
        decision_sha256=told.sha256,
        requested_at=_timestamp(found.requested_at),
        revoked_at=_timestamp(found.revoked_at) if found.revoked_at else None,
    )


def read_document(of: Entry | SheetEntry | IssuedVersion) -> ReadDocument:
    """What the access log says of something that an answer holds."""
    document_id = of.ref.sheet_id if isinstance(of.ref, SheetRef) else of.ref.transcript_id
    return ReadDocument(document_id, of.ref.version, of.school_id, of.province_id if isinstance(of, IssuedVersion) else of.place.province_id)


def accesses(
    actor: Actor, metadata: Mapping[str, str | bytes], traceparent: str, action: str, answered: Iterable[ReadDocument], sought: str = ""
) -> list[Access]:
    """What to write down of an answer: a line for each document in it, or, when `sought` says what a list was narrowed to, for each school."""
    counted = Counter(ReadDocument("", 0, one.school_id, one.province_id) if sought else one for one in answered)
    return [
        Access(
            account_id=actor.account_id,
            person_id=actor.person_id,
            roles=tuple(f"{role.name}@{role.scope}" for role in actor.roles),
            action=action,
            document_id=one.document_id,
            version=one.version,
            entries=count,
            sought=sought,
            school_id=one.school_id,
            province_id=one.province_id,
            purpose=purpose_of(metadata),
            trace_id=traceparent.split("-")[1] if traceparent else "",
        )
        for one, count in counted.items()
    ]


def purpose_of(metadata: Mapping[str, str | bytes]) -> str:
    """What a call is for, as its caller says; Malformed when it isn't short plain text, which could hold personal data."""
    text = str(metadata.get(PURPOSE_KEY, ""))
    if not _PURPOSE.fullmatch(text):
        raise Malformed(f"{PURPOSE_KEY} takes up to 64 of A-Z a-z 0-9 - _ . : /; send a code or a file number", code="purpose")
    return text


def access_filter(request: archive_pb2.ListAccessesRequest) -> AccessFilter:
    """Which accesses are asked for."""
    since, until = (getattr(request, name).ToDatetime(UTC) if request.HasField(name) else None for name in ("since", "until"))
    return AccessFilter(request.school_id, request.document_id, request.account_id, since, until)


def access_entry(line: AccessLine) -> archive_pb2.AccessEntry:
    """One line, from its body."""
    told = json.loads(line.body or "{}")
    return archive_pb2.AccessEntry(at=_timestamp(line.at), stream=line.stream, number=line.number, **{name: told[name] for name in _TOLD})


def sought(request: archive_pb2.ListTranscriptsRequest | archive_pb2.ListSheetsRequest) -> str:
    """What a list was narrowed to, in words for the access log."""
    return " ".join(f"{field.name}={value}" for field, value in request.ListFields() if field.name.endswith(("_id", "_year"))) or "everything"


def list_filter(request: archive_pb2.ListTranscriptsRequest) -> Filter:
    """What a list asks for."""
    return Filter(request.school_id, request.class_id, request.pupil_id, request.school_year)


def sheet_filter(request: archive_pb2.ListSheetsRequest) -> Filter:
    """Which sheets a list asks for."""
    return Filter(request.school_id, request.class_id, "", request.school_year)


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
        register_index=item.leaf_id,
        archived_at=_timestamp(item.admitted_at),
        class_id=item.class_id,
        school_id=item.school_id,
        school_year=item.school_year,
    )


def sheet_entry(item: SheetEntry) -> archive_pb2.SheetEntry:
    """A sheet's index entry for the wire."""
    return archive_pb2.SheetEntry(
        sheet=_sheet_ref(item.ref),
        sha256=item.sha256,
        size=item.size,
        root=item.root,
        rows=item.rows,
        register_index=item.leaf_id,
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
        status=STATUS_REVOKED if found.revoked_at else STATUS_SUPERSEDED if found.newer_public_id else STATUS_VALID,
        school_name=found.school_name,
        school_year=found.school_year,
        level=found.level,
        as_of=_timestamp(as_of),
        newer_public_id=found.newer_public_id,
        revoked_at=_timestamp(found.revoked_at) if found.revoked_at else None,
        decision_number=found.decision_number,
        kind=found.kind,
    )


def rejected(item: RejectedEntry) -> archive_pb2.RejectedEntry:
    """A refusal for the wire."""
    told = archive_pb2.RejectedEntry(class_id=item.class_id, reason=item.reason, detail=item.detail, rejected_at=_timestamp(item.rejected_at))
    if isinstance(item.ref, SheetRef):
        told.sheet.CopyFrom(_sheet_ref(item.ref))
    else:
        told.transcript.CopyFrom(_ref(item.ref))
    return told


def proof(found: LogProof | None, later: Iterable[LogProof] = (), status: StatusProof | None = None) -> archive_pb2.GetProofResponse:
    """A proof and those of what was said since, or that there is none yet."""
    if found is None:
        return archive_pb2.GetProofResponse()
    told = archive_pb2.GetProofResponse(final=True, proof=found.encoded(), log_index=found.index, later=[one.encoded() for one in later])
    if status is not None:
        told.status = status.encoded()
    return told


def recipient(caller: Caller, request: archive_pb2.ReceiveDossierRequest) -> Recipient:
    """Whose dossier it is to be; Malformed when an id is missing or can't be one."""
    _uuid("pupil_id", request.pupil_id)
    _uuid("school_id", request.school_id)
    if not request.province_id or not request.personal_number:
        raise Malformed("province_id and personal_number say whose dossier is expected where; give both", code="recipient")
    return Recipient(caller, request.school_id, request.province_id, request.pupil_id)


def receipt(found: Receipt) -> archive_pb2.ReceiveDossierResponse:
    """What became of a dossier."""
    told = archive_pb2.ReceiveDossierResponse(
        sha256=found.sha256, accepted=not found.reasons, already=found.already, reasons=found.reasons, missing_school_years=found.missing
    )
    for year, verdict in found.years:
        line = told.transcripts.add(school_year=year.name, school_name=year.told["school"]["name"], standing=verdict.log.standing.value)
        if (leaf := verdict.log.leaf) is not None:
            line.log = leaf.checkpoint.origin
            if leaf.at:
                line.as_of.CopyFrom(_timestamp(leaf.at))
    return told


def dossier(found: Dossier | None, waits_for: str) -> archive_pb2.GetDossierResponse:
    """A dossier, or what it waits for."""
    if found is None:
        return archive_pb2.GetDossierResponse(waits_for=waits_for)
    return archive_pb2.GetDossierResponse(dossier=found.encoded(), transcripts=len(found.years), missing_school_years=found.missing)


def checkpoint(final: SignedCheckpoint | None, head: LogHead) -> archive_pb2.GetCheckpointResponse:
    """How far the log is final."""
    waiting = head.sequenced + head.waiting - head.published
    if final is None:
        return archive_pb2.GetCheckpointResponse(waiting=waiting)
    return archive_pb2.GetCheckpointResponse(checkpoint=final.note, size=final.size, root=final.root, waiting=waiting)


def inspection(found: LogInspection) -> archive_pb2.VerifyRegisterResponse:
    """What rebuilding the log showed."""
    broken = found.first_broken
    return archive_pb2.VerifyRegisterResponse(
        entries=found.leaves, unbroken=found.whole, first_broken_index=0 if broken is None else broken + 1, head=found.root_database or b""
    )


def evidence(found: Evidence) -> archive_pb2.GetEvidenceResponse:
    """A document's evidence for the wire."""
    return archive_pb2.GetEvidenceResponse(
        version=found.version,
        sha256=found.sha256,
        record=found.record,
        stamped_at=[_timestamp(at) for at in found.stamped_at],
        good_until=_timestamp(found.good_until) if found.good_until else None,
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
        serials=_serials(item.signatures),
    )


def _signed_sheet(item: signing_pb2.SignedSheet) -> SignedSheet:
    ref = item.sheet
    _uuid("sheet_id", ref.sheet_id)
    if ref.version < 1 or len(ref.content_digest) != 32 or len(item.sha256) != 32 or not ref.public_id:
        raise Malformed(f"sheet {ref.sheet_id}: version, digests or public id are missing; announce them", code="incomplete_reference")
    return SignedSheet(
        ref=SheetRef(ref.sheet_id, ref.version, ref.subject, ref.content_digest, ref.public_id),
        sha256=item.sha256,
        size=item.size,
        serials=_serials(item.signatures),
    )


def _serials(signatures: Iterable[signing_pb2.Signature]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (ROLE_NAMES[signature.role], _serial(signature.certificate_serial))
        for signature in signatures
        if signature.role in ROLE_NAMES and signature.certificate_serial
    )


def _serial(text: str) -> str:
    return text.lower().replace(":", "").lstrip("0")


def _ref(ref: TranscriptRef) -> common_pb2.TranscriptRef:
    return common_pb2.TranscriptRef(
        transcript_id=ref.transcript_id, pupil_id=ref.pupil_id, version=ref.version, content_digest=ref.content_digest, public_id=ref.public_id
    )


def _sheet_ref(ref: SheetRef) -> common_pb2.SheetRef:
    return common_pb2.SheetRef(sheet_id=ref.sheet_id, version=ref.version, subject=ref.subject, content_digest=ref.content_digest, public_id=ref.public_id)


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _uuid(name: str, text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise Malformed(f"{name} {text!r} is not a UUID", code="not_a_uuid") from error


def submitted_event(batch: OpenBatch, group: Sequence[Submittable]) -> events_pb2.TranscriptsSubmitted:
    """One class's versions of a batch that is decided on."""
    at, first = Timestamp(), group[0]
    at.FromDatetime(batch.made_at)
    return events_pb2.TranscriptsSubmitted(
        class_id=first.class_id,
        school_id=first.school_id,
        province_id=batch.province_id,
        school_year=first.school_year,
        transcripts=[_ref(one.ref) for one in group],
        submitted_at=at,
    )


def acknowledged_event(batch: OpenBatch, group: Sequence[tuple[Submittable, Outcome]], receipt: RegisterReceipt) -> events_pb2.TranscriptsAcknowledged:
    """What the register's receipt says of one class's versions."""
    at, first = Timestamp(), group[0][0]
    at.FromDatetime(receipt.at)
    return events_pb2.TranscriptsAcknowledged(
        class_id=first.class_id,
        school_id=first.school_id,
        province_id=batch.province_id,
        school_year=first.school_year,
        transcripts=[
            events_pb2.AcknowledgedTranscript(transcript=_ref(one.ref), operation=one.operation.value, result=outcome.result.value, reason=outcome.reason)
            for one, outcome in group
        ],
        manifest_sha256=receipt.manifest,
        acknowledged_at=at,
    )
