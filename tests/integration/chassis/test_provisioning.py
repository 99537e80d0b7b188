"""Topics and group offsets, as `migrate` makes them and a service's start asserts them."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hocba.locking.v1.events_pb2 import ClassLocked, WindowMoved
from services.chassis import kafka
from services.chassis.errors import Refused
from services.chassis.settings import ServiceSettings
from services.chassis.streams import stream_of
from services.stack import pki
from services.stack.kafka import Broker
from tests.support.eventually import eventually
from tests.support.places import scratch_places


@pytest.fixture
def settings(kafka: Broker, topic_prefix: str) -> Iterator[ServiceSettings]:
    with scratch_places("provision") as places:
        keys = pki.prepare(places)
        yield ServiceSettings(
            database_url="postgresql://nobody@127.0.0.1/none",
            kafka_bootstrap=kafka.bootstrap,
            topic_prefix=topic_prefix,
            tls_ca_file=keys.ca,
            tls_certificate_file=keys.leaf("locking").certificate,
            tls_key_file=keys.leaf("locking").key,
            token_keys_file=keys.token_keys,
            envelope_readers_file=keys.envelope_readers,
        )


async def offsets(settings: ServiceSettings, group: str) -> dict[Any, int]:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        return {tp: meta.offset for tp, meta in (await admin.list_consumer_group_offsets(settings.topic_prefix + group)).items()}
    finally:
        await admin.close()


async def test_topics_and_offsets_are_made_once(settings: ServiceSettings) -> None:
    made = await kafka.provision(settings, "reporting", [WindowMoved], [ClassLocked])
    assert sorted(made) == sorted(stream_of(event).topic for event in (WindowMoved, ClassLocked))
    first = await offsets(settings, "reporting")
    assert len(first) == stream_of(ClassLocked).partitions
    assert set(first.values()) == {0}
    assert await kafka.provision(settings, "reporting", [WindowMoved], [ClassLocked]) == []
    assert await offsets(settings, "reporting") == first
    await kafka.verify(settings, [WindowMoved, ClassLocked])


async def test_a_topic_with_other_partitions_is_refused(settings: ServiceSettings) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(settings.topic_prefix + stream_of(WindowMoved).topic, 1, 1)])
    await admin.close()
    with pytest.raises(Refused, match="its contract says 3"):
        await kafka.provision(settings, "reporting", [WindowMoved], [])


async def test_a_topic_that_forgets_sooner_than_its_contract_is_refused_at_start(settings: ServiceSettings) -> None:
    await kafka.provision(settings, "reporting", [WindowMoved], [])
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    topic = settings.topic_prefix + stream_of(WindowMoved).topic
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000"})])
    await admin.close()

    async def refused() -> bool:
        try:
            await kafka.verify(settings, [WindowMoved])
        except Refused as error:
            return "retention.ms is 1000" in error.message
        return False

    # The controller answers before the broker that is asked has heard of it.
    await eventually(refused, within=30, what="the shorter retention is refused")


async def test_a_missing_topic_is_told(settings: ServiceSettings) -> None:
    with pytest.raises(Refused, match="has 0 partitions"):
        await kafka.verify(settings, [WindowMoved])
