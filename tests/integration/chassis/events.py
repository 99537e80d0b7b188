"""A small consumer with a table of its own, and what the tests of the backbone share."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream.kafka import KafkaBroker

from hocba.locking.v1.events_pb2 import WindowMoved
from services.chassis.consumer import Received, Subscription, handlers_of, on
from services.chassis.database import Database
from services.chassis.errors import Malformed, Unavailable
from services.chassis.inbox import first_time
from services.chassis.outbox import announce
from services.chassis.relay import Relay
from services.chassis.streams import stream_of

TABLE = """
CREATE TABLE seen (position bigint GENERATED ALWAYS AS IDENTITY, window_id text, version bigint, PRIMARY KEY (window_id, version));
GRANT SELECT, INSERT ON seen TO hocba_reporting;
"""


@dataclass
class Applying:
    """Writes each window's version once; `poison` names states that cannot be applied."""

    database: Database
    poison: set[str] = field(default_factory=set)
    outages: int = 0
    calls: int = 0

    @on(WindowMoved)
    async def on_window_moved(self, events: Sequence[Received[WindowMoved]]) -> None:
        self.calls += 1
        if self.outages:
            self.outages -= 1
            raise Unavailable("the neighbour is down")
        async with self.database.transaction() as connection:
            new = await first_time(connection, "applying", [event.event_id for event in events])
            for received in events:
                if received.event.state in self.poison:
                    raise Malformed(f"state {received.event.state} is not known")
                if received.event_id in new:
                    await connection.execute("INSERT INTO seen (window_id, version) VALUES ($1, $2)", received.event.window_id, received.event.version)


@dataclass
class Backbone:
    """A database, a broker, a relay and a consumer, as a service would have them."""

    database: Database
    owner_url: str
    bootstrap: str
    prefix: str

    async def write(self, *events: WindowMoved) -> None:
        async with self.database.transaction() as connection:
            await announce(connection, *events)

    async def applied(self) -> list[tuple[str, int]]:
        """(window, version) in the order of application."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT window_id, version FROM seen ORDER BY position")
        return [(row["window_id"], row["version"]) for row in rows]

    async def count(self, table: str) -> int:
        async with self.database.transaction() as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[Relay]:
        relay = Relay(self.database, {"bootstrap_servers": self.bootstrap}, source="test", topic_prefix=self.prefix)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            relay.stop()
            await asyncio.wait_for(task, 30)

    def subscription(self, consumers: object) -> Subscription:
        return Subscription(self.database, "reporting", handlers_of(consumers), service="reporting", topic_prefix=self.prefix)

    @asynccontextmanager
    async def consuming(self, consumers: object) -> AsyncIterator[Subscription]:
        broker = KafkaBroker(self.bootstrap, logger=None, apply_types=False)
        subscription = self.subscription(consumers)
        subscription.attach(broker, instance=uuid.uuid4().hex[:8])
        await broker.start()
        try:
            yield subscription
        finally:
            await broker.stop()

    async def committed(self) -> int:
        """Sum of the group's committed offsets."""
        topic = self.prefix + stream_of(WindowMoved).topic
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.prefix + "reporting", enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(3)]
            consumer.assign(partitions)
            return sum([await consumer.committed(partition) or 0 for partition in partitions])
        finally:
            await consumer.stop()


async def make_topic(bootstrap: str, prefix: str) -> None:
    """The topic of WindowMoved, and the group's offsets at its beginning, as `migrate` makes them."""
    stream = stream_of(WindowMoved)
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + stream.topic, stream.partitions, 1)])
    finally:
        await admin.close()
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=prefix + "reporting", enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(prefix + stream.topic, number) for number in range(stream.partitions)]
        consumer.assign(partitions)
        await consumer.commit(dict.fromkeys(partitions, 0))
    finally:
        await consumer.stop()


def add_table(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(TABLE)


def window(window_id: str, version: int, state: str = "open") -> WindowMoved:
    return WindowMoved(window_id=window_id, version=version, state=state)
