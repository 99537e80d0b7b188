"""A term end while processes are killed, messages are doubled, poison arrives and the broker goes away.

After each: nothing lost, nothing signed twice, totals reconcile, and replaying every topic from offset 0 changes nothing.
A run that injected fewer faults than it names has failed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.audit.checks import run_all
from services.audit.stores import Stores
from services.rehearsal.progress import Stage, Step
from services.rehearsal.term_end import Outcome, play
from tests.support.eventually import eventually
from tests.support.term_end import SEED, Term, lag, rewind, term

PUPILS = 72
Fault = Callable[[Term], Awaitable[None]]


class Haunted(Stage):
    """A stage that lets a fault loose when an act begins whose title holds a given word."""

    def __init__(self, faults: dict[str, list[Fault]], running: Term) -> None:
        super().__init__(quiet=True)
        self._faults, self._term = faults, running
        self.tasks: list[asyncio.Task[None]] = []

    @contextmanager
    def act(self, title: str, total: int | None = None) -> Iterator[Step]:
        for word in [word for word in self._faults if word in title]:
            self.tasks += [asyncio.ensure_future(fault(self._term)) for fault in self._faults.pop(word)]
        with super().act(title, total) as step:
            yield step

    async def all_done(self) -> int:
        """How many faults were injected, after the last has run its course."""
        await asyncio.gather(*self.tasks)
        assert not self._faults, f"never injected: {list(self._faults)}"
        return len(self.tasks)


def killed(name: str, *, after: float = 0.0, times: int = 1) -> Fault:
    async def fault(running: Term) -> None:
        for _ in range(times):
            await asyncio.sleep(after)
            await eventually(lambda: running.stack.alive(name), what=f"{name} is there to be killed")
            running.stack.kill(name)
            await eventually(lambda: running.stack.is_ready(name), within=60, what=f"{name} came back")

    return fault


def broker_gone(seconds: float, *, after: float = 0.0, kill: bool = False) -> Fault:
    async def fault(running: Term) -> None:
        await asyncio.sleep(after)
        await running.stack.restart_broker(seconds, kill=kill)

    return fault


async def broker_back(running: Term) -> None:
    """Wait out an outage that another fault has caused."""

    async def there() -> bool:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=running.deployment.kafka)
        try:
            await admin.start()
        except KafkaError:
            return False
        finally:
            await admin.close()
        return True

    await eventually(there, within=90, what="the broker is back")


def whatever_the_broker_does(fault: Fault) -> Fault:
    """The fault, begun anew when another fault takes the broker away in its middle: more duplicates harm nobody."""

    async def persistent(running: Term) -> None:
        while True:
            await broker_back(running)
            with suppress(KafkaError):
                return await fault(running)

    return persistent


@whatever_the_broker_does
async def doubled(running: Term) -> None:
    """Everything that is on the topics now comes again, with the same ids, and once more."""
    records = await running.records()
    async with _producer(running) as producer:
        for record in records + records:
            await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers), partition=record.partition)


@whatever_the_broker_does
async def poisoned(running: Term) -> None:
    """A record that no consumer can read, under a key of its own, on every topic."""
    types = {(r.topic, dict(r.headers)["ce_type"]) for r in await running.records()}
    async with _producer(running) as producer:
        for topic, kind in sorted(types):
            headers = [("ce_id", b"poison"), ("ce_type", kind), ("ce_time", b"2026-06-01T00:00:00+00:00")]
            await producer.send_and_wait(topic, b"\xff\xff\xff", key=b"poison", headers=headers)


@asynccontextmanager
async def _producer(running: Term) -> AsyncIterator[Any]:
    """Closed even when the broker goes away before it has started."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=running.deployment.kafka)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def haunted(name: str, faults: dict[str, list[Fault]]) -> AsyncIterator[tuple[Term, Outcome]]:
    count = sum(map(len, faults.values()))
    async with term(name) as running:
        keeper = asyncio.create_task(running.stack.keep_running())
        stage = Haunted(faults, running)
        outcome = await play(running.deployment, PUPILS, SEED, stage, running.documents)
        assert await stage.all_done() == count
        await running.at_rest(within=120)
        keeper.cancel()
        yield running, outcome


async def assert_whole(running: Term, outcome: Outcome) -> None:
    assert outcome.reconciled
    assert outcome.sealed == outcome.pupils - 6
    async with Stores.of(running.deployment) as stores:
        assert [str(finding) for finding in await run_all(stores) if finding.problems] == []


async def assert_replay_changes_nothing(running: Term) -> None:
    stack = running.stack
    before, parked_before = await running.fingerprint(), await _parked(running)
    for name in stack.names:
        await stack.stop(name)
    await rewind(running.deployment)
    for name in stack.names:
        stack.start(name)
    await stack.wait_ready()

    async def read_again() -> bool:
        return not await lag(running.deployment)

    await eventually(read_again, within=120, what="every topic read again")
    await running.at_rest()
    after = await running.fingerprint()
    assert after == before, sorted(set(await _parked(running)) ^ set(parked_before))


async def _parked(running: Term) -> list[tuple[str, ...]]:
    """What stands aside in every service, so that a difference can be read."""
    async with Stores.of(running.deployment) as stores:
        return [
            (service, *map(str, row.values()))
            for service, connection in stores.connections.items()
            for row in await connection.fetch('SELECT consumer, topic, partition, "offset", key, type, reason FROM hocba_parked')
        ]


async def test_killed_workers_and_relays_lose_nothing_and_sign_nothing_twice() -> None:
    faults: dict[str, list[Fault]] = {
        "Nhập điểm": [killed("grading", after=1.0, times=2)],  # Its process holds the relay.
        "Đóng sổ": [killed("locking", after=0.2)],
        "Ba vai duyệt": [killed("signing-worker-1", after=0.5, times=2), killed("signing", after=1.0)],
        "Ký và lưu trữ": [killed("signing-worker-2", after=0.5), killed("archive", after=1.0), killed("reporting", after=1.5)],
        "Nhật ký minh bạch": [killed("archive"), killed("witness-2")],
    }
    async with haunted("kills", faults) as (running, outcome):
        await assert_whole(running, outcome)
        await assert_replay_changes_nothing(running)


async def test_duplicates_poison_and_a_long_broker_outage_change_nothing() -> None:
    faults: dict[str, list[Fault]] = {
        "Nhập điểm": [broker_gone(25.0, after=0.5)],
        "Đóng sổ": [doubled],
        "Ba vai duyệt": [broker_gone(1.0, after=1.0, kill=True)],
        "Ký và lưu trữ": [doubled, poisoned],
    }
    async with haunted("outage", faults) as (running, outcome):
        await assert_whole(running, outcome)
        async with Stores.of(running.deployment) as stores:
            parked = await stores.parked_records()
        assert all(parked[service] >= 1 for service in ("grading", "locking", "signing", "archive", "reporting")), parked
        await assert_replay_changes_nothing(running)
