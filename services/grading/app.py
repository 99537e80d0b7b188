"""Wiring of grading: the one file that names everything."""

from __future__ import annotations

from hocba.grading.v1 import events_pb2, grading_pb2_grpc
from services.chassis.app import Service, migrations_of
from services.chassis.clock import Clock, SystemClock
from services.grading.adapters.dice import SystemDice
from services.grading.adapters.documents import SheetDocuments
from services.grading.adapters.rules import rules_with
from services.grading.adapters.store import PostgresTransactions
from services.grading.application.check_readiness import CheckReadiness
from services.grading.application.enter_later_results import EnterLaterResults
from services.grading.application.enter_sheet import EnterSheet
from services.grading.application.grant_window import GrantWindow
from services.grading.application.keep_roster import KeepRoster
from services.grading.application.move_gradebook import ExportGradebook, ImportGradebook
from services.grading.application.ports import Rules
from services.grading.application.read_gradebook import ReadGradebook, ReadHistory
from services.grading.application.record_decisions import RecordDecisions
from services.grading.application.reopen_scope import CloseScope, ReopenScope
from services.grading.application.seal_class import SealClass
from services.grading.application.set_subjects import SetSubjects
from services.grading.application.tally_classes import TallyClasses
from services.grading.application.withdraw_version import WithdrawVersion
from services.grading.entrypoints.consumers import GradingConsumers
from services.grading.entrypoints.rpc import GradingRPC, UseCases
from services.grading.settings import GradingSettings

SETTINGS = GradingSettings
MIGRATIONS = migrations_of(__file__)
ROLES = {"serve": ("rpc", "consumers", "relay")}


def use_cases(transactions: PostgresTransactions, clock: Clock, rules: Rules) -> UseCases:
    """Everything that the RPC door leads to."""
    enter, read, documents = EnterSheet(transactions, clock, rules), ReadGradebook(transactions, clock, rules), SheetDocuments()
    return UseCases(
        enter_sheet=enter,
        enter_later_results=EnterLaterResults(transactions, clock, rules),
        set_subjects=SetSubjects(transactions, rules),
        record_decisions=RecordDecisions(transactions, clock, rules),
        read_gradebook=read,
        read_history=ReadHistory(transactions),
        check_readiness=CheckReadiness(transactions, rules),
        export_gradebook=ExportGradebook(read, documents),
        import_gradebook=ImportGradebook(transactions, clock, rules, enter, documents),
        grant_window=GrantWindow(transactions),
        seal_class=SealClass(transactions, clock, rules, SystemDice()),
        reopen_scope=ReopenScope(transactions, clock),
        close_scope=CloseScope(transactions, clock),
    )


def tally_classes(service: Service) -> TallyClasses:
    """The operator's repetition of what seals told."""
    return TallyClasses(PostgresTransactions(service.database, service.envelope))


def build(settings: GradingSettings) -> Service:
    """Grading with everything it needs, ready to run."""
    service = Service("grading", settings)
    transactions = PostgresTransactions(service.database, service.envelope)
    door = use_cases(transactions, SystemClock(), rules_with(settings.switches_file))
    service.add_rpc("hocba.grading.v1.Grading", lambda server: grading_pb2_grpc.add_GradingServicer_to_server(GradingRPC(door), server))
    service.add_consumers(GradingConsumers(KeepRoster(transactions), WithdrawVersion(transactions), service.envelope))
    service.publishes(events_pb2.SheetSaved, events_pb2.ClassSealed, events_pb2.ResultsTallied, events_pb2.ScopeReopened)
    return service
