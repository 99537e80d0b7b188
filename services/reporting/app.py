"""Reporting's parts, named and joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from hocba.reporting.v1 import reporting_pb2_grpc
from services.chassis import web
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.chassis.consumer import Subscription, handlers_of
from services.chassis.database import Database
from services.chassis.identity import TokenVerifier
from services.chassis.kafka import connection_options
from services.chassis.rpc import access_table
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.fresh_tables import SEARCH_PATH, PostgresFreshTables
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.adapters.topics import KafkaTopics
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.get_reconciliation import GetReconciliation
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.keep_reconciliation import KeepReconciliation
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.application.replay_topics import ReplayTopics
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.entrypoints.consumers import ReportingConsumers
from services.reporting.entrypoints.dashboard import Dashboard
from services.reporting.entrypoints.historian import Historian
from services.reporting.entrypoints.http_api import HTTPAPI
from services.reporting.entrypoints.http_door import HTTPDoor
from services.reporting.entrypoints.reconciliation_watch import ReconciliationWatch
from services.reporting.entrypoints.rpc import ReportingRPC
from services.reporting.settings import ReportingSettings

SETTINGS = ReportingSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "dashboard", "history", "reconciliation")}
_RPC = "hocba.reporting.v1.Reporting"


@asynccontextmanager
async def replaying(settings: ReportingSettings) -> AsyncIterator[ReplayTopics]:
    """The operator's replay, with the owner's rights for making tables and putting them in place."""
    path = f"{'&' if '?' in settings.dsn else '?'}search_path={SEARCH_PATH}"
    database = Database(settings.dsn + path, name="hocba-reporting-replay", pool=settings.database_pool)
    model = PostgresReadModel(database)
    consumers = handlers_of(ReportingConsumers(ApplyNews(model), KeepDetails(model)))
    subscription = Subscription(database, "reporting-replay", consumers, service="reporting", topic_prefix=settings.topic_prefix)
    topics = KafkaTopics(connection_options(settings), settings.topic_prefix, subscription, database)
    patience = {"lock_timeout": "10s", "idle_in_transaction_session_timeout": "0", "application_name": "hocba-reporting-replay"}
    owner = await asyncpg.connect(settings.owner_dsn, server_settings=patience)
    tables = PostgresFreshTables(owner, MIGRATIONS)
    await database.open()
    try:
        yield ReplayTopics(topics, tables)
    finally:
        await topics.close()
        await database.close()
        await tables.forget()
        await owner.close()


def rebuild_counters(service: Service) -> RebuildCounters:
    """The operator's recount."""
    return RebuildCounters(PostgresReadModel(service.database))


def keep_reconciliation(service: Service) -> KeepReconciliation:
    """Where the comparison of all stores leaves its result."""
    return KeepReconciliation(PostgresReconciliations(service.database))


def dashboard(settings: ReportingSettings, figures: PostgresFigures, history: PostgresHistory, reconciliations: PostgresReconciliations) -> Dashboard:
    """The pages and their JSON, read by the same use cases as over gRPC."""
    door = HTTPDoor(TokenVerifier(settings.token_keys_file, settings.token_issuer), access_table(_RPC))
    clock, coverage, missing, of_class = SystemClock(), GetCoverage(figures), ListMissing(figures), GetClassStatus(figures)
    api = HTTPAPI(door, coverage, missing, of_class, Reconcile(figures), clock)
    found = GetReconciliation(reconciliations)
    return Dashboard(door, api, coverage, GetHistory(figures, history), of_class, missing, found, clock, settings.page_proxies > 0)


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
    service.add_rpc(_RPC, lambda server: reporting_pb2_grpc.add_ReportingServicer_to_server(rpc, server))
    service.add_consumers(ReportingConsumers(ApplyNews(model), KeepDetails(model)))
    service.add_background("history", Historian(TakeSnapshot(history, clock)).run)
    reconciliations = PostgresReconciliations(service.database)
    service.add_background("reconciliation", ReconciliationWatch(reconciliations, clock).run)
    if settings.page_listen:
        pages = dashboard(settings, figures, history, reconciliations)
        service.add_background("dashboard", lambda stop: pages.run(settings.page_listen, stop))
    else:
        service.add_background("dashboard", web.nothing)
    return service
