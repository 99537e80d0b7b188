"""Orders of a surge on real PostgreSQL and Kafka: queue, release, outbox, topic, worker. Only the signing itself is left out."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from faststream.kafka import KafkaBroker

from hocba.signing.v1.events_pb2 import ExpressSigningOrder, SigningOrder
from services.chassis import kafka as chassis_kafka
from services.chassis.clock import SystemClock
from services.chassis.consumer import Subscription, handlers_of
from services.chassis.database import Database
from services.chassis.errors import Refused
from services.chassis.relay import Relay
from services.signing.adapters.transactions import PostgresTransactions
from services.signing.application.halt_class import HaltClass
from services.signing.application.release import release, send_on
from services.signing.application.release_queued import FORGOTTEN, LetGo, MeasureBacklog, ReleaseQueued
from services.signing.domain.documents import DocumentKind
from services.signing.domain.orders import LineResult, Order, Step, whole_second
from services.signing.domain.transcripts import Place, Ref
from services.signing.entrypoints.releaser import Releaser
from services.signing.entrypoints.worker import SigningWorker
from services.signing.settings import SigningSettings
from services.stack.kafka import Broker
from tests.support.eventually import eventually
from tests.support.postgres import DatabaseFactory

HUGE, SMALL = "2025-79", "2025-04"
PUPILS = 40
LIMIT, QUANTUM = 400, 50
CLOCK = SystemClock()


@dataclass
class Closing:
    """Stands in for setting pages and signing: closes an order's lines as those do, at the pace that a test asks for."""

    transactions: PostgresTransactions
    done: list[Order] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    before: Callable[[Order], Any] = lambda _: None

    async def __call__(self, order_id: str) -> None:
        async with self.transactions() as work:
            order = await work.orders.get(order_id)
        assert order is not None
        waits = self.before(order)
        if waits is not None:
            await waits
        async with self.transactions() as work:
            await work.classes.hold(order.place.class_id)
            current = await work.orders.get(order_id)
            assert current is not None
            if current.state != "released":
                return
            self.in_flight.append(await work.queue.in_flight(CLOCK.now() - FORGOTTEN))
            await work.orders.finish_lines(order_id, [LineResult(ref) for ref in current.lines], CLOCK.now())
        self.done.append(order)


@dataclass
class Surge:
    """A database, a broker and what the service would run over them."""

    database: Database
    transactions: PostgresTransactions
    bootstrap: str
    prefix: str
    closing: Closing
    release: ReleaseQueued

    @asynccontextmanager
    async def running(self, *, workers: bool = True, instances: int = 1) -> AsyncIterator[None]:
        """Relay, releasers, and the workers' consumer."""
        stop = asyncio.Event()
        relay = Relay(self.database, {"bootstrap_servers": self.bootstrap}, source="signing", topic_prefix=self.prefix)
        releaser = Releaser(self.release, MeasureBacklog(self.transactions), self.transactions.queued)
        tasks = [asyncio.create_task(relay.run()), *(asyncio.create_task(releaser.run(stop)) for _ in range(instances))]
        broker = KafkaBroker(self.bootstrap, logger=None, apply_types=False)
        if workers:
            worker = SigningWorker(self.closing, self.closing, self.closing, LetGo(self.transactions))  # type: ignore[arg-type]  # Called alike.
            subscription = Subscription(self.database, "signing-worker", handlers_of(worker), service="signing", topic_prefix=self.prefix)
            subscription.attach(broker, instance="worker-1", max_records=4)
            await broker.start()
        try:
            yield
        finally:
            await broker.stop()
            stop.set()
            relay.stop()
            await asyncio.wait_for(asyncio.gather(*tasks), 30)

    async def classes(self, province: str, count: int, pupils: int = PUPILS, kind: DocumentKind = DocumentKind.TRANSCRIPT) -> list[Order]:
        """Sealed classes of a province and an order for each, not stored yet."""
        now = CLOCK.now()
        school = str(uuid.uuid4())
        orders = []
        classes, transcripts = [], []
        for _ in range(count):
            place = Place(str(uuid.uuid4()), school, province)
            refs = tuple(Ref(str(uuid.uuid4()), str(uuid.uuid4()), 1, bytes(32), uuid.uuid4().hex, kind) for _ in range(pupils))
            classes.append((place.class_id, school, province, now))
            transcripts += [(r.transcript_id, r.pupil_id, place.class_id, school, province, r.public_id, bytes(32)) for r in refs]
            orders.append(Order(str(uuid.uuid4()), place, Step.PREPARE, None, None, 0, whole_second(now), "queued", refs))
        async with self.database.transaction() as connection:
            await connection.executemany("INSERT INTO school_class VALUES ($1, $2, $3, 2025, 8, 'LOWER_SECONDARY', 1, $4, NULL, 0)", classes)
            await connection.executemany(
                "INSERT INTO transcript (transcript_id, version, pupil_id, class_id, school_id, province_id, class_version, public_id, content_digest,"
                " content, corrections, state) VALUES ($1, 1, $2, $3, $4, $5, 1, $6, $7, '', 0, 'sealed')",
                transcripts,
            )
        return orders

    async def order(self, orders: list[Order], express_limit: int = 3) -> None:
        async with self.transactions() as work:
            for order in orders:
                assert await release(work, order, CLOCK.now(), express_limit)

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return list(await connection.fetch(sql, *values))

    async def states(self) -> Counter[str]:
        return Counter(row["state"] for row in await self.rows("SELECT state FROM signing_order"))


