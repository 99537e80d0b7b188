"""Whether consumers go on reading: aiokafka may stand still after a broker's restart and says nothing (aio-libs/aiokafka#1154).

A consumer that stands at one offset while more is there, and is not at work on what it has read, is stuck. There is no way
to mend it from within, so the process ends and its supervisor starts it anew: offsets and inboxes make that harmless.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from services.chassis.consumer import Subscription
from services.chassis.telemetry import log

CHECK_SECONDS = 5.0
STUCK_SECONDS = 40.0


class Stuck(Exception):
    """A consumer reads no more."""


async def watch(broker: KafkaBroker, subscriptions: Sequence[Subscription], stop: asyncio.Event) -> None:
    """Return when asked to stop; raise Stuck for a consumer that has stood still too long."""
    standing: dict[Any, tuple[int, float]] = {}
    while not stop.is_set():
        if not any(subscription.busy for subscription in subscriptions):
            for subscriber in broker.subscribers:
                await _look(getattr(subscriber, "consumer", None), standing, time.monotonic())
        else:
            standing.clear()
        try:
            await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
        except TimeoutError:
            continue


async def _look(consumer: Any, standing: dict[Any, tuple[int, float]], now: float) -> None:
    if consumer is None:
        return
    assigned = consumer.assignment()
    # Without partitions it may be a spare one, or one that never came back into its group: what the group has committed tells.
    partitions = list(assigned) or [TopicPartition(topic, n) for topic in consumer.subscription() for n in consumer.partitions_for_topic(topic) or ()]
    try:
        ends = await asyncio.wait_for(consumer.end_offsets(partitions), 5) if partitions else {}
    except (KafkaError, TimeoutError, OSError):
        return  # The broker is away; the next look will tell.
    for tp, end in ends.items():
        position = await _position(consumer, tp, own=tp in assigned)
        if position >= end:
            standing.pop(tp, None)
            continue
        before, since = standing.get(tp, (position, now))
        standing[tp] = (position, since if before == position else now)
        if now - standing[tp][1] > STUCK_SECONDS:
            log.error("a consumer stands still", topic=tp.topic, partition=tp.partition, offset=position, end=end)
            raise Stuck(f"{tp.topic} {tp.partition} at {position} of {end}")


async def _position(consumer: Any, tp: TopicPartition, *, own: bool) -> int:
    """Where the consumer, or else its group, stands; -1 when even that gets no answer."""
    try:
        return int(await asyncio.wait_for(consumer.position(tp) if own else consumer.committed(tp), 2) or 0)
    except (KafkaError, TimeoutError, OSError):
        return -1
