"""Kafka settings, explicit and asserted, and the topics and group offsets that must exist before anybody consumes.

aiokafka's defaults lose messages (acks=1, auto-commit, latest). Ours: acks=all in the relay, manual commits, and no
automatic offset reset: a group's offsets are created at the beginning of each topic by `migrate`, and from then on
a missing offset is an error to look at and not a reason to jump.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
    for_code,
)
from google.protobuf.message import Message

from services.chassis.errors import Refused
from services.chassis.settings import ServiceSettings
from services.chassis.streams import Stream, stream_of

METADATA_ATTEMPTS, METADATA_SECONDS = 20, 0.25
EXPECTED_TOPIC_CONFIG = {"cleanup.policy": "delete", "unclean.leader.election.enable": "false"}


def connection_options(settings: ServiceSettings) -> dict[str, Any]:
    """How to reach the brokers, for any aiokafka client."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap, "client_id": f"hocba-{settings.instance}"}
    if settings.kafka_ca_file:
        context = ssl.create_default_context(cafile=str(settings.kafka_ca_file))
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
        options |= {"security_protocol": "SSL", "ssl_context": context}
    return options


def _config(stream: Stream, replicas: int) -> dict[str, str]:
    retention = stream.retention_hours * 3_600_000 or -1
    return {
        **EXPECTED_TOPIC_CONFIG,
        "retention.ms": str(retention),
        "min.insync.replicas": str(max(1, replicas - 1)),
        "message.timestamp.type": "LogAppendTime",
    }


async def provision(settings: ServiceSettings, group: str, publishes: Iterable[type[Message]], consumes: Iterable[type[Message]]) -> list[str]:
    """Create the topics of these events, and the group's offsets at the beginning of those it consumes. Idempotent.

    Returns the topics made. Raises Refused when an existing topic has other partitions than its contract says:
    the order per key rests on them.
    """
    consumes = tuple(consumes)
    streams = {stream_of(event).topic: stream_of(event) for event in (*publishes, *consumes)}
    prefix = settings.topic_prefix
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [s for s in streams.values() if prefix + s.topic not in existing]
        if missing:
            new = [NewTopic(prefix + s.topic, s.partitions, settings.kafka_replicas, topic_configs=_config(s, settings.kafka_replicas)) for s in missing]
            answer = await admin.create_topics(new)
            for topic, code, *_ in answer.topic_errors:
                # Another service that shares the topic may have been faster.
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise Refused(f"topic {topic} cannot be created: {for_code(code).__name__}", code="topic_refused")
        await _assert_partitions(admin, {prefix + s.topic: s.partitions for s in streams.values()})
        await _create_offsets(settings, admin, prefix + group, sorted({prefix + stream_of(event).topic for event in consumes}))
    finally:
        await admin.close()
    return [s.topic for s in missing]


async def verify(settings: ServiceSettings, events: Iterable[type[Message]]) -> None:
    """Assert at start that every topic exists as its contract says; raises Refused with what to mend."""
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        wanted = {settings.topic_prefix + stream_of(event).topic: stream_of(event) for event in events}
        await _assert_partitions(admin, {topic: stream.partitions for topic, stream in wanted.items()})
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in sorted(wanted)]
        for answer in await admin.describe_configs(resources) if resources else []:
            for _, message, _, topic, entries in answer.resources:
                found = {entry[0]: entry[1] for entry in entries}
                for name, value in _config(wanted[topic], settings.kafka_replicas).items():
                    if found.get(name) != value:
                        raise Refused(f"topic {topic}: {name} is {found.get(name)} ({message}), must be {value}: alter the topic", code="topic_config")
    finally:
        await admin.close()


async def _assert_partitions(admin: AIOKafkaAdminClient, wanted: dict[str, int]) -> None:
    for attempt in range(METADATA_ATTEMPTS):
        found = {d["topic"]: len(d["partitions"]) for d in await admin.describe_topics(sorted(wanted))}
        if all(found.values()):
            break
        # A topic that somebody has just made is known to one part of the broker before the other.
        await asyncio.sleep(METADATA_SECONDS if attempt + 1 < METADATA_ATTEMPTS else 0)
    for topic, partitions in found.items():
        if partitions != wanted[topic]:
            raise Refused(
                f"topic {topic} has {partitions} partitions, its contract says {wanted[topic]}: the order per key would break", code="topic_partitions"
            )


async def _create_offsets(settings: ServiceSettings, admin: AIOKafkaAdminClient, group: str, topics: list[str]) -> None:
    if not topics:
        return
    # A new broker makes its offsets topic at the first question, and answers after a while.
    async for attempt in stamina.retry_context(on=(GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError), timeout=20, attempts=40):
        with attempt:
            known = await admin.list_consumer_group_offsets(group)
    consumer = AIOKafkaConsumer(**connection_options(settings), group_id=group, enable_auto_commit=False, auto_offset_reset="none")
    try:
        await consumer.start()
        partitions = [TopicPartition(d["topic"], p["partition"]) for d in await admin.describe_topics(topics) for p in d["partitions"]]
        absent = [tp for tp in partitions if tp not in known or known[tp].offset < 0]
        if absent:
            consumer.assign(absent)
            beginnings = await consumer.beginning_offsets(absent)
            await consumer.commit(beginnings)
    except UnknownMemberIdError as error:
        raise Refused(f"group {group} has members and lacks offsets for a new topic: stop them, migrate, start them", code="group_active") from error
    finally:
        await consumer.stop()