@pytest_asyncio.fixture
async def surge(make_database: DatabaseFactory, kafka: Broker, topic_prefix: str) -> AsyncIterator[Surge]:
    database = Database(make_database("signing").url, name="surge", pool=8)
    await database.open()
    settings = SigningSettings.model_construct(
        kafka_bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, kafka_replicas=1, kafka_ca_file=None, instance="surge"
    )
    orders = (SigningOrder, ExpressSigningOrder)
    await chassis_kafka.provision(settings, "signing-worker", orders, orders)
    transactions = PostgresTransactions(database)
    release_queued = ReleaseQueued(transactions, CLOCK, LIMIT, QUANTUM)
    yield Surge(database, transactions, kafka.bootstrap, topic_prefix, Closing(transactions), release_queued)
    await database.close()


async def test_ten_thousand_pupils_delay_another_provinces_class_by_no_more_than_what_is_released(surge: Surge) -> None:
    huge = await surge.classes(HUGE, 250)
    (single,) = await surge.classes(SMALL, 1)
    ordered_at: list[int] = []

    async def fifth(order: Order) -> None:
        if len(surge.closing.done) == 5 and not ordered_at:
            await surge.order([single])
            ordered_at.append(len(surge.closing.done))

    surge.closing.before = fifth
    await surge.order(huge)
    async with surge.running(instances=2):
        await eventually(lambda: single.order_id in {order.order_id for order in surge.closing.done}, within=60, what="the single class is done")
        place = [order.order_id for order in surge.closing.done].index(single.order_id)
        ahead = sum(len(order.lines) for order in surge.closing.done[ordered_at[0] : place])
        assert ahead <= LIMIT + PUPILS + QUANTUM + PUPILS, "what was with the workers, and one turn of the other province"
        assert place < 100, "most of the ten thousand still waited"
        await eventually(lambda: len(surge.closing.done) == 251, within=120, what="everything is done")
    assert Counter(order.order_id for order in surge.closing.done) == Counter(order.order_id for order in [*huge, single]), "each order once"
    assert max(surge.closing.in_flight) < LIMIT + PUPILS
    assert await surge.states() == Counter(done=251)
    assert await surge.rows("SELECT * FROM order_backlog") == []


async def test_few_pupils_and_the_first_orders_go_at_once(surge: Surge) -> None:
    """Three pupils go by the express topic, past a full queue; a class goes within the moment when there is room."""
    waiting = await surge.classes(HUGE, 30)
    (three,) = await surge.classes(SMALL, 1, pupils=3)
    await surge.order(waiting)
    while await surge.release():
        pass
    assert (await surge.states())["queued"] == 20, "four hundred documents are with the workers, the others wait"
    await surge.order([three])
    assert (await surge.states())["queued"] == 20
    (express,) = await surge.rows("SELECT payload FROM hocba_outbox WHERE type LIKE '%Express%'")
    assert ExpressSigningOrder.FromString(bytes(express["payload"])).order.order_id == three.order_id
    backlog = {(row["lane"], row["state"]): (row["orders"], row["documents"]) for row in await surge.rows("SELECT * FROM order_backlog")}
    assert backlog == {("mass", "queued"): (20, 800), ("mass", "released"): (10, 400), ("express", "released"): (1, 3)}


