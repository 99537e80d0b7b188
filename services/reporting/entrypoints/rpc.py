"""gRPC face of reporting."""

from dataclasses import dataclass
from typing import Any

from hocba.reporting.v1 import reporting_pb2, reporting_pb2_grpc
from services.chassis.clock import Clock
from services.chassis.identity import current_actor
from services.reporting import contracts
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.get_projection import GetProjection
from services.reporting.application.get_results import GetResults
from services.reporting.application.get_tally import GetTally
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.reconcile import Reconcile


@dataclass(frozen=True)
class ReportingRPC(reporting_pb2_grpc.ReportingServicer):
    """Errors become statuses in the chassis, not here."""

    get_coverage: GetCoverage
    list_missing: ListMissing
    get_class_status: GetClassStatus
    reconcile: Reconcile
    get_history: GetHistory
    get_results: GetResults
    get_projection: GetProjection
    clock: Clock
    get_staff: GetTally
    get_unlocks: GetTally
    expiring_days: int

    async def GetCoverage(self, request: reporting_pb2.GetCoverageRequest, context: Any) -> reporting_pb2.GetCoverageResponse:
        viewer, scope = contracts.viewer_of(current_actor()), (request.school_year, request.province_id, request.school_id)
        found = await self.get_coverage(viewer, *scope, contracts.parts_of(request))
        return contracts.coverage_answer(*found, self.clock.now())

    async def ListMissing(self, request: reporting_pb2.ListMissingRequest, context: Any) -> reporting_pb2.ListMissingResponse:
        viewer = contracts.viewer_of(current_actor())
        return contracts.missing_answer(await self.list_missing(viewer, request.school_year, request.school_id, request.class_id))

    async def GetClassStatus(self, request: reporting_pb2.GetClassStatusRequest, context: Any) -> reporting_pb2.GetClassStatusResponse:
        return contracts.class_status_answer(*await self.get_class_status(contracts.viewer_of(current_actor()), request.class_id))

    async def Reconcile(self, request: reporting_pb2.ReconcileRequest, context: Any) -> reporting_pb2.ReconcileResponse:
        return contracts.reconcile_answer(await self.reconcile(contracts.viewer_of(current_actor()), request.school_year, request.province_id))

    async def GetHistory(self, request: reporting_pb2.GetHistoryRequest, context: Any) -> reporting_pb2.GetHistoryResponse:
        scope, span = (request.school_year, request.province_id, request.school_id), contracts.span(request, self.clock.now())
        return contracts.history_answer(*await self.get_history(contracts.viewer_of(current_actor()), *scope, *span))

    async def GetStaffReadiness(self, request: reporting_pb2.GetStaffReadinessRequest, context: Any) -> reporting_pb2.GetStaffReadinessResponse:
        viewer, scope = contracts.viewer_of(current_actor()), (request.province_id, request.school_id)
        found = await self.get_staff(viewer, *scope, contracts.by_of(request))
        return contracts.staff_answer(*found, self.expiring_days, self.clock.now())

    async def GetUnlockStatistics(self, request: reporting_pb2.GetUnlockStatisticsRequest, context: Any) -> reporting_pb2.GetUnlockStatisticsResponse:
        viewer, scope, now = contracts.viewer_of(current_actor()), (request.province_id, request.school_id), self.clock.now()
        months = contracts.months_of(request.since_month, request.until_month, now)
        return contracts.unlock_answer(*await self.get_unlocks(viewer, *scope, contracts.by_of(request), *months), months, now)

    async def GetResults(self, request: reporting_pb2.GetResultsRequest, context: Any) -> reporting_pb2.GetResultsResponse:
        asked = (request.school_year, request.province_id, request.item, request.by_province)
        return contracts.results_answer(*await self.get_results(contracts.viewer_of(current_actor()), *asked))

    async def GetProjection(self, request: reporting_pb2.GetProjectionRequest, context: Any) -> reporting_pb2.GetProjectionResponse:
        viewer = contracts.viewer_of(current_actor())
        return contracts.projection_answer(await self.get_projection(viewer, request.province_id, request.years_ahead))
