"""What groups have not read yet, asked of the broker. It commits nothing and joins no group."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.chassis.relay import partition_of

_SECONDS = 15


@dataclass(frozen=True)
class Lag:
    """Partitions with records that a group hasn't committed. `known` is false when the broker gave no answer: then nothing is explained by it."""

    behind: frozenset[tuple[str, str, int]] = frozenset()
    """(group, topic, partition)."""
    partitions: dict[str, int] = field(default_factory=dict)
    known: bool = True

    def of(self, group: str, topic: str, key: str) -> bool:
        """Whether the group has not read to the end of the partition on which this key's records are."""
        count = self.partitions.get(topic, 0)
        return bool(count) and (group, topic, partition_of(key.encode(), count)) in self.behind


async def lag_of(kafka: dict[str, Any], prefix: str, readers: Iterable[tuple[str, str]]) -> Lag:
    """The lag of (group, topic) pairs; `kafka` is what any aiokafka client needs to connect."""
    wanted = sorted(set(readers))
    try:
        return await asyncio.wait_for(_asked(kafka, prefix, wanted), _SECONDS) if wanted else Lag()
    except (KafkaError, OSError, TimeoutError):
        return Lag(known=False)


async def _asked(kafka: dict[str, Any], prefix: str, readers: list[tuple[str, str]]) -> Lag:
    admin: Any = AIOKafkaAdminClient(**kafka)
    consumer: Any = AIOKafkaConsumer(**kafka, enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        described = await admin.describe_topics(sorted({prefix + topic for _, topic in readers}))
        counts = {d["topic"].removeprefix(prefix): len(d["partitions"]) for d in described}
        behind = set()
        for group, topic in readers:
            committed = await admin.list_consumer_group_offsets(prefix + group)
            places = [TopicPartition(prefix + topic, number) for number in range(counts[topic])]
            for place, end in (await consumer.end_offsets(places)).items():
                if place not in committed or committed[place].offset < end:
                    behind.add((group, topic, place.partition))
        return Lag(frozenset(behind), counts)
    finally:
        await consumer.stop()
        await admin.close()