async def test_halted_class_is_dropped_from_the_queue_and_its_room_goes_to_others(surge: Surge) -> None:
    orders = await surge.classes(HUGE, 12)
    await surge.order(orders)
    await surge.release()
    released = await surge.rows("SELECT order_id FROM signing_order WHERE state = 'released' ORDER BY queued_at, order_id")
    first = next(order for order in orders if order.order_id == str(released[0]["order_id"]))
    last = next(order for order in orders if order.order_id not in {str(row["order_id"]) for row in released})
    halt = HaltClass(surge.transactions, CLOCK)
    for order in (first, last):
        await halt(order.place.class_id, str(uuid.uuid4()))
    await surge.release()
    assert await surge.states() == Counter(cancelled=2, released=10)
    sent = await surge.rows("SELECT payload FROM hocba_outbox WHERE type LIKE '%SigningOrder'")
    assert last.order_id not in {SigningOrder.FromString(bytes(row["payload"])).order_id for row in sent}


async def test_an_order_that_waits_or_is_parked_gives_its_room_back_and_comes_to_its_turn_again(surge: Surge) -> None:
    orders = await surge.classes(HUGE, 11)
    await surge.order(orders[:10])
    surge.closing.before = lambda order: _refuse() if order.order_id == orders[0].order_id else None
    async with surge.running():
        await eventually(lambda: len(surge.closing.done) == 9, within=30, what="nine are done")
        await eventually(lambda: _none_in_flight(surge), within=30, what="the parked order's room is free")
        assert [row["reason"] for row in await surge.rows("SELECT reason FROM hocba_parked")] == ["not_now: a test says so"]
        surge.closing.before = lambda _: None
        async with surge.transactions() as work:
            (waiting,) = await work.orders.many([orders[0].order_id])
            assert waiting.state == "released"
            await send_on(work, waiting, 3)
        await surge.order(orders[10:])
        await eventually(lambda: _states_are(surge, done=10, released=1), within=30, what="it was released again, and waits behind its parked record")


async def test_messages_that_nobody_lets_go_of_take_no_room_for_ever(surge: Surge) -> None:
    """A message behind a parked one of its class never reaches the worker, who therefore can't let go of it."""
    await surge.order(await surge.classes(HUGE, 10))
    await surge.release()
    await surge.order(await surge.classes(SMALL, 1))
    assert await surge.release() == 0, "the workers have all that they may have"

    class AnHourLater:
        def now(self) -> datetime:
            return CLOCK.now() + FORGOTTEN

    assert await replace(surge.release, clock=AnHourLater())() == 1


async def test_a_release_that_dies_before_its_commit_released_nothing(surge: Surge) -> None:
    await surge.order(await surge.classes(HUGE, 3))

    class Dying(PostgresTransactions):
        def __call__(self, caller: Any = None) -> Any:
            return self._dying()

        @asynccontextmanager
        async def _dying(self) -> AsyncIterator[Any]:
            async with super().__call__() as work:
                yield work
                raise RuntimeError

    with pytest.raises(RuntimeError):
        await ReleaseQueued(Dying(surge.database), CLOCK, LIMIT, QUANTUM)()
    assert await surge.states() == Counter(queued=3)
    assert await surge.rows("SELECT FROM hocba_outbox") == []
    assert await asyncio.gather(*(surge.release() for _ in range(4))) in ([3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0, 3])
    assert len(await surge.rows("SELECT FROM hocba_outbox")) == 3


async def test_the_signing_time_is_that_of_the_release_and_not_of_the_wait(surge: Surge) -> None:
    (order,) = await surge.classes(HUGE, 1)
    await surge.order([order])
    assert (await surge.rows("SELECT fixed_at FROM signing_order"))[0]["fixed_at"] is None
    later = datetime(2030, 1, 1, 8, 0, 0, 123456, tzinfo=UTC)

    class Later:
        def now(self) -> datetime:
            return later

    await ReleaseQueued(surge.transactions, Later(), LIMIT, QUANTUM)()
    assert (await surge.rows("SELECT fixed_at FROM signing_order"))[0]["fixed_at"] == whole_second(later)


async def _refuse() -> None:
    raise Refused("a test says so", code="not_now")


async def _none_in_flight(surge: Surge) -> bool:
    return not await surge.rows("SELECT FROM signing_order WHERE state = 'released' AND in_flight")


async def _states_are(surge: Surge, **wanted: int) -> bool:
    return await surge.states() == Counter(wanted)
