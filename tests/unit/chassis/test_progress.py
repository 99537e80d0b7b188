"""A consumer that stands still is told from one that has nothing to do, one that moves and one at work."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.chassis import progress

TP = TopicPartition("t", 0)


class Consumer:
    """A consumer at an offset of a partition that ends at 10."""

    def __init__(self, position: int, step: int = 0, *, mine: bool = True) -> None:
        self.at, self.step, self.mine = position, step, mine

    def assignment(self) -> set[TopicPartition]:
        return {TP} if self.mine else set()

    def subscription(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    async def committed(self, partition: TopicPartition) -> int:
        return await self.position(partition)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 10)

    async def position(self, partition: TopicPartition) -> int:
        self.at += self.step
        return self.at


async def seen(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, busy: int = 0) -> None:
    monkeypatch.setattr(progress, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "STUCK_SECONDS", 0.05)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    broker: Any = SimpleNamespace(subscribers=[SimpleNamespace(consumer=consumer)])
    await progress.watch(broker, [SimpleNamespace(busy=busy)], stop)  # type: ignore[list-item]  # Stands for a Subscription.


@pytest.mark.parametrize("mine", [True, False], ids=["with its partition", "out of its group"])
async def test_a_consumer_that_stands_still_is_told(monkeypatch: pytest.MonkeyPatch, mine: bool) -> None:
    with pytest.raises(progress.Stuck, match="t 0 at 7 of 10"):
        await seen(Consumer(7, mine=mine), monkeypatch)


@pytest.mark.parametrize(("consumer", "busy"), [(Consumer(10), 0), (Consumer(-1_000_000, step=1), 0), (Consumer(7), 1)])
async def test_one_that_is_done_moves_or_works_is_left_alone(consumer: Consumer, busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await seen(consumer, monkeypatch, busy)
