"""Reporting's parts, named and joined."""

from pathlib import Path

from hocba.reporting.v1 import reporting_pb2_grpc
from services.chassis import web
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.chassis.identity import TokenVerifier
from services.chassis.rpc import access_table
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.results import PostgresResults
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.count_results import CountResults
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.get_projection import GetProjection
from services.reporting.application.get_results import GetResults
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.entrypoints.dashboard import Dashboard
from services.reporting.entrypoints.historian import Historian
from services.reporting.entrypoints.http_api import HTTPAPI
from services.reporting.entrypoints.http_door import HTTPDoor
from services.reporting.entrypoints.rpc import ReportingRPC
from services.reporting.entrypoints.sealed_consumers import SealedConsumers
from services.reporting.settings import ReportingSettings

SETTINGS = ReportingSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "dashboard", "history")}
_RPC = "hocba.reporting.v1.Reporting"


def rebuild_counters(service: Service) -> RebuildCounters:
    """The operator's recount."""
    return RebuildCounters(PostgresReadModel(service.database))


def dashboard(settings: ReportingSettings, figures: PostgresFigures, history: PostgresHistory) -> Dashboard:
    """The pages and their JSON, read by the same use cases as over gRPC."""
    door = HTTPDoor(TokenVerifier(settings.token_keys_file, settings.token_issuer), access_table(_RPC))
    clock, coverage, missing, of_class = SystemClock(), GetCoverage(figures), ListMissing(figures), GetClassStatus(figures)
    store = PostgresResults(figures.database)
    results, projection = GetResults(store, settings.smallest_count), GetProjection(store)
    api = HTTPAPI(door, coverage, missing, of_class, Reconcile(figures), results, projection, clock)
    return Dashboard(door, api, coverage, GetHistory(figures, history), of_class, missing, results, projection, clock, settings.page_proxies > 0)


def build(settings: ReportingSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service = Service("reporting", settings)
    model, figures = PostgresReadModel(service.database), PostgresFigures(service.database)
    clock = SystemClock()
    history, results = PostgresHistory(service.database), PostgresResults(service.database)
    rpc = ReportingRPC(
        get_coverage=GetCoverage(figures),
        list_missing=ListMissing(figures),
        get_class_status=GetClassStatus(figures),
        reconcile=Reconcile(figures),
        clock=clock,
        get_history=GetHistory(figures, history),
        get_results=GetResults(results, settings.smallest_count),
        get_projection=GetProjection(results),
    )
    service.add_rpc(_RPC, lambda server: reporting_pb2_grpc.add_ReportingServicer_to_server(rpc, server))
    service.add_consumers(SealedConsumers(ApplyNews(model), KeepDetails(model), count=CountResults(results), envelope=service.envelope))
    service.add_background("history", Historian(TakeSnapshot(history, clock)).run)
    if settings.page_listen:
        pages = dashboard(settings, figures, history)
        service.add_background("dashboard", lambda stop: pages.run(settings.page_listen, stop))
    else:
        service.add_background("dashboard", web.nothing)
    return service
