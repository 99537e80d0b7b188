"""Reporting's parts, named and joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from hocba.reporting.v1 import reporting_pb2_grpc
from services.chassis import web
from services.chassis.app import Service
from services.chassis.clock import Clock, SystemClock
from services.chassis.consumer import Subscription, handlers_of
from services.chassis.database import Database
from services.chassis.envelope import Envelope
from services.chassis.identity import TokenVerifier
from services.chassis.kafka import connection_options
from services.chassis.rpc import access_table
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.fresh_tables import SEARCH_PATH, PostgresFreshTables
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.adapters.results import PostgresResults
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.adapters.tallies import PostgresTallies
from services.reporting.adapters.topics import KafkaTopics
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.count_results import CountResults
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.get_projection import GetProjection
from services.reporting.application.get_reconciliation import GetReconciliation
from services.reporting.application.get_results import GetResults
from services.reporting.application.get_tally import GetTally
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.keep_reconciliation import KeepReconciliation
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.application.replay_topics import ReplayTopics
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.application.tally_things import PlaceSchools, TallyThings
from services.reporting.domain.readiness import readiness
from services.reporting.domain.tallying import Subject
from services.reporting.domain.unlock_life import UNLOCKS
from services.reporting.entrypoints.dashboard import Dashboard
from services.reporting.entrypoints.historian import Historian
from services.reporting.entrypoints.http_api import HTTPAPI
from services.reporting.entrypoints.http_door import HTTPDoor
from services.reporting.entrypoints.reconciliation_watch import ReconciliationWatch
from services.reporting.entrypoints.rpc import ReportingRPC
from services.reporting.entrypoints.sealed_consumers import SealedConsumers
from services.reporting.entrypoints.tally_api import TallyAPI
from services.reporting.entrypoints.tally_consumers import TallyConsumers
from services.reporting.entrypoints.turner import Turner
from services.reporting.settings import ReportingSettings

SETTINGS = ReportingSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "dashboard", "history", "turns", "reconciliation")}
_RPC = "hocba.reporting.v1.Reporting"
TALLY_GROUP = "reporting-tallies"


@asynccontextmanager
async def replaying(settings: ReportingSettings) -> AsyncIterator[ReplayTopics]:
    """The operator's replay, with the owner's rights for making tables and putting them in place."""
    path = f"{'&' if '?' in settings.dsn else '?'}search_path={SEARCH_PATH}"
    database = Database(settings.dsn + path, name="hocba-reporting-replay", pool=settings.database_pool)
    envelope = Envelope(settings.envelope_readers_file, settings.envelope_key_file, "reporting")
    subscriptions = [
        Subscription(database, f"{group}-replay", handlers_of(consumers), service="reporting", topic_prefix=settings.topic_prefix)
        for group, consumers in readers(settings, database, SystemClock(), envelope).items()
    ]
    topics = KafkaTopics(connection_options(settings), settings.topic_prefix, subscriptions, database)
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


def rebuild_tallies(service: Service, settings: ReportingSettings) -> tuple[TallyThings, ...]:
    """The operator's recount of what is counted beside the pupils: `rebuild` of each."""
    return tallied(settings, service.database, SystemClock())


def tallied(settings: ReportingSettings, database: Database, clock: Clock) -> tuple[TallyThings, ...]:
    """Each sort of things that is counted beside the pupils."""
    store = PostgresTallies(database)
    subjects: tuple[Subject[Any, Any], ...] = (readiness(timedelta(days=settings.certificate_expiring_days)), UNLOCKS)
    return tuple(TallyThings(subject, store, clock) for subject in subjects)


def tally_consumers(settings: ReportingSettings, database: Database, clock: Clock) -> TallyConsumers:
    """What counts them."""
    things = tallied(settings, database, clock)
    return TallyConsumers(PlaceSchools(PostgresTallies(database), things), *things)


def readers(settings: ReportingSettings, database: Database, clock: Clock, envelope: Envelope) -> dict[str, object]:
    """Whoever takes in what the others tell, by group: the service's, and a replay's."""
    model, results = PostgresReadModel(database), PostgresResults(database)
    return {
        "reporting": SealedConsumers(ApplyNews(model), KeepDetails(model), count=CountResults(results), envelope=envelope),
        TALLY_GROUP: tally_consumers(settings, database, clock),
    }


def dashboard(settings: ReportingSettings, figures: PostgresFigures, history: PostgresHistory, reconciliations: PostgresReconciliations) -> Dashboard:
    """The pages and their JSON, read by the same use cases as over gRPC."""
    door = HTTPDoor(TokenVerifier(settings.token_keys_file, settings.token_issuer), access_table(_RPC))
    tallies = PostgresTallies(figures.database)
    clock, coverage, missing, of_class = SystemClock(), GetCoverage(figures), ListMissing(figures), GetClassStatus(figures)
    counts = TallyAPI(door, GetTally(figures, tallies, "staff"), GetTally(figures, tallies, "unlock"), settings.certificate_expiring_days, clock)
    store = PostgresResults(figures.database)
    results, projection = GetResults(store, settings.smallest_count), GetProjection(store)
    api = HTTPAPI(door, coverage, missing, of_class, Reconcile(figures, tallies), results, projection, clock)
    found, past = GetReconciliation(reconciliations), GetHistory(figures, history)
    return Dashboard(door, api, coverage, past, of_class, missing, found, results, projection, clock, counts, settings.page_proxies > 0)


def build(settings: ReportingSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service = Service("reporting", settings)
    clock, figures = SystemClock(), PostgresFigures(service.database)
    history, tallies, results = PostgresHistory(service.database), PostgresTallies(service.database), PostgresResults(service.database)
    rpc = ReportingRPC(
        get_coverage=GetCoverage(figures),
        list_missing=ListMissing(figures),
        get_class_status=GetClassStatus(figures),
        reconcile=Reconcile(figures, tallies),
        clock=clock,
        get_history=GetHistory(figures, history),
        get_staff=GetTally(figures, tallies, "staff"),
        get_unlocks=GetTally(figures, tallies, "unlock"),
        expiring_days=settings.certificate_expiring_days,
        get_results=GetResults(results, settings.smallest_count),
        get_projection=GetProjection(results),
    )
    service.add_rpc(_RPC, lambda server: reporting_pb2_grpc.add_ReportingServicer_to_server(rpc, server))
    for group, consumers in readers(settings, service.database, clock, service.envelope).items():
        service.add_consumers(consumers, group=group)
    service.add_background("turns", Turner(tallied(settings, service.database, clock)).run)
    service.add_background("history", Historian(TakeSnapshot(history, clock)).run)
    reconciliations = PostgresReconciliations(service.database)
    service.add_background("reconciliation", ReconciliationWatch(reconciliations, clock).run)
    if settings.page_listen:
        pages = dashboard(settings, figures, history, reconciliations)
        service.add_background("dashboard", lambda stop: pages.run(settings.page_listen, stop))
    else:
        service.add_background("dashboard", web.nothing)
    return service
