"""Replaying the topics leads to the very rows that reading them has led to, in every table, while the service goes on."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from faststream.kafka import KafkaBroker
from google.protobuf.message import Message

from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from services.chassis import kafka as chassis_kafka
from services.chassis.clock import SystemClock
from services.chassis.consumer import Received, Subscription, events_of, handlers_of
from services.chassis.database import Database
from services.chassis.envelope import Envelope
from services.chassis.errors import Refused
from services.chassis.outbox import QUERIES
from services.chassis.relay import Relay
from services.chassis.streams import key_of, stream_of
from services.reporting.adapters.fresh_tables import FIRST, KEPT
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.app import readers, replaying
from services.reporting.application.replay_topics import Say
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.settings import ReportingSettings
from services.stack import pki
from services.stack.kafka import Broker
from tests.integration.reporting.test_read_model import CLASSES, SCHOOLS, YEAR, HandClock, Reporting, announced_at, named, sealed, whole_term
from tests.integration.reporting.test_results import Results
from tests.integration.reporting.test_tallies import Counting, staff_events, unlock_events
from tests.support.eventually import eventually
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory

ROSTER = "hocba.enrollment.roster.v1"


def quiet(_: int, __: int) -> None:
    """Tells nobody."""


def reading(settings: ReportingSettings, database: Database) -> dict[str, object]:
    """Whoever takes in news, by group."""
    return readers(settings, database, SystemClock(), Envelope(settings.envelope_readers_file, settings.envelope_key_file, "reporting"))


@dataclass
class ReadModel:
    """Everything that follows from the topics, in one database."""

    database: Database
    settings: ReportingSettings

    async def receive(self, events: Sequence[Message]) -> None:
        """Each kind by whoever takes it, in runs of one kind."""
        for consumers in reading(self.settings, self.database).values():
            handlers = handlers_of(consumers)
            for kind, run in itertools.groupby((event for event in events if type(event) in handlers), type):
                await handlers[kind]([Received(event, "", "", announced_at(event), {}) for event in run])

    async def state(self) -> list[Any]:
        """Of all tables."""
        async with self.database.transaction() as connection:
            told = await connection.fetch("SELECT * FROM class_results ORDER BY 1")
            counted = await connection.fetch("SELECT * FROM result_counters WHERE pupils <> 0 ORDER BY 1, 2, 3, 4, 5")
        return [*await Reporting(self.database).state(), *await Counting(self.database).state(), [*map(tuple, told)], [*map(tuple, counted)]]


@dataclass
class Live:
    """Reporting, and what a relay publishes to its topics."""

    reporting: ReadModel
    settings: ReportingSettings
    events: list[Message]
    """Of every kind that reporting counts."""
    told: list[Message] = field(default_factory=list)

    async def tell(self, events: Sequence[Message]) -> None:
        names = [stream_of(type(event)).topic for event in events], [key_of(event) for event in events], [event.DESCRIPTOR.full_name for event in events]
        ids, payloads = [uuid.uuid4() for _ in events], [event.SerializeToString() for event in events]
        async with self.reporting.database.transaction() as connection:
            await connection.execute(QUERIES["announce"], *names, ids, payloads, [""] * len(events), [announced_at(event) for event in events])
        self.told += events

    async def knows(self, pupil_id: str) -> bool:
        async with self.reporting.database.transaction() as connection:
            return bool(await connection.fetchval("SELECT true FROM public.pupils WHERE pupil_id = $1", uuid.UUID(pupil_id)))

    async def published(self) -> bool:
        async with self.reporting.database.transaction() as connection:
            return not await connection.fetchval("SELECT count(*) FROM hocba_outbox")

    async def replay(self, say: Say = quiet) -> Any:
        async with replaying(self.settings) as replay:
            return await replay(say)

    async def harm(self) -> None:
        """Facts that no event has told, and counters that nobody can follow."""
        async with self.reporting.database.transaction() as connection:
            await connection.execute("UPDATE pupils SET facts = '{\"archived\": 9}', reason = '', steps = 0")
            await connection.execute("DELETE FROM counters WHERE scope = 'nation'")
            await connection.execute("UPDATE tallied SET facts = '{}', counts = '[]'")
            await connection.execute("UPDATE tallies SET amount = 0 WHERE scope = 'province'")
            await connection.execute("UPDATE class_results SET counts = '[]'")
            await connection.execute("DELETE FROM result_counters")

    async def as_told(self, another: ReadModel) -> bool:
        """Whether the rows are those that all events lead to, read one by one."""
        return await self.reporting.state() == await another.state()


@pytest_asyncio.fixture
async def live(make_database: DatabaseFactory, kafka: Broker, topic_prefix: str) -> AsyncIterator[Live]:
    databases = make_database("reporting")
    database = Database(databases.url, name="test", pool=8)
    with scratch_places("replay") as places:
        keys = pki.prepare(places)
        settings = ReportingSettings.model_construct(
            database_url=databases.url, owner_url=databases.owner_url, database_password_file=None, owner_password_file=None, database_pool=6,
            kafka_bootstrap=kafka.bootstrap, kafka_ca_file=None, kafka_replicas=1, topic_prefix=topic_prefix, instance="test",
            envelope_readers_file=keys.envelope_readers, envelope_key_file=keys.envelope_key("reporting"),
        )  # fmt: skip
        for group, consumers in reading(settings, database).items():
            await chassis_kafka.provision(settings, group, (), events_of(type(consumers)))
        results = Results(database, keys)
        tallies = [results.tallied(name, 1, SCHOOLS[school], {("learning", "good"): 20 + number}) for number, (name, school) in enumerate(CLASSES.items())]
        await database.open()
        relay = Relay(database, {"bootstrap_servers": kafka.bootstrap}, source="test", topic_prefix=topic_prefix)
        relaying = asyncio.create_task(relay.run())
        yield Live(ReadModel(database, settings), settings, [*whole_term(), *staff_events(), *unlock_events(), *tallies])
        relay.stop()
        await asyncio.wait_for(relaying, 30)
    await database.close()


@asynccontextmanager
async def consuming(database: Database, settings: ReportingSettings) -> AsyncIterator[None]:
    """Its groups read meanwhile."""
    broker = KafkaBroker(settings.kafka_bootstrap, logger=None, apply_types=False)
    for group, consumers in reading(settings, database).items():
        subscription = Subscription(database, group, handlers_of(consumers), service="reporting", topic_prefix=settings.topic_prefix)
        subscription.attach(broker, instance="test")
    await broker.start()
    try:
        yield
    finally:
        await broker.stop()


@pytest_asyncio.fixture
async def another(make_database: DatabaseFactory, live: Live) -> AsyncIterator[ReadModel]:
    database = Database(make_database("reporting").url, name="test", pool=2)
    await database.open()
    yield ReadModel(database, live.settings)
    await database.close()


def newcomer(number: int) -> Message:
    """A pupil of whom one event tells, once: a record that is lost stays lost."""
    pupil = enrollment_pb2.PupilRef(pupil_id=named(f"newcomer {number}"), version=1, has_personal_number=True)
    return enrollment_pb2.PupilsEnrolled(school_id=named("s1"), class_id=named("s1-1"), school_year=YEAR, pupils=[pupil])


async def test_replay_under_live_traffic_leads_to_the_same_rows(live: Live, another: ReadModel) -> None:
    clock = HandClock(datetime(2026, 6, 1, 1, tzinfo=UTC))
    async with consuming(live.reporting.database, live.settings):
        await live.tell(live.events)
        await another.receive(live.events)
        await eventually(lambda: live.as_told(another), within=60, what="the term end is counted")
        taken = await TakeSnapshot(PostgresHistory(live.reporting.database), clock)()
        await live.harm()
        assert not await live.as_told(another)
        numbers, replayed = itertools.count(), asyncio.Event()

        async def traffic() -> None:
            """Somebody new each time, and every class sealed again: before, while and after the tables are swapped."""
            left = 3
            while left:
                left -= replayed.is_set()
                number = next(numbers)
                await live.tell([newcomer(number), *(sealed(name, number + 2, number + 2, {}) for name in CLASSES)])
                await asyncio.sleep(0)

        async with replaying(live.settings) as replay:
            swap = replay.tables.swap

            async def swap_after_news(last: Callable[[], Awaitable[object]]) -> None:
                """The service has counted somebody of whom the replay has not read when the swap begins."""
                await live.tell([newcomer(-1)])
                await eventually(lambda: live.knows(named("newcomer -1")), within=60, what="the last newcomer is counted")
                await swap(last)

            replay.tables.swap = swap_after_news  # type: ignore[method-assign]  # The moment is what is tested.
            talking = asyncio.create_task(traffic())
            done = await replay(quiet)
        replayed.set()
        await talking
        assert done.records >= len(live.events)
        assert done.parked == 0
        await another.receive(live.told)
        await eventually(lambda: live.as_told(another), within=60, what="the rows are those that the events lead to")
    assert await Reporting(live.reporting.database).differences() == []
    async with live.reporting.database.transaction() as connection:
        schemas = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname IN ('replay', 'replaced')")
        rights = await connection.fetchval("SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'public.pupils'::regclass")
        kept = await connection.fetchval("SELECT count(*) FROM snapshots")
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'hocba_%'")
    assert (schemas, rights) == ([], True)
    assert kept == taken, "no topic tells how the numbers stood"
    assert {row["tablename"] for row in tables} == {*FIRST, *KEPT}, "a table that is new is emptied by a replay, unless topics tell of it"


async def test_replay_that_is_cut_off_changes_nothing_and_is_begun_anew(live: Live, another: ReadModel) -> None:
    await live.tell(live.events)
    await live.reporting.receive(live.events)
    await another.receive(live.events)
    await eventually(live.published, what="everything is on the topics")

    def cut(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await live.replay(cut)
    assert await live.as_told(another)
    async with replaying(live.settings) as first:
        await first.tables.make()
        with pytest.raises(Refused, match="another replay"):
            await live.replay()
        # The one that was refused has left the other's tables alone.
        assert (await first.tables.connection.fetchval("SELECT to_regclass('replay.pupils')::text")) == "replay.pupils"  # type: ignore[attr-defined]
    await live.harm()
    await live.replay()
    assert await live.as_told(another)


async def test_topic_whose_first_records_are_gone_is_refused_by_name(live: Live, another: ReadModel) -> None:
    await live.tell(live.events)
    await live.reporting.receive(live.events)
    await another.receive(live.events)
    await eventually(live.published, what="everything is on the topics")
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=live.settings.kafka_bootstrap)
    await admin.start()
    try:
        topic = live.settings.topic_prefix + ROSTER
        await admin.delete_records({TopicPartition(topic, number): RecordsToDelete(before_offset=-1) for number in range(6)})
    finally:
        await admin.close()
    with pytest.raises(Refused, match=f"{ROSTER} no longer begins.*--from-facts"):
        await live.replay()
    assert await live.as_told(another)
