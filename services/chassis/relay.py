"""The relay: outbox to Kafka, in order per key, alone.

One relay works at a time (advisory lock), since several would break the order of a key. A cycle takes the oldest rows
in a transaction, publishes at most one batch per partition at a time, and commits when the brokers have them all:
a crash in between publishes again, and inboxes and version guards make that harmless. acks=all, and idempotence off:
aiokafka's idempotent producer never recovers from a long outage (aio-libs/aiokafka#1017).
"""

import asyncio
import contextlib
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from services.chassis.database import CONNECTION_ERRORS, Connection, Database
from services.chassis.errors import OutcomeUnknown, Unavailable
from services.chassis.outbox import QUERIES, on_announce
from services.chassis.telemetry import log, metrics

BATCH_ROWS = 1000
BATCH_BYTES = 950 * 1024
IDLE_SECONDS = 0.25
RETRY_SECONDS = 1.0
MEASURE_SECONDS = 10.0
PUBLISH_SECONDS = 45.0
"""For the rows of one cycle: thrice the producer's own time-out."""
LOCK_ID = 0x484F4342  # "HOCB": the one relay of a database


@lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java's default partitioner would choose."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


class Relay:
    """Publishes one database's outbox for as long as `run` runs."""

    def __init__(self, database: Database, kafka: dict[str, Any], *, source: str, topic_prefix: str) -> None:
        self._database, self._kafka, self._source, self._prefix = database, kafka, source, topic_prefix
        self._wake = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._stopping = False
        on_announce(self._wake)

    async def measure(self) -> None:
        """Tell how much waits in the outbox, and for how long, until cancelled; above all while the broker is away."""
        while True:
            with contextlib.suppress(Unavailable, *CONNECTION_ERRORS):
                async with self._database.connection() as connection:
                    state = await connection.fetchrow(QUERIES["outbox_state"])
                metrics.waiting.set(state["waiting"], {"service": self._source})
                metrics.oldest.set(state["seconds"], {"service": self._source})
            await asyncio.sleep(MEASURE_SECONDS)

    async def run(self) -> None:
        """Relay until stopped, whatever the broker and the database do meanwhile."""
        measuring = asyncio.create_task(self.measure(), name="outbox measure")
        try:
            await self._run()
        finally:
            measuring.cancel()

    async def _run(self) -> None:
        while not self._stopping:
            try:
                async with self._database.connection() as connection:
                    if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_ID):
                        try:
                            await self._run_alone(connection)
                        finally:
                            if not connection.is_closed():
                                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_ID)
            except (Unavailable, OutcomeUnknown, KafkaError, *CONNECTION_ERRORS) as error:
                log.warning("relay waits", error=type(error).__name__)
                await self._drop_producer()
            if not self._stopping:
                await asyncio.sleep(RETRY_SECONDS)
        await self._drop_producer()

    def stop(self) -> None:
        """Publish what is there, then end."""
        self._stopping = True
        self._wake.set()

    async def _run_alone(self, connection: Connection) -> None:
        while True:
            self._wake.clear()
            published = await self._cycle(connection)
            if published:
                continue
            if self._stopping:
                return
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
            except TimeoutError:
                continue

    async def _cycle(self, connection: Connection) -> int:
        async with asyncio.timeout(PUBLISH_SECONDS):  # aiokafka's futures may wait for ever after a broker's restart; a new producer does not.
            producer = await self._ready_producer()
        transaction = connection.transaction()
        await transaction.start()
        try:
            rows = await connection.fetch(QUERIES["take_outbox"], BATCH_ROWS)
            if rows:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await self._publish(producer, sorted(rows, key=lambda row: row["id"]))
        except BaseException:
            if not connection.is_closed():
                await transaction.rollback()
            raise
        await transaction.commit()
        metrics.relayed.add(len(rows), {"service": self._source})
        return len(rows)

    async def _publish(self, producer: AIOKafkaProducer, rows: list[Any]) -> None:
        queues: dict[tuple[str, int], list[Any]] = {}
        for row in rows:
            topic = self._prefix + row["topic"]
            partitions = await producer.partitions_for(topic)
            if not partitions:
                raise Unavailable(f"topic {topic} does not exist yet: run migrate")
            queues.setdefault((topic, partition_of(row["key"].encode(), len(partitions))), []).append(row)
        # One batch per partition at a time: were two in flight and the first failed, the order of a key would break.
        while queues:
            sent = []
            for (topic, partition), queue in list(queues.items()):
                batch = producer.create_batch()
                while queue and batch.append(key=queue[0]["key"].encode(), value=queue[0]["payload"], timestamp=None, headers=self._headers(queue[0])):
                    queue.pop(0)
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                if not queue:
                    del queues[(topic, partition)]
            await asyncio.gather(*sent)

    def _headers(self, row: Any) -> list[tuple[str, bytes]]:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(row["event_id"]),
            "ce_type": row["type"],
            "ce_source": f"/hocba/{self._source}",
            "ce_subject": row["key"],
            "ce_time": row["created_at"].isoformat(),
            "content-type": "application/protobuf",
        }
        if row["traceparent"]:
            headers["traceparent"] = row["traceparent"]
        return [(name, value.encode()) for name, value in headers.items()]

    async def _ready_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._kafka,
                acks="all",
                enable_idempotence=False,
                compression_type="zstd",
                linger_ms=0,
                max_batch_size=BATCH_BYTES,
                max_request_size=2 * BATCH_BYTES,
                request_timeout_ms=15_000,
                retry_backoff_ms=200,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5)
            except (KafkaError, TimeoutError, OSError):
                log.warning("producer did not stop cleanly")
