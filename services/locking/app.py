"""Wiring of locking: the one file that names everything."""

from __future__ import annotations

from datetime import timedelta

from hocba.locking.v1 import events_pb2, locking_pb2_grpc
from services.chassis.app import Service, migrations_of
from services.chassis.clock import SystemClock
from services.locking.adapters.neighbours import DatabaseClock, GradingClient, SigningClient
from services.locking.adapters.work import PostgresTransactions
from services.locking.application.close_due import CloseDue
from services.locking.application.close_window import CloseWindow
from services.locking.application.follow_roster import FollowRoster
from services.locking.application.keep_time import KeepTime
from services.locking.application.lock_class import LockClass
from services.locking.application.look_for_late import LookForLate
from services.locking.application.move_due import MoveDue
from services.locking.application.move_unlock import MoveUnlock
from services.locking.application.read import Read
from services.locking.application.request_unlock import RequestUnlock
from services.locking.application.run_errand import RunErrand
from services.locking.application.set_policy import SetPolicy
from services.locking.application.set_window import SetWindow
from services.locking.application.turn_windows import TurnWindows
from services.locking.entrypoints.consumers import LockingConsumers
from services.locking.entrypoints.rpc import LockingRPC, UseCases
from services.locking.entrypoints.scheduler import Scheduler
from services.locking.settings import LockingSettings

SETTINGS = LockingSettings
MIGRATIONS = migrations_of(__file__)
ROLES = {"serve": ("rpc", "consumers", "relay", "clock", "errands")}


def build(settings: LockingSettings) -> Service:
    """Locking with everything it needs, ready to run."""
    service, clock = Service("locking", settings), SystemClock()
    transactions = PostgresTransactions(service.database, clock)
    grading = GradingClient(service.channel(settings.grading_address, "grading"), settings.seal_deadline_seconds)
    signing = SigningClient(service.channel(settings.signing_address, "signing"))
    door = UseCases(
        SetWindow(transactions, clock),
        CloseWindow(transactions, clock),
        LockClass(transactions, clock),
        RequestUnlock(transactions, clock),
        MoveUnlock(transactions, clock),
        SetPolicy(transactions, clock),
        Read(transactions),
    )
    keep_time = KeepTime(
        CloseDue(transactions),
        MoveDue(transactions),
        TurnWindows(transactions),
        LookForLate(transactions, grading),
        clock,
        DatabaseClock(service.database),
        timedelta(seconds=settings.clock_tolerance_seconds),
    )
    errands = RunErrand(transactions, grading, signing, clock)
    scheduler = Scheduler(keep_time, errands, settings.tick_seconds, settings.errands_at_once)
    service.add_rpc("hocba.locking.v1.Locking", lambda server: locking_pb2_grpc.add_LockingServicer_to_server(LockingRPC(door, clock), server))
    service.add_consumers(LockingConsumers(FollowRoster(transactions, clock)))
    service.add_background("clock", scheduler.keep)
    service.add_background("errands", scheduler.run)
    service.publishes(events_pb2.ClassLocked, events_pb2.UnlockMoved, events_pb2.WindowMoved)
    return service
