"""gRPC face of the archive."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hocba.archive.v1 import archive_pb2, archive_pb2_grpc
from services.archive import contracts
from services.archive.application.check_log import CheckLog
from services.archive.application.confirm_revocation import ConfirmRevocation, ListRevocations
from services.archive.application.get_bundle import GetBundle
from services.archive.application.get_copy import GetCopy, ListCopies
from services.archive.application.get_dossier import GetDossier
from services.archive.application.get_evidence import GetEvidence
from services.archive.application.get_proof import GetCheckpoint, GetProof
from services.archive.application.get_sheet import GetSheet, ListSheets
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.list_accesses import ListAccesses
from services.archive.application.list_rejected import ListRejected
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.order_copy import OrderCopy
from services.archive.application.ports import Entry, SheetEntry
from services.archive.application.receive_dossier import ReceiveDossier
from services.archive.application.record_access import RecordAccess
from services.archive.application.request_revocation import RequestRevocation
from services.archive.domain.access_line import ReadDocument
from services.archive.domain.revocation import IssuedVersion
from services.chassis.identity import current_actor
from services.chassis.telemetry import current_traceparent


@dataclass(frozen=True)
class ArchiveRPC(archive_pb2_grpc.ArchiveServicer):
    """Errors become statuses in the chassis, not here."""

    get_transcript: GetTranscript
    list_transcripts: ListTranscripts
    get_status: GetStatus
    list_rejected: ListRejected
    check_log: CheckLog
    get_sheet: GetSheet
    list_sheets: ListSheets
    get_evidence: GetEvidence
    get_proof: GetProof
    get_checkpoint: GetCheckpoint
    request_revocation: RequestRevocation
    confirm_revocation: ConfirmRevocation
    list_revocations: ListRevocations
    order_copy: OrderCopy
    get_copy: GetCopy
    list_copies: ListCopies
    get_bundle: GetBundle
    get_dossier: GetDossier
    receive_dossier: ReceiveDossier
    record_access: RecordAccess
    list_accesses: ListAccesses

    async def GetTranscript(self, request: archive_pb2.GetTranscriptRequest, context: Any) -> archive_pb2.GetTranscriptResponse:
        entry, pdf = await self.get_transcript(contracts.viewer_of(current_actor()), request.transcript_id, request.version)
        await self._record(context, "transcript", [contracts.read_document(entry)])
        return archive_pb2.GetTranscriptResponse(pdf=pdf, entry=contracts.entry(entry))

    async def ListTranscripts(self, request: archive_pb2.ListTranscriptsRequest, context: Any) -> archive_pb2.ListTranscriptsResponse:
        wanted = contracts.list_filter(request)
        entries, token = await self.list_transcripts(contracts.viewer_of(current_actor()), wanted, request.page_token)
        await self._record(context, "transcripts", map(contracts.read_document, entries), contracts.sought(request))
        return archive_pb2.ListTranscriptsResponse(entries=[contracts.entry(item) for item in entries], next_page_token=token)

    async def GetStatus(self, request: archive_pb2.GetStatusRequest, context: Any) -> archive_pb2.GetStatusResponse:
        return contracts.status(*await self.get_status(request.public_id))

    async def ListRejected(self, request: archive_pb2.ListRejectedRequest, context: Any) -> archive_pb2.ListRejectedResponse:
        entries = await self.list_rejected(contracts.viewer_of(current_actor()), contracts.rejected_filter(request))
        return archive_pb2.ListRejectedResponse(entries=[contracts.rejected(item) for item in entries])

    async def VerifyRegister(self, request: archive_pb2.VerifyRegisterRequest, context: Any) -> archive_pb2.VerifyRegisterResponse:
        return contracts.inspection(await self.check_log(documents=False))

    async def GetSheet(self, request: archive_pb2.GetSheetRequest, context: Any) -> archive_pb2.GetSheetResponse:
        entry, pdf = await self.get_sheet(contracts.viewer_of(current_actor()), request.sheet_id, request.version)
        await self._record(context, "sheet", [contracts.read_document(entry)])
        return archive_pb2.GetSheetResponse(pdf=pdf, entry=contracts.sheet_entry(entry))

    async def ListSheets(self, request: archive_pb2.ListSheetsRequest, context: Any) -> archive_pb2.ListSheetsResponse:
        entries, token = await self.list_sheets(contracts.viewer_of(current_actor()), contracts.sheet_filter(request), request.page_token)
        await self._record(context, "sheets", map(contracts.read_document, entries), contracts.sought(request))
        return archive_pb2.ListSheetsResponse(entries=[contracts.sheet_entry(item) for item in entries], next_page_token=token)

    async def GetEvidence(self, request: archive_pb2.GetEvidenceRequest, context: Any) -> archive_pb2.GetEvidenceResponse:
        viewer = contracts.viewer_of(current_actor())
        entry: Entry | SheetEntry | IssuedVersion
        if request.HasField("copy_id"):
            copy, evidence = await self.get_evidence.of_copy(viewer, contracts.copy_id(request))
            entry = copy.source
        elif request.HasField("sheet_id"):
            entry, evidence = await self.get_evidence.of_sheet(viewer, request.sheet_id, request.version)
        else:
            entry, evidence = await self.get_evidence.of_transcript(viewer, request.transcript_id, request.version)
        await self._record(context, "evidence", [contracts.read_document(entry)])
        return contracts.evidence(evidence)

    async def GetProof(self, request: archive_pb2.GetProofRequest, context: Any) -> archive_pb2.GetProofResponse:
        found = await self.get_proof(request.public_id)
        status = await self.get_proof.status(found) if found else None
        return contracts.proof(found, await self.get_proof.later(request.public_id), status)

    async def GetCheckpoint(self, request: archive_pb2.GetCheckpointRequest, context: Any) -> archive_pb2.GetCheckpointResponse:
        return contracts.checkpoint(*await self.get_checkpoint())

    async def RevokeTranscript(self, request: archive_pb2.RevokeTranscriptRequest, context: Any) -> archive_pb2.RevocationResponse:
        caller, decision = contracts.caller_of(current_actor()), contracts.decision(request)
        return contracts.revocation(await self.request_revocation(caller, request.revocation_id, request.transcript_id, request.version, decision))

    async def ConfirmRevocation(self, request: archive_pb2.ConfirmRevocationRequest, context: Any) -> archive_pb2.RevocationResponse:
        return contracts.revocation(await self.confirm_revocation(contracts.caller_of(current_actor()), contracts.revocation_id(request)))

    async def ListRevocations(self, request: archive_pb2.ListRevocationsRequest, context: Any) -> archive_pb2.ListRevocationsResponse:
        found = await self.list_revocations(contracts.viewer_of(current_actor()), request.school_id, open_only=request.open_only)
        return archive_pb2.ListRevocationsResponse(revocations=[contracts.revocation(item) for item in found])

    async def OrderCopy(self, request: archive_pb2.OrderCopyRequest, context: Any) -> archive_pb2.CopyResponse:
        return contracts.copy(await self.order_copy(contracts.caller_of(current_actor()), *contracts.ordered_copy(request)))

    async def OrderExtract(self, request: archive_pb2.OrderExtractRequest, context: Any) -> archive_pb2.CopyResponse:
        return contracts.copy(await self.order_copy(contracts.caller_of(current_actor()), *contracts.ordered_extract(request)))

    async def GetCopy(self, request: archive_pb2.GetCopyRequest, context: Any) -> archive_pb2.GetCopyResponse:
        copy, pdf = await self.get_copy(contracts.viewer_of(current_actor()), contracts.copy_id(request))
        await self._record(context, "copy", [contracts.read_document(copy.source)])
        return archive_pb2.GetCopyResponse(copy=contracts.copy(copy), pdf=pdf)

    async def ListCopies(self, request: archive_pb2.ListCopiesRequest, context: Any) -> archive_pb2.ListCopiesResponse:
        found = await self.list_copies(contracts.viewer_of(current_actor()), request.school_id, request.year)
        return archive_pb2.ListCopiesResponse(copies=[contracts.copy(item) for item in found])

    async def GetBundle(self, request: archive_pb2.GetBundleRequest, context: Any) -> archive_pb2.GetBundleResponse:
        entry, bundle, waits_for = await self.get_bundle(contracts.viewer_of(current_actor()), request.transcript_id, request.version)
        await self._record(context, "bundle", [contracts.read_document(entry)])
        encoded = bundle.encoded() if bundle else b""
        return archive_pb2.GetBundleResponse(bundle=encoded, entry=contracts.entry(entry), waits_for=waits_for)

    async def GetDossier(self, request: archive_pb2.GetDossierRequest, context: Any) -> archive_pb2.GetDossierResponse:
        documents, dossier, waits_for = await self.get_dossier(contracts.viewer_of(current_actor()), request.pupil_id)
        await self._record(context, "dossier", documents)
        return contracts.dossier(dossier, waits_for)

    async def ReceiveDossier(self, request: archive_pb2.ReceiveDossierRequest, context: Any) -> archive_pb2.ReceiveDossierResponse:
        to = contracts.recipient(contracts.caller_of(current_actor()), request)
        return contracts.receipt(await self.receive_dossier(to, request.dossier, request.personal_number))

    async def ListAccesses(self, request: archive_pb2.ListAccessesRequest, context: Any) -> archive_pb2.ListAccessesResponse:
        lines, token = await self.list_accesses(contracts.viewer_of(current_actor()), contracts.access_filter(request), request.page_token)
        return archive_pb2.ListAccessesResponse(entries=[contracts.access_entry(line) for line in lines], next_page_token=token)

    async def _record(self, context: Any, action: str, answered: Iterable[ReadDocument], sought: str = "") -> None:
        metadata = dict(context.invocation_metadata() or ())
        await self.record_access(contracts.accesses(current_actor(), metadata, current_traceparent(), action, answered, sought))
