"""Whether consumers go on reading: aiokafka may stand still after a broker's restart and says nothing (aio-libs/aiokafka#1154).

A consumer is stuck that stands at one offset while more is there, whose client gets no answer or no acknowledgement through
although the broker answers others, or whose handler neither ends nor tries again. There is no way to mend it from within,
so the process ends and its supervisor starts it anew: offsets and inboxes make that harmless.
"""

import asyncio
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from services.chassis.consumer import Subscription, Turn
from services.chassis.telemetry import log

CHECK_SECONDS = 5.0
ANSWER_SECONDS = 3.0
STUCK_SECONDS = 40.0
HANDLER_SECONDS = 600.0
"""A handler tells of each attempt; one that is silent for longer than max_poll_interval_ms has lost its place in the group anyway."""

Stands = dict[Hashable, tuple[Hashable, float]]
"""What stands still: what it is -> (where it stands, the longest that it may)."""


class Stuck(Exception):
    """A consumer reads no more."""


async def watch(broker: KafkaBroker, subscriptions: Sequence[Subscription], stop: asyncio.Event) -> None:
    """Return when asked to stop; raise Stuck for a consumer that has stood still too long."""
    since: dict[Hashable, tuple[Hashable, float]] = {}
    while not stop.is_set():
        for subscription in subscriptions:
            if subscription.escaped is not None:
                raise Stuck(subscription.group) from subscription.escaped
        # While the broker is away nobody can move, and nobody is to blame.
        stands = await _stands(broker, subscriptions) if await broker.ping(ANSWER_SECONDS) else {}
        now = time.monotonic()
        since = {what: (where, since[what][1] if what in since and since[what][0] == where else now) for what, (where, _) in stands.items()}
        for what, (where, limit) in stands.items():
            if now - since[what][1] > limit:
                log.error("a consumer stands still", what=str(what), where=str(where))
                raise Stuck(f"{what} at {where}")
        try:
            await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
        except TimeoutError:
            continue


async def _stands(broker: KafkaBroker, subscriptions: Sequence[Subscription]) -> Stands:
    turns: dict[str, Turn] = {topic: turn for subscription in subscriptions for topic, turn in subscription.turns.items()}
    found: Stands = {}
    for subscriber in broker.subscribers:
        consumer = getattr(subscriber, "consumer", None)
        if consumer is not None:
            found |= await _stands_of(consumer, turns)
    return found


async def _stands_of(consumer: Any, turns: Mapping[str, Turn]) -> Stands:
    topics = sorted(consumer.subscription())
    at_work: Stands = {f"{topic}: {turn.stage}": ((turn.number, turn.attempts), _limit(turn)) for topic, turn in turns.items() if topic in topics}
    if at_work:
        return at_work
    assigned = consumer.assignment()
    # Without partitions it may be a spare one, or one that never came back into its group: what the group has committed tells.
    partitions = list(assigned) or [TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()]
    try:
        ends = await asyncio.wait_for(consumer.end_offsets(partitions), ANSWER_SECONDS) if partitions else {}
    except (KafkaError, TimeoutError, OSError) as error:
        return {f"{topic}: no answer": (type(error).__name__, STUCK_SECONDS) for topic in topics}
    positions = {tp: await _position(consumer, tp, own=tp in assigned) for tp in ends}
    return {f"{tp.topic} {tp.partition}": (position, STUCK_SECONDS) for tp, position in positions.items() if position < ends[tp]}


def _limit(turn: Turn) -> float:
    return HANDLER_SECONDS if turn.stage == "handling" else STUCK_SECONDS


async def _position(consumer: Any, tp: TopicPartition, *, own: bool) -> int:
    """Where the consumer, or else its group, stands; -1 when even that gets no answer."""
    try:
        return int(await asyncio.wait_for(consumer.position(tp) if own else consumer.committed(tp), 2) or 0)
    except (KafkaError, TimeoutError, OSError):
        return -1
