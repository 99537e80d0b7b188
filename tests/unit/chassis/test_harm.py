"""What the chassis does when the database misbehaves at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from hocba.enrollment.v1 import events_pb2 as pb
from services.chassis import consumer, relay
from services.chassis.consumer import Record, Subscription
from services.chassis.database import _commit
from services.chassis.errors import Refused, Unavailable
from services.chassis.identity import Actor
from services.chassis.relay import Relay
from services.chassis.requests import digest_for
from services.chassis.streams import stream_of
from services.chassis.telemetry import redact

TOPIC = stream_of(pb.SchoolRegistered).topic
KIND = pb.SchoolRegistered.DESCRIPTOR.full_name


class FakeConnection:
    def __init__(self, database: "FakeDatabase") -> None:
        self._database = database

    async def execute(self, query: str, *args: Any) -> str:
        if self._database.refusals:
            raise self._database.refusals.pop(0)
        self._database.parked.append((args[1], args[4]))
        return "INSERT 0 1"

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        found = [{"topic": topic, "key": key} for topic, key in self._database.parked]
        if self._database.slow_load is not None:
            self._database.loading.set()
            await self._database.slow_load.wait()
        return found


class FakeDatabase:
    def __init__(self) -> None:
        self.parked: list[tuple[str, str]] = []
        self.refusals: list[Exception] = []
        self.slow_load: asyncio.Event | None = None
        self.loading = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FakeConnection]:
        yield FakeConnection(self)


def record(offset: int, key: str = "k", at: str = "2026-05-31T00:00:00+00:00") -> Record:
    headers = {"ce_type": KIND, "ce_id": "e", "ce_time": at}
    return Record(TOPIC, 0, offset, key, pb.SchoolRegistered(school_id=key).SerializeToString(), headers)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", (0.0,) * 5)


async def test_a_full_disk_while_parking_is_waited_out_and_nothing_escapes() -> None:
    database = FakeDatabase()
    database.refusals = [asyncpg.DiskFullError("no space"), asyncpg.ReadOnlySQLTransactionError("a standby")]

    async def refuse(events: Any) -> None:
        raise Refused("never")

    await Subscription(database, "g", {pb.SchoolRegistered: refuse}, service="t").handle([record(1)])  # type: ignore[arg-type]
    assert database.parked == [(TOPIC, "k")]


async def test_a_database_at_its_limits_is_not_the_records_fault() -> None:
    database = FakeDatabase()
    errors: list[Exception] = [asyncpg.LockNotAvailableError("busy"), asyncpg.DeadlockDetectedError("ring")] * 3
    errors += [asyncpg.DiskFullError("no space"), asyncpg.ReadOnlySQLTransactionError("a standby")]

    async def busy(events: Any) -> None:
        if errors:
            raise errors.pop()

    await Subscription(database, "g", {pb.SchoolRegistered: busy}, service="t").handle([record(1)])  # type: ignore[arg-type]
    assert (errors, database.parked) == ([], [])


async def test_a_connection_that_dies_under_a_question_ends_no_relay_and_parks_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    # What asyncpg raises now and then when a server shuts down while a question is on its way.
    crossed = asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.0)

    class Crossing:
        def __init__(self) -> None:
            self.times = 0

        @asynccontextmanager
        async def connection(self) -> AsyncIterator[None]:
            self.times += 1
            if self.times > 5:
                relaying.stop()
            raise crossed
            yield

    database = Crossing()
    relaying = Relay(database, {}, source="t", topic_prefix="")  # type: ignore[arg-type]
    await relaying.run()
    assert database.times > 5

    errors: list[Exception] = [crossed] * (consumer.BUG_ATTEMPTS + 1)

    async def apply(events: Any) -> None:
        if errors:
            raise errors.pop()

    store = FakeDatabase()
    await Subscription(store, "g", {pb.SchoolRegistered: apply}, service="t").handle([record(1)])  # type: ignore[arg-type]
    assert (errors, store.parked) == ([], [])


async def test_a_time_without_zone_is_parked_and_does_not_escape() -> None:
    database = FakeDatabase()

    async def apply(events: Any) -> None:
        return None

    await Subscription(database, "g", {pb.SchoolRegistered: apply}, service="t").handle([record(1, at="2026-05-31T00:00:00")])  # type: ignore[arg-type]
    assert database.parked == [(TOPIC, "k")]


async def test_a_neighbouring_topics_look_at_what_is_parked_forgets_nothing() -> None:
    database = FakeDatabase()
    applied: list[str] = []

    async def apply(events: Any) -> None:
        applied.extend(received.headers["ce_id"] for received in events)
        raise Refused("never")

    subscription = Subscription(database, "g", {pb.SchoolRegistered: apply}, service="t")  # type: ignore[arg-type]
    await subscription._load_parked()
    database.slow_load = asyncio.Event()
    neighbour = asyncio.create_task(subscription.handle([]))
    await database.loading.wait()
    parking = asyncio.create_task(subscription._park(record(1), "poison"))
    for _ in range(10):
        await asyncio.sleep(0)
    database.slow_load.set()
    await asyncio.gather(neighbour, parking)
    await subscription._apply(pb.SchoolRegistered, apply, [record(2)])
    assert applied == []


async def test_a_commit_that_rolled_back_is_not_taken_for_one_that_committed() -> None:
    class Aborted:
        async def execute(self, query: str) -> str:
            return "ROLLBACK"  # PostgreSQL's answer to COMMIT after a statement failed and somebody swallowed it.

        def add_log_listener(self, callback: Any) -> None: ...
        def remove_log_listener(self, callback: Any) -> None: ...

    with pytest.raises(Unavailable, match="nothing was done"):
        await _commit(Aborted())  # type: ignore[arg-type]


def test_a_request_digest_differs_by_person_and_by_method() -> None:
    request = pb.SchoolRegistered(school_id="x")
    one, other = Actor("a", "p"), Actor("b", "p")
    assert digest_for(request, "Confirm", one) == digest_for(request, "Confirm", one)
    assert len({digest_for(request, "Confirm", one), digest_for(request, "Cancel", one), digest_for(request, "Confirm", other)}) == 3


def test_what_a_row_held_stays_out_of_the_log() -> None:
    trace = "Traceback\nUniqueViolationError: duplicate key\nDETAIL:  Failing row contains (Nguyễn Văn A,\n2015-01-02).\n\nDuring handling\nKeyError: 'x'"
    line = redact(None, "", {"exception": trace})
    assert "Nguyễn" not in line["exception"]
    assert "2015" not in line["exception"]
    assert "duplicate key" in line["exception"]
    assert "KeyError" in line["exception"]


async def test_a_caller_who_gives_up_does_not_cut_off_a_commit() -> None:
    begun, confirmed = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    class Slow:
        async def execute(self, query: str) -> str:
            begun.set()
            try:
                await confirmed.wait()
            except asyncio.CancelledError:
                seen.append("cut off")
                raise
            seen.append("committed")
            return "COMMIT"

        def add_log_listener(self, callback: Any) -> None: ...
        def remove_log_listener(self, callback: Any) -> None: ...

    call = asyncio.create_task(_commit(Slow()))  # type: ignore[arg-type]
    await begun.wait()
    call.cancel()
    await asyncio.sleep(0)
    confirmed.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert seen == ["committed"]


async def test_a_relay_whose_producer_hangs_gives_it_up_and_the_rows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "PUBLISH_SECONDS", 0.05)
    rolled_back: list[bool] = []

    class Transaction:
        async def start(self) -> None: ...

        async def rollback(self) -> None:
            rolled_back.append(True)

    class Connection:
        def transaction(self) -> Transaction:
            return Transaction()

        def is_closed(self) -> bool:
            return False

        async def fetch(self, *_: Any) -> list[dict[str, Any]]:
            return [{"id": 1, "topic": "t", "key": "k"}]

    class Deaf:
        async def partitions_for(self, topic: str) -> None:
            await asyncio.Event().wait()

    relaying = Relay(FakeDatabase(), {}, source="t", topic_prefix="")  # type: ignore[arg-type]
    relaying._producer = Deaf()
    with pytest.raises(TimeoutError):
        await relaying._cycle(Connection())  # type: ignore[arg-type]
    assert rolled_back


async def test_a_batch_that_escapes_its_handlers_is_not_passed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = Subscription(FakeDatabase(), "g", {}, service="t")  # type: ignore[arg-type]
    monkeypatch.setattr(subscription, "handle", lambda _: 1 / 0)
    message = SimpleNamespace(raw_message=[SimpleNamespace(topic="t", partition=0, offset=1, key=None, value=None, headers=[("ce_id", None)])])
    receiving = asyncio.create_task(subscription._receive(message))
    done, _ = await asyncio.wait({receiving}, timeout=0.05)
    receiving.cancel()
    assert not done
    assert isinstance(subscription.escaped, ZeroDivisionError)
