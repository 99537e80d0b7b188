"""
Watches the journey from outside: an ordinary process that reads the topics of seals and admissions while the load runs.

    python -m loadtests.observer PLAN

Started before the load, it reads from the topics' ends on, keeps `journey.json` and `public-ids.txt` of the run up to date, and
writes a last time when it is asked to stop (SIGTERM). It has no group and commits nothing, so the services never notice it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from google.protobuf.message import DecodeError, Message

from hocba.archive.v1 import events_pb2 as archive
from hocba.grading.v1 import events_pb2 as grading
from loadtests.journey import Journey, Version, reasons
from loadtests.plan import Plan
from services.chassis.streams import stream_of

WRITE_SECONDS = 0.5


class Watch:
    """What was seen so far, and the files in which others read it."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.journey = plan, Journey()
        self.classes: set[str] = set()
        self.unreadable = 0
        self._told: set[Version] = set()
        self._handlers: dict[str, tuple[type[Message], Callable[[Any], None]]] = {
            kind.DESCRIPTOR.full_name: (kind, handler)
            for kind, handler in (
                (grading.ClassSealed, self._on_class_sealed),
                (archive.TranscriptsArchived, self.journey.on_transcripts_archived),
                (archive.TranscriptsRejected, self.journey.on_transcripts_rejected),
            )
        }

    @property
    def topics(self) -> set[str]:
        """Topics of the events this watch understands, as the contracts name them."""
        return {stream_of(kind).topic for kind, _ in self._handlers.values()}

    def receive(self, value: bytes, headers: dict[str, bytes]) -> None:
        """Take in one record; events of other types on the same topics are none of our business."""
        known = self._handlers.get(headers.get("ce_type", b"").decode())
        if known is None:
            return
        try:
            event = known[0].FromString(value)
        except DecodeError:
            self.unreadable += 1
        else:
            known[1](event)

    def _on_class_sealed(self, event: grading.ClassSealed) -> None:
        self.classes.add(event.class_id)
        self.journey.on_class_sealed(event)

    def write(self) -> None:
        """Bring the run's files up to date; a reader sees each either as it was or as it is."""
        figures = {
            "classes_sealed": len(self.classes),
            "under_way": self.journey.under_way(),
            "unreadable": self.unreadable,
            "seconds": self.journey.seconds(),
            "waiting": reasons(self.journey.waiting.values()),
            "refused": sorted(set(self.journey.rejected.values())),
            # What isn't a number was not measured, and a goal on it must be missed rather than compared.
            "measures": {name: value for name, value in self.journey.measures().items() if not isnan(value)},
        }
        draft = self.plan.journey_file.with_suffix(".part")
        draft.write_text(json.dumps(figures), encoding="utf-8")
        draft.replace(self.plan.journey_file)
        fresh = [version for version in self.journey.archived if version in self.journey.public_ids and version not in self._told]
        if fresh:
            with self.plan.public_ids_file.open("a", encoding="ascii") as out:
                out.writelines(self.journey.public_ids[version] + "\n" for version in fresh)
            self._told.update(fresh)


async def observe(plan: Plan, stop: asyncio.Event) -> Watch:
    """Read until `stop` is set, then once more whatever has arrived by then."""
    watch = Watch(plan)
    consumer = AIOKafkaConsumer(**connection(plan), enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="none")
    partitions = await _partitions(plan, [plan.kafka.get("topic_prefix", "") + topic for topic in sorted(watch.topics)])
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        (plan.folder / "observing").touch()
        last = False
        while not last:
            last = stop.is_set()
            for records in (await consumer.getmany(timeout_ms=int(WRITE_SECONDS * 1000))).values():
                for record in records:
                    watch.receive(record.value or b"", dict(record.headers))
            watch.write()
    finally:
        await consumer.stop()
    return watch


async def _partitions(plan: Plan, topics: list[str]) -> list[TopicPartition]:
    """Every partition of the topics; RuntimeError for a topic that the brokers don't have."""
    admin = AIOKafkaAdminClient(**connection(plan))
    await admin.start()
    try:
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    missing = sorted(set(topics) - {topic["topic"] for topic in described if topic["partitions"]})
    if missing:
        raise RuntimeError(f"no topic {', '.join(missing)}: start the stack first, its migrations make the topics")
    return [TopicPartition(topic["topic"], partition["partition"]) for topic in described for partition in topic["partitions"]]


def connection(plan: Plan) -> dict[str, Any]:
    """How to reach the brokers: the plan's address, and TLS as `edge` where the brokers ask for it."""
    options: dict[str, Any] = {"bootstrap_servers": plan.kafka["bootstrap"]}
    if plan.kafka.get("ca"):
        context = ssl.create_default_context(cafile=plan.kafka["ca"])
        context.load_cert_chain(plan.doors.certificate, plan.doors.key)
        options |= {"security_protocol": "SSL", "ssl_context": context}
    return options


async def main(file: Path) -> None:
    """Observe until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await observe(Plan.read(file), stop)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
