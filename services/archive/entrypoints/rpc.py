"""gRPC face of the archive."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hocba.archive.v1 import archive_pb2, archive_pb2_grpc
from services.archive import contracts
from services.archive.application.check_log import CheckLog
from services.archive.application.get_evidence import GetEvidence
from services.archive.application.get_proof import GetCheckpoint, GetProof
from services.archive.application.get_sheet import GetSheet, ListSheets
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.list_accesses import ListAccesses
from services.archive.application.list_rejected import ListRejected
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.ports import Entry, SheetEntry
from services.archive.application.record_access import RecordAccess
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
    record_access: RecordAccess
    list_accesses: ListAccesses

    async def GetTranscript(self, request: archive_pb2.GetTranscriptRequest, context: Any) -> archive_pb2.GetTranscriptResponse:
        entry, pdf = await self.get_transcript(contracts.viewer_of(current_actor()), request.transcript_id, request.version)
        await self._record(context, "transcript", [entry])
        return archive_pb2.GetTranscriptResponse(pdf=pdf, entry=contracts.entry(entry))

    async def ListTranscripts(self, request: archive_pb2.ListTranscriptsRequest, context: Any) -> archive_pb2.ListTranscriptsResponse:
        wanted = contracts.list_filter(request)
        entries, token = await self.list_transcripts(contracts.viewer_of(current_actor()), wanted, request.page_token)
        await self._record(context, "transcripts", entries, contracts.sought(request))
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
        await self._record(context, "sheet", [entry])
        return archive_pb2.GetSheetResponse(pdf=pdf, entry=contracts.sheet_entry(entry))

    async def ListSheets(self, request: archive_pb2.ListSheetsRequest, context: Any) -> archive_pb2.ListSheetsResponse:
        entries, token = await self.list_sheets(contracts.viewer_of(current_actor()), contracts.sheet_filter(request), request.page_token)
        await self._record(context, "sheets", entries, contracts.sought(request))
        return archive_pb2.ListSheetsResponse(entries=[contracts.sheet_entry(item) for item in entries], next_page_token=token)

    async def GetEvidence(self, request: archive_pb2.GetEvidenceRequest, context: Any) -> archive_pb2.GetEvidenceResponse:
        viewer = contracts.viewer_of(current_actor())
        entry: Entry | SheetEntry
        if request.HasField("sheet_id"):
            entry, evidence = await self.get_evidence.of_sheet(viewer, request.sheet_id, request.version)
        else:
            entry, evidence = await self.get_evidence.of_transcript(viewer, request.transcript_id, request.version)
        await self._record(context, "evidence", [entry])
        return contracts.evidence(evidence)

    async def GetProof(self, request: archive_pb2.GetProofRequest, context: Any) -> archive_pb2.GetProofResponse:
        return contracts.proof(await self.get_proof(request.public_id))

    async def GetCheckpoint(self, request: archive_pb2.GetCheckpointRequest, context: Any) -> archive_pb2.GetCheckpointResponse:
        return contracts.checkpoint(*await self.get_checkpoint())

    async def ListAccesses(self, request: archive_pb2.ListAccessesRequest, context: Any) -> archive_pb2.ListAccessesResponse:
        lines, token = await self.list_accesses(contracts.viewer_of(current_actor()), contracts.access_filter(request), request.page_token)
        return archive_pb2.ListAccessesResponse(entries=[contracts.access_entry(line) for line in lines], next_page_token=token)

    async def _record(self, context: Any, action: str, answered: Iterable[Entry | SheetEntry], sought: str = "") -> None:
        metadata = dict(context.invocation_metadata() or ())
        await self.record_access(contracts.accesses(current_actor(), metadata, current_traceparent(), action, answered, sought))
