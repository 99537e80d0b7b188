"""Reporting's parts, named and joined."""

from pathlib import Path

from hocba.reporting.v1 import reporting_pb2_grpc
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.entrypoints.consumers import ReportingConsumers
from services.reporting.entrypoints.historian import Historian
from services.reporting.entrypoints.rpc import ReportingRPC
from services.reporting.settings import ReportingSettings

SETTINGS = ReportingSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "history")}


def rebuild_counters(service: Service) -> RebuildCounters:
    """The operator's recount."""
    return RebuildCounters(PostgresReadModel(service.database))


def build(settings: ReportingSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service = Service("reporting", settings)
    model, figures = PostgresReadModel(service.database), PostgresFigures(service.database)
    clock = SystemClock()
    history = PostgresHistory(service.database)
    rpc = ReportingRPC(
        get_coverage=GetCoverage(figures),
        list_missing=ListMissing(figures),
        get_class_status=GetClassStatus(figures),
        reconcile=Reconcile(figures),
        clock=clock,
        get_history=GetHistory(figures, history),
    )
    service.add_rpc("hocba.reporting.v1.Reporting", lambda server: reporting_pb2_grpc.add_ReportingServicer_to_server(rpc, server))
    service.add_consumers(ReportingConsumers(ApplyNews(model), KeepDetails(model)))
    service.add_background("history", Historian(TakeSnapshot(history, clock)).run)
    return service
