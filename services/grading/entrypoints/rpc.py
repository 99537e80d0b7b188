"""The gRPC door of grading. Errors become statuses in the chassis; refusals of the rules become its errors on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grpc.aio import ServicerContext

from hocba.grading.v1 import grading_pb2 as pb
from hocba.grading.v1 import grading_pb2_grpc
from services.chassis.identity import current_actor
from services.grading.application.check_readiness import CheckReadiness
from services.grading.application.enter_later_results import EnterLaterResults
from services.grading.application.enter_sheet import EnterSheet
from services.grading.application.grant_window import GrantWindow
from services.grading.application.move_gradebook import ExportGradebook, ImportGradebook
from services.grading.application.read_gradebook import ReadGradebook, ReadHistory
from services.grading.application.record_decisions import RecordDecisions
from services.grading.application.reopen_scope import CloseScope, ReopenScope
from services.grading.application.seal_class import SealClass
from services.grading.application.set_subjects import SetSubjects
from services.grading.contracts import answers, commands
from services.grading.contracts.refusals import refusals_spoken

Context = ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the door leads to."""

    enter_sheet: EnterSheet
    enter_later_results: EnterLaterResults
    set_subjects: SetSubjects
    record_decisions: RecordDecisions
    read_gradebook: ReadGradebook
    read_history: ReadHistory
    check_readiness: CheckReadiness
    export_gradebook: ExportGradebook
    import_gradebook: ImportGradebook
    grant_window: GrantWindow
    seal_class: SealClass
    reopen_scope: ReopenScope
    close_scope: CloseScope


class GradingRPC(grading_pb2_grpc.GradingServicer):
    """gRPC face of grading."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    async def EnterSheet(self, request: pb.EnterSheetRequest, context: Context) -> pb.EnterSheetResponse:
        with refusals_spoken():
            return answers.sheet_saved_response(await self._use.enter_sheet(commands.enter_sheet_command(request, current_actor())))

    async def EnterHomeroom(self, request: pb.EnterHomeroomRequest, context: Context) -> pb.EnterHomeroomResponse:
        with refusals_spoken():
            saved = await self._use.enter_sheet(commands.enter_homeroom_command(request, current_actor()))
            found = answers.faults(saved.faults)
            return pb.EnterHomeroomResponse(version=saved.version, changed=saved.changed, unchanged=saved.unchanged, faults=found)

    async def SetSubjects(self, request: pb.SetSubjectsRequest, context: Context) -> pb.SetSubjectsResponse:
        with refusals_spoken():
            answer = await self._use.set_subjects(commands.set_subjects_command(request, current_actor()))
            return pb.SetSubjectsResponse(version=answer.version, faults=answers.faults(answer.faults))

    async def EnterLaterResult(self, request: pb.EnterLaterResultRequest, context: Context) -> pb.EnterLaterResultResponse:
        with refusals_spoken():
            entered = await self._use.enter_later_results(commands.later_results_command(request, current_actor()))
            return pb.EnterLaterResultResponse(changed=entered.changed, faults=answers.faults(entered.faults))

    async def RecordDecision(self, request: pb.RecordDecisionRequest, context: Context) -> pb.RecordDecisionResponse:
        with refusals_spoken():
            recorded = await self._use.record_decisions(commands.decisions_command(request, current_actor()))
            return pb.RecordDecisionResponse(changed=recorded.changed, faults=answers.faults(recorded.faults))

    async def GetGradebook(self, request: pb.GetGradebookRequest, context: Context) -> pb.GetGradebookResponse:
        with refusals_spoken():
            return answers.gradebook_response(await self._use.read_gradebook(commands.sheet_query(request, current_actor())))

    async def GetMarkHistory(self, request: pb.GetMarkHistoryRequest, context: Context) -> pb.GetMarkHistoryResponse:
        with refusals_spoken():
            return answers.history_response(await self._use.read_history(commands.sheet_query(request, current_actor())))

    async def GetReadiness(self, request: pb.GetReadinessRequest, context: Context) -> pb.GetReadinessResponse:
        with refusals_spoken():
            actor = current_actor()
            author = None if actor.service else commands.author_of(actor)
            return answers.readiness_response(await self._use.check_readiness(request.class_id, author))

    async def ExportGradebook(self, request: pb.ExportGradebookRequest, context: Context) -> pb.ExportGradebookResponse:
        with refusals_spoken():
            document, name = await self._use.export_gradebook(commands.sheet_query(request, current_actor()), request.format)
            return pb.ExportGradebookResponse(document=document, file_name=name)

    async def ImportGradebook(self, request: pb.ImportGradebookRequest, context: Context) -> pb.ImportGradebookResponse:
        with refusals_spoken():
            saved = await self._use.import_gradebook(commands.import_command(request, current_actor()))
            return pb.ImportGradebookResponse(changed=saved.changed, unchanged=saved.unchanged, faults=answers.faults(saved.faults))

    async def GrantWindow(self, request: pb.GrantWindowRequest, context: Context) -> pb.GrantWindowResponse:
        with refusals_spoken():
            return pb.GrantWindowResponse(version=await self._use.grant_window(commands.lease_of(request)))

    async def SealClass(self, request: pb.SealClassRequest, context: Context) -> pb.SealClassResponse:
        with refusals_spoken():
            return answers.seal_response(await self._use.seal_class(commands.seal_command(request)))

    async def ReopenScope(self, request: pb.ReopenScopeRequest, context: Context) -> pb.ReopenScopeResponse:
        with refusals_spoken():
            return pb.ReopenScopeResponse(class_version=await self._use.reopen_scope(commands.reopen_command(request)))

    async def CloseScope(self, request: pb.CloseScopeRequest, context: Context) -> pb.CloseScopeResponse:
        with refusals_spoken():
            return pb.CloseScopeResponse(marks_changed=await self._use.close_scope(request.unlock_id, request.class_id))
