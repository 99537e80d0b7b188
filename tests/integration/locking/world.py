"""A whole locking service on real PostgreSQL, with a clock to turn, and stand-ins for its neighbours behind real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import grpc
from google.protobuf import symbol_database
from google.protobuf.message import Message

from hocba.grading.v1 import grading_pb2_grpc
from hocba.signing.v1 import signing_pb2_grpc
from services.chassis.database import Database
from services.chassis.rpc import Server
from services.chassis.rpc_client import open_channel
from services.chassis.settings import ServiceSettings
from services.locking.adapters.neighbours import GradingClient, SigningClient
from services.locking.adapters.work import PostgresTransactions
from services.locking.application import close_window, lock_class, move_unlock, request_unlock, set_policy, set_window
from services.locking.application.close_due import CloseDue
from services.locking.application.close_window import CloseWindow
from services.locking.application.follow_roster import FollowRoster
from services.locking.application.keep_time import KeepTime, Round
from services.locking.application.lock_class import LockClass
from services.locking.application.look_for_late import LookForLate
from services.locking.application.move_due import MoveDue
from services.locking.application.move_unlock import Move, MoveUnlock
from services.locking.application.ports import Request, UnlockView
from services.locking.application.read import Read
from services.locking.application.request_unlock import RequestUnlock
from services.locking.application.run_errand import RunErrand
from services.locking.application.set_policy import SetPolicy
from services.locking.application.set_window import SetWindow
from services.locking.application.turn_windows import TurnWindows
from services.locking.domain.audit import Fault, Head, Line, faults
from services.locking.domain.lock import Lock
from services.locking.domain.people import Caller
from services.locking.domain.policy import Policy
from services.locking.domain.scope import Area, Place, Scope
from services.locking.domain.terms import Period, Term
from services.locking.domain.window import Span, Window
from services.stack.pki import Keys
from services.stack.postgresql import Databases
from tests.integration.locking.neighbours import GradingStandIn, SigningStandIn

START = datetime(2026, 5, 25, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROVINCE = "2025-79"
YEAR = 2025


class TurnedClock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def turn(self, by: timedelta) -> None:
        self.at += by


@dataclass
class SecondClock:
    """The witness: follows the first clock unless it is given a time of its own."""

    follows: TurnedClock
    at: datetime | None = None

    async def now(self) -> datetime | None:
        return self.at or self.follows.now()


def an_id(name: str) -> UUID:
    return uuid5(UUID(int=1), name)


def a_request(method: str = "test") -> Request:
    request_id = str(uuid4())
    return Request(request_id, method, request_id.encode())


def caller(person: str, *roles: tuple[str, str], account: str = "") -> Caller:
    return Caller(account or f"account of {person}", person, frozenset(roles))


SCHOOL = an_id("school")
OTHER_SCHOOL = an_id("other school")
PRINCIPAL = caller("principal", ("principal", f"school:{SCHOOL}"))
DEPUTY = caller("deputy", ("vice_principal", f"school:{SCHOOL}"))
TEACHER = caller("teacher", ("subject_teacher", f"school:{SCHOOL}"))
HOMEROOM = caller("homeroom", ("homeroom_teacher", f"school:{SCHOOL}"))
OFFICER = caller("officer", ("doet_officer", f"province:{PROVINCE}"))
MINISTRY = caller("ministry", ("ministry_officer", "nation"))
STAFF = ("principal", "deputy", "teacher", "homeroom")


@dataclass
class World:
    """Everything one instance of locking is made of; `another_instance` shares the database and the clock."""

    databases: Databases
    clock: TurnedClock
    witness: SecondClock
    grading: GradingStandIn
    signing: SigningStandIn
    channel: grpc.aio.Channel
    database: Database
    address: str = ""
    classes: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        transactions = PostgresTransactions(self.database, self.clock)
        self.transactions = transactions
        grading = GradingClient(self.channel, seal_seconds=0.6)
        self.set_window, self.close_window = SetWindow(transactions, self.clock), CloseWindow(transactions, self.clock)
        self.lock_class, self.request_unlock = LockClass(transactions, self.clock), RequestUnlock(transactions, self.clock)
        self.move_unlock, self.set_policy = MoveUnlock(transactions, self.clock), SetPolicy(transactions, self.clock)
        self.read, self.follow = Read(transactions), FollowRoster(transactions, self.clock)
        self.keep_time = KeepTime(
            CloseDue(transactions),
            MoveDue(transactions),
            TurnWindows(transactions),
            LookForLate(transactions, grading),
            self.clock,
            self.witness,
            timedelta(minutes=2),
        )
        self.run_errand = RunErrand(transactions, grading, SigningClient(self.channel), self.clock)

    @asynccontextmanager
    async def another_instance(self) -> AsyncIterator[World]:
        database = Database(self.databases.url, name="second", pool=8)
        await database.open()
        try:
            yield World(self.databases, self.clock, self.witness, self.grading, self.signing, self.channel, database, self.address, self.classes)
        finally:
            await database.close()

    # --- what people and time do ---

    async def enrol(self, classes: int = 1, *, school: UUID = SCHOOL, grade: int = 7, pupils: int = 3) -> list[Place]:
        """Make classes known, as enrollment's events would, and give grading their pupils."""
        first = len(self.classes)
        places = [Place(an_id(f"class {n}"), school, PROVINCE, grade, YEAR) for n in range(first, first + classes)]
        await self.follow.schools([(school, 1, PROVINCE)])
        await self.follow.staff([(school, f"staff {name}", 1, name, (name,)) for name in STAFF])
        await self.follow.classes([(place, 1, "staff homeroom") for place in places])
        await self.follow.teaching([(place.class_id, school, 1, (("toan", "staff teacher"),)) for place in places])
        for place in places:
            self.grading.books[str(place.class_id)].marks = {str(pupil): "7.0" for pupil in pupils_of(place, pupils)}
        self.classes += places
        return places

    async def open(self, scope: Scope | None = None, hours: float = 8, *, by: Caller = OFFICER, start: float = -1, **more: Any) -> Window:
        span = Span(self.clock.now() + start * HOUR, self.clock.now() + hours * HOUR)
        values: dict[str, Any] = {"frame": None, "seals_year": True, "term": Term.TERM_2, "window_id": None, "expected_version": 0} | more
        scope = scope or Scope(Area.PROVINCE, PROVINCE)
        return await self.set_window(
            set_window.Command(request=a_request(), caller=by, scope=scope, school_year=YEAR, span=span, reason="kế hoạch năm học", **values)
        )

    async def close(self, window: Window, by: Caller = OFFICER) -> Window:
        return await self.close_window(close_window.Command(a_request(), by, window.window_id, "đóng sớm"))

    async def lock(self, place: Place, period: Period = Period.YEAR, by: Caller = PRINCIPAL) -> Lock:
        return await self.lock_class(lock_class.Command(a_request(), by, place.class_id, period, "nghỉ hè sớm"))

    async def ask(self, place: Place, by: Caller = TEACHER, **more: Any) -> UUID:
        values: dict[str, Any] = {
            "subject": "toan",
            "term": Term.TERM_2,
            "pupils": (pupils_of(place)[0],),
            "reason": "Nhập nhầm điểm cuối kỳ II của một học sinh.",
            "evidence": "biên bản 12/BB",
            "open_for": timedelta(0),
        } | more
        view = await self.request_unlock(request_unlock.Command(request=a_request(), caller=by, class_id=place.class_id, **values))
        return view.unlock.unlock_id

    async def move(self, unlock_id: UUID, move: Move, by: Caller, reason: str = "") -> UnlockView:
        return await self.move_unlock(move_unlock.Command(a_request(), by, unlock_id, move, reason, ""))

    async def policy(self, **switches: Any) -> Policy:
        return await self.set_policy(set_policy.Command(a_request(), OFFICER, Policy(province_id=PROVINCE, **switches)))

    async def errands(self) -> int:
        """Run errands until none is due."""
        ran = 0
        while await self.run_errand():
            ran += 1
        return ran

    async def round(self) -> Round:
        """One round of the scheduler, and everything it leads to."""
        done = await self.keep_time()
        await self.errands()
        return done

    async def locked(self, classes: int = 1) -> list[Place]:
        """Classes whose year is locked by the closing of a window."""
        places = await self.enrol(classes)
        await self.open(hours=1)
        await self.errands()
        self.clock.turn(2 * HOUR)
        await self.round()
        return places

    async def granted(self, place: Place) -> UUID:
        """An unlock of the class that is open."""
        unlock_id = await self.ask(place)
        await self.move(unlock_id, Move.CONFIRM, PRINCIPAL)
        await self.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
        await self.errands()
        assert await self.state(unlock_id) == "GRANTED"
        return unlock_id

    # --- what can be seen ---

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Read with the owner's eyes: what is stored, whoever may see it."""
        connection = await asyncpg.connect(self.databases.owner_url)
        try:
            await connection.execute("SET hocba.scope = 'system'")
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def state(self, unlock_id: UUID) -> str:
        return str((await self.rows("SELECT state FROM unlocks WHERE unlock_id = $1", unlock_id))[0]["state"])

    async def events(self, kind: type[Message] | None = None) -> list[Any]:
        """What was announced, in order."""
        found = []
        for row in await self.rows("SELECT type, payload FROM hocba_outbox ORDER BY id"):
            message = symbol_database.Default().GetSymbol(row["type"])
            if kind in (None, message):
                found.append(message.FromString(row["payload"]))
        return found

    async def faults(self) -> list[Fault]:
        """What is wrong with the audit trail."""
        lines = [Line(**row) for row in await self.rows("SELECT * FROM audit_chain")]
        heads = [Head(**row) for row in await self.rows("SELECT stream, number, hash FROM audit_heads")]
        assert lines
        return list(faults(lines, heads))


