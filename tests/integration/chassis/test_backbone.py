"""Outbox, relay, consumer and parking, on a real broker and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.chassis import consumer, relay
from services.chassis.database import Database
from services.chassis.outbox import announce
from services.chassis.relay import Relay
from services.chassis.telemetry import metrics
from services.stack.kafka import Broker
from tests.integration.chassis.events import Applying, Backbone, add_table, make_topic, window
from tests.support.eventually import eventually
from tests.support.postgres import DatabaseFactory


@pytest_asyncio.fixture
async def backbone(make_database: DatabaseFactory, kafka: Broker, topic_prefix: str) -> AsyncIterator[Backbone]:
    databases = make_database("reporting")
    add_table(databases.owner_url)
    await make_topic(kafka.bootstrap, topic_prefix)
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    yield Backbone(database, databases.owner_url, kafka.bootstrap, topic_prefix)
    await database.close()


async def test_announced_events_are_applied_once_and_in_order_per_key(backbone: Backbone) -> None:
    async with backbone.relaying(), backbone.consuming(Applying(backbone.database)):
        for version in range(1, 6):
            await backbone.write(*(window(f"w{n}", version) for n in range(40)))
        await eventually(lambda: _length(backbone, 200), what="200 events applied")
    seen = await backbone.applied()
    for n in range(40):
        assert [version for window_id, version in seen if window_id == f"w{n}"] == [1, 2, 3, 4, 5]
    assert await backbone.count("hocba_outbox") == 0


async def test_a_rolled_back_transaction_announces_nothing(backbone: Backbone) -> None:
    async def announce_and_fail() -> None:
        async with backbone.database.transaction() as connection:
            await announce(connection, window("w", 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await announce_and_fail()
    assert await backbone.count("hocba_outbox") == 0


async def test_a_poison_record_is_parked_with_what_follows_its_key_and_can_be_replayed(backbone: Backbone) -> None:
    consumers = Applying(backbone.database, poison={"broken"})
    await backbone.write(window("a", 1), window("a", 2, "broken"), window("a", 3), *(window(f"b{n}", 1) for n in range(20)))
    async with backbone.relaying(), backbone.consuming(consumers) as subscription:
        await eventually(lambda: _parked(backbone, 2), what="poison and its follower parked")
        await eventually(lambda: _length(backbone, 21), what="the others applied")
        assert ("a", 3) not in await backbone.applied()
        consumers.poison.clear()
        assert await subscription.replay() == (2, 0)
        assert [version for window_id, version in await backbone.applied() if window_id == "a"] == [1, 2, 3]
        await backbone.write(window("a", 4))
        await eventually(lambda: _length(backbone, 24), what="the key flows again after the replay")


async def test_an_outage_of_a_neighbour_is_waited_out(backbone: Backbone) -> None:
    consumers = Applying(backbone.database, outages=3)
    await backbone.write(window("a", 1))
    async with backbone.relaying(), backbone.consuming(consumers):
        await eventually(lambda: _length(backbone, 1))
    assert consumers.calls == 4
    assert await backbone.count("hocba_parked") == 0


async def test_offsets_are_committed_only_after_the_effect_and_a_replay_changes_nothing(backbone: Backbone) -> None:
    await backbone.write(*(window(f"w{n}", 1) for n in range(30)))
    async with backbone.relaying(), backbone.consuming(Applying(backbone.database)):
        await eventually(lambda: _length(backbone, 30))
        await eventually(lambda: _committed(backbone, 30), what="30 offsets committed")
    await make_topic_offsets_zero(backbone)
    again = Applying(backbone.database)
    async with backbone.consuming(again):
        await eventually(lambda: _committed(backbone, 30), what="everything read again")
    assert again.calls > 0
    assert len(await backbone.applied()) == 30


async def test_what_waits_in_the_outbox_is_measured_though_the_broker_is_away(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, float] = {}

    class Gauge:
        def __init__(self, name: str) -> None:
            self.name = name

        def set(self, value: float, attributes: dict[str, str]) -> None:
            told[self.name] = value
            assert attributes == {"service": "test"}

    monkeypatch.setattr(metrics, "waiting", Gauge("waiting"))
    monkeypatch.setattr(metrics, "oldest", Gauge("oldest"))
    monkeypatch.setattr(relay, "MEASURE_SECONDS", 0.1)
    await backbone.write(window("a", 1), window("a", 2))
    away = Relay(backbone.database, {"bootstrap_servers": "127.0.0.1:9"}, source="test", topic_prefix=backbone.prefix)
    running = asyncio.create_task(away.run())
    await eventually(lambda: told.get("waiting") == 2 and told["oldest"] > 0.2, what="two events wait, and ever longer")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with backbone.relaying():
        await eventually(lambda: told == {"waiting": 0, "oldest": 0}, what="nothing waits any more")


async def test_two_relays_publish_nothing_twice_and_keep_the_order(backbone: Backbone) -> None:
    async with backbone.relaying(), backbone.relaying(), backbone.consuming(Applying(backbone.database)):
        for version in range(1, 101):
            await backbone.write(window("one", version))
        await eventually(lambda: _length(backbone, 100))
    assert [version for _, version in await backbone.applied()] == list(range(1, 101))


async def test_a_record_without_an_envelope_is_parked_at_once(backbone: Backbone) -> None:
    from services.chassis.consumer import Record

    subscription = backbone.subscription(Applying(backbone.database))
    headers = {"ce_type": "hocba.locking.v1.WindowMoved", "ce_id": "not there", "ce_time": "yesterday"}
    await subscription.handle([Record("hocba.locking.window.v1", 0, 7, "k", b"\xff\xff", headers)])
    async with backbone.database.transaction() as connection:
        row = await connection.fetchrow("SELECT reason, headers FROM hocba_parked")
    assert row["reason"].startswith("cannot be read")
    assert json.loads(row["headers"])["ce_time"] == "yesterday"


async def make_topic_offsets_zero(backbone: Backbone) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    topic = backbone.prefix + "hocba.locking.window.v1"
    consumer = AIOKafkaConsumer(bootstrap_servers=backbone.bootstrap, group_id=backbone.prefix + "reporting", enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(3)]
    consumer.assign(partitions)
    await eventually(lambda: _commit_zero(consumer, partitions), what="the group is empty and takes new offsets")
    await consumer.stop()


async def _commit_zero(consumer: object, partitions: list[object]) -> bool:
    from aiokafka.errors import KafkaError

    try:
        await consumer.commit(dict.fromkeys(partitions, 0))  # type: ignore[attr-defined]  # aiokafka has no types.
    except KafkaError:
        return False  # Static members leave by time-out only.
    return True


async def _length(backbone: Backbone, wanted: int) -> bool:
    return len(await backbone.applied()) >= wanted


async def _parked(backbone: Backbone, wanted: int) -> bool:
    return await backbone.count("hocba_parked") >= wanted


async def _committed(backbone: Backbone, wanted: int) -> bool:
    return await backbone.committed() == wanted


async def test_the_trace_of_a_transaction_reaches_whoever_applies_its_events(backbone: Backbone) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(consumer, "tracer", provider.get_tracer("test"))
        with provider.get_tracer("test").start_as_current_span("save") as saving:
            await backbone.write(window("a", 1))
        async with backbone.relaying(), backbone.consuming(Applying(backbone.database)):
            await eventually(lambda: _length(backbone, 1))
            await eventually(lambda: [s for s in spans.get_finished_spans() if s.name.startswith("process")], what="the consumer's span")
    [processing] = [s for s in spans.get_finished_spans() if s.name.startswith("process")]
    assert [link.context.trace_id for link in processing.links] == [saving.get_span_context().trace_id]
