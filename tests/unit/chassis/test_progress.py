"""A consumer that stands still is told from one that has nothing to do, one that moves and one at work."""

import asyncio
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from services.chassis import progress
from services.chassis.consumer import Turn

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


async def seen(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, *, turn: Turn | None = None, there: bool = True, escaped: Exception | None = None) -> None:
    monkeypatch.setattr(progress, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "STUCK_SECONDS", 0.05)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)

    async def ping(timeout: float | None) -> bool:
        return there

    broker: Any = SimpleNamespace(subscribers=[SimpleNamespace(consumer=consumer)], ping=ping)
    await progress.watch(broker, [SimpleNamespace(turns={"t": turn} if turn else {}, escaped=escaped, group="g")], stop)  # type: ignore[list-item]  # Stands for a Subscription.


@pytest.mark.parametrize("mine", [True, False], ids=["with its partition", "out of its group"])
async def test_a_consumer_that_stands_still_is_told(monkeypatch: pytest.MonkeyPatch, mine: bool) -> None:
    with pytest.raises(progress.Stuck, match="t 0 at 7"):
        await seen(Consumer(7, mine=mine), monkeypatch)


@pytest.mark.parametrize(("consumer", "turn"), [(Consumer(10), None), (Consumer(-1_000_000, step=1), None), (Consumer(7), Turn(1))])
async def test_one_that_is_done_moves_or_works_is_left_alone(consumer: Consumer, turn: Turn | None, monkeypatch: pytest.MonkeyPatch) -> None:
    await seen(consumer, monkeypatch, turn=turn)


async def test_what_escaped_a_handler_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(progress.Stuck, match="g"):
        await seen(Consumer(10), monkeypatch, escaped=ValueError("bug"))


async def test_nobody_is_to_blame_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    await seen(Consumer(7), monkeypatch, there=False)


async def test_an_acknowledgement_that_never_gets_through_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(progress.Stuck, match="t: acknowledging"):
        await seen(Consumer(10), monkeypatch, turn=Turn(1, "acknowledging"))


async def test_a_handler_is_told_that_neither_ends_nor_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HANDLER_SECONDS", 0.05)
    with pytest.raises(progress.Stuck, match="t: handling"):
        await seen(Consumer(10), monkeypatch, turn=Turn(1))


class Persistent(Turn):
    """A handler that waits for something and tries again and again."""

    @property
    def attempts(self) -> int:
        return next(_ATTEMPTS)

    @attempts.setter
    def attempts(self, _: int) -> None: ...


_ATTEMPTS = count()


async def test_a_handler_that_tries_again_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HANDLER_SECONDS", 0.05)
    await seen(Consumer(10), monkeypatch, turn=Persistent(1))


class Deaf(Consumer):
    """A client that gets no answer."""

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        raise KafkaConnectionError("lost")


async def test_a_client_without_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(progress.Stuck, match="t: no answer"):
        await seen(Deaf(10), monkeypatch)
