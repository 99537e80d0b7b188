"""A stack of the tests' own with a term end played on it, and what can be asked of it afterwards."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.audit.stores import Stores
from services.rehearsal.progress import Stage
from services.rehearsal.term_end import Outcome, play
from services.stack import processes
from services.stack.deployment import Deployment
from services.stack.processes import Stack
from tests.support.eventually import eventually
from tests.support.places import scratch_places

SEED = 7


@dataclass
class Term:
    """A stack after (or during) its term end."""

    stack: Stack
    documents: Path

    @property
    def deployment(self) -> Deployment:
        return self.stack.deployment

    async def play(self, pupils: int) -> Outcome:
        return await play(self.deployment, pupils, SEED, Stage(quiet=True), self.documents)

    async def at_rest(self, within: float = 60) -> None:
        """Wait until every outbox is empty and every group has read everything."""

        seen: dict[str, object] = {}

        async def quiet() -> bool:
            async with Stores.of(self.deployment) as stores:
                waiting = await stores.waiting_events()
            seen.update(waiting=waiting, lag=await lag(self.deployment))
            return sum(waiting) == 0 and seen["lag"] == 0

        try:
            await eventually(quiet, within=within, what="outboxes empty and no lag")
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None

    async def fingerprint(self) -> dict[str, str]:
        """A digest per table of everything that the services hold, without what merely counts deliveries."""
        async with Stores.of(self.deployment) as stores:
            return await stores.fingerprint()

    async def records(self) -> list[Any]:
        """Every record on every topic of hocba."""
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self.deployment.kafka)
        try:
            await admin.start()
            topics = sorted(name for name in await admin.list_topics() if not name.startswith("__"))
            partitions = [TopicPartition(d["topic"], p["partition"]) for d in await admin.describe_topics(topics) for p in d["partitions"]]
        finally:
            await admin.close()
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=self.deployment.kafka, enable_auto_commit=False)
        try:
            await consumer.start()
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await consumer.stop()


async def groups(deployment: Deployment) -> dict[str, dict[Any, int]]:
    """group -> partition -> committed offset."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=deployment.kafka)
    await admin.start()
    try:
        names = [name for name, _ in await admin.list_consumer_groups()]
        return {name: {tp: meta.offset for tp, meta in (await admin.list_consumer_group_offsets(name)).items()} for name in names}
    finally:
        await admin.close()


async def lag(deployment: Deployment) -> int:
    """Records that some group has not read yet."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=deployment.kafka, enable_auto_commit=False)
    try:
        await consumer.start()
        total = 0
        for offsets in (await groups(deployment)).values():
            ends = await consumer.end_offsets(list(offsets)) if offsets else {}
            total += sum(ends[tp] - offset for tp, offset in offsets.items())
        return total
    finally:
        await consumer.stop()


async def rewind(deployment: Deployment) -> None:
    """Set every group back to the beginning of every topic; the services must be stopped."""
    for group, offsets in (await groups(deployment)).items():

        async def reset(group: str = group, offsets: Any = offsets) -> bool:
            # A new client for each attempt: static members count as present until their session times out.
            consumer: Any = AIOKafkaConsumer(bootstrap_servers=deployment.kafka, group_id=group, enable_auto_commit=False)
            try:
                await consumer.start()
                consumer.assign(list(offsets))
                await consumer.commit(dict.fromkeys(offsets, 0))
            except KafkaError:
                await asyncio.sleep(0.5)
                return False
            finally:
                await consumer.stop()
            return True

        await eventually(reset, within=60, what=f"group {group} is empty")


@asynccontextmanager
async def term(name: str, **options: Any) -> AsyncIterator[Term]:
    """A throw-away stack for one module of tests."""
    with scratch_places(name) as places:
        async with processes.running(places, durable=False, **options) as stack:
            documents = places.state / "transcripts"
            await asyncio.to_thread(documents.mkdir)
            yield Term(stack, documents)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