def pupils_of(place: Place, count: int = 3) -> list[UUID]:
    return [uuid5(place.class_id, f"pupil {n}") for n in range(count)]


def actions(lines: Sequence[Any]) -> list[str]:
    return [line["action"] for line in lines]


@asynccontextmanager
async def a_world(databases: Databases, keys: Keys) -> AsyncIterator[World]:
    """A world whose neighbours speak through the chassis' own server, mTLS and guard included."""
    clock = TurnedClock()
    grading, signing = GradingStandIn(clock), SigningStandIn()  # type: ignore[abstract]  # Only what locking calls.
    server = Server(server_settings(keys, "grading"), "grading", ("hocba.grading.v1.Grading", "hocba.signing.v1.Signing"))
    grading_pb2_grpc.add_GradingServicer_to_server(grading, server.grpc)
    signing_pb2_grpc.add_SigningServicer_to_server(signing, server.grpc)
    await server.start()
    own = keys.leaf("locking")
    channel = open_channel(server.address, "grading", ca=keys.ca, certificate=own.certificate, key=own.key)
    database = Database(databases.url, name="locking-test", pool=16)
    await database.open()
    try:
        yield World(databases, clock, SecondClock(clock), grading, signing, channel, database, server.address)
    finally:
        await channel.close(None)
        await server.stop(0)
        await database.close()


def server_settings(keys: Keys, name: str) -> ServiceSettings:
    leaf = keys.leaf(name)
    return ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1/none",
        kafka_bootstrap="127.0.0.1:1",
        tls_ca_file=Path(keys.ca),
        tls_certificate_file=leaf.certificate,
        tls_key_file=leaf.key,
        token_keys_file=keys.token_keys,
        envelope_readers_file=keys.envelope_readers,
    )
