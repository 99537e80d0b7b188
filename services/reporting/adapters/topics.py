"""The topics read from their first record, in order of time, without a group."""

import asyncio
import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.chassis.consumer import Record, Subscription, record_of
from services.chassis.database import Database
from services.chassis.errors import Refused
from services.reporting.adapters.fresh_tables import QUERIES
from services.reporting.application.replay_topics import Say

WINDOW, WINDOW_MS = 2000, 10_000
"""Records that are applied at a time, and over how long a time at the most: in order of time from window to window, and topics beside each other within
one. So "since when" is as it was when the records were new, but for what came within the same seconds."""
_FETCH_MS = 500


@dataclass
class KafkaTopics:
    """Fulfils the port Topics. The subscriptions apply to `database`, whose sessions find the fresh tables; `kafka` connects any aiokafka client."""

    kafka: dict[str, Any]
    prefix: str
    subscriptions: Sequence[Subscription]
    database: Database
    _consumer: Any = None
    _buffers: dict[TopicPartition, deque[Any]] = field(default_factory=dict)
    _read: dict[TopicPartition, int] = field(default_factory=dict)
    """Offset of the next record to apply."""

    async def begin(self) -> None:
        """Every partition must begin at 0: what retention has removed can't be replayed."""
        places = await self._places()
        self._consumer = AIOKafkaConsumer(**self.kafka, enable_auto_commit=False, auto_offset_reset="none", isolation_level="read_committed")
        await self._consumer.start()
        self._consumer.assign(places)
        beginnings = await self._consumer.beginning_offsets(places)
        if gone := [place for place, offset in beginnings.items() if offset]:
            named = ", ".join(sorted({place.topic for place in gone}))
            raise Refused(
                f"{named} no longer begins at its first record: its retention is over, so a replay would lose facts."
                " Count anew from the facts instead: hocba reporting rebuild --from-facts",
                code="topic_began_later",
            )
        for place in places:
            self._consumer.seek(place, 0)
        self._buffers = {place: deque() for place in places}
        self._read = dict.fromkeys(places, 0)

    async def catch_up(self, say: Say) -> int:
        """Up to the ends as they are at the call."""
        ends = await self._consumer.end_offsets(list(self._buffers))
        whole, done = sum(ends.values()), 0
        while window := await self._window(ends):
            by_topic: dict[str, list[Any]] = defaultdict(list)
            for raw in window:
                by_topic[raw.topic].append(record_of(raw, self.prefix))
            # Kinds may change places, keys keep their order within each: batches of one kind are what a transaction is cheap for.
            batches = [(topic, sorted(records, key=_kind)) for topic, records in by_topic.items()]
            await asyncio.gather(*(reader.handle(records) for topic, records in batches for reader in self.subscriptions if topic in reader.topics))
            done += len(window)
            say(sum(self._read.values()), whole)
        return done

    async def parked(self) -> int:
        """Of the replay alone."""
        async with self.database.transaction() as connection:
            return int(await connection.fetchval(QUERIES["parked"]))

    async def close(self) -> None:
        """Leave the broker."""
        if self._consumer:
            await self._consumer.stop()

    async def _places(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        try:
            described = await admin.describe_topics(sorted({topic for reader in self.subscriptions for topic in reader.topics}))
        finally:
            await admin.close()
        if absent := [topic["topic"] for topic in described if not topic["partitions"]]:
            raise Refused(f"{', '.join(absent)}: no such topic; run hocba reporting migrate", code="no_topic")
        return [TopicPartition(topic["topic"], partition["partition"]) for topic in described for partition in topic["partitions"]]

    async def _window(self, ends: dict[TopicPartition, int]) -> Sequence[Any]:
        """The next records by time, up to WINDOW of them; none when every partition is read up to its end."""
        found: list[Any] = []
        while len(found) < WINDOW and (open_ := [place for place, end in ends.items() if self._read[place] < end]):
            empty = [place for place in open_ if not self._buffers[place]]
            if empty:
                # Without the next record of each partition nobody knows which is the earliest.
                if found:
                    break
                for place, records in (await self._consumer.getmany(*empty, timeout_ms=_FETCH_MS, max_records=WINDOW)).items():
                    self._buffers[place].extend(records)
                continue
            heads = [(self._buffers[place][0].timestamp, place.topic, place.partition) for place in open_]
            heapq.heapify(heads)
            while heads and len(found) < WINDOW:
                at, topic, number = heapq.heappop(heads)
                if found and at > found[0].timestamp + WINDOW_MS:
                    return found
                place = TopicPartition(topic, number)
                raw = self._buffers[place].popleft()
                self._read[place] = raw.offset + 1
                found.append(raw)
                if self._read[place] < ends[place]:
                    if not self._buffers[place]:
                        break
                    heapq.heappush(heads, (self._buffers[place][0].timestamp, topic, number))
        return found


def _kind(record: Record) -> str:
    return record.headers.get("ce_type", "")
