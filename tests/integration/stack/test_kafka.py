"""The local Kafka is a real one, with the settings the house relies on, and comes back after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.stack import jars
from services.stack.kafka import Broker
from services.stack.places import Places, StackError


async def test_broker_answers_with_the_settings_the_house_relies_on(kafka: Broker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    finally:
        await admin.close()
    settings = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["group.coordinator.append.linger.ms"] == "0"
    assert int(settings["offsets.retention.minutes"]) >= 525_600


async def test_records_and_offsets_survive_a_kill(own_kafka: Broker) -> None:
    await _make_topic(own_kafka, "kept")
    async with _producer(own_kafka) as producer:
        for number in range(20):
            await producer.send_and_wait("kept", str(number).encode())
    assert await _read(own_kafka, "kept", 10) == [str(n).encode() for n in range(10)]
    own_kafka.kill()
    own_kafka.start().wait_ready()
    assert await _read(own_kafka, "kept", 10) == [str(n).encode() for n in range(10, 20)]


def test_damaged_missing_and_foreign_jars_heal(repository: tuple[Places, Path]) -> None:
    places, _ = repository
    folder = jars.resolve(places)
    assert {path.name for path in folder.glob("*.jar")} == {"one-1.jar", "two-2.jar"}
    (folder / "one-1.jar").write_bytes(b"first h")  # Half a download.
    (folder / "two-2.jar").unlink()
    (folder / "three-3.jar").write_bytes(b"of an older lock")
    jars.resolve(places)
    assert (folder / "one-1.jar").read_bytes() == b"first half and second half"
    assert {path.name for path in folder.glob("*.jar")} == {"one-1.jar", "two-2.jar"}


def test_a_jar_with_another_digest_is_refused(repository: tuple[Places, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    places, files = repository
    (files / "org" / "example" / "one" / "1" / "one-1.jar").write_bytes(b"something else entirely..")
    monkeypatch.setattr("shutil.which", lambda _: None)  # No Maven that could be asked instead.
    with pytest.raises(StackError, match=r"SHA-256"):
        jars.resolve(places)
    assert not (places.installed / "kafka" / "0" / "one-1.jar").exists()


def test_jars_of_another_lock_have_a_folder_of_their_own(repository: tuple[Places, Path], tmp_path: Path) -> None:
    places, _ = repository
    content = json.loads(jars.LOCK.read_text())
    other = tmp_path / "other.lock.json"
    other.write_text(json.dumps({"other": "7", "jars": content["jars"][:1]}))
    assert jars.resolve(places, lock=other) == places.installed / "other" / "7"
    assert {path.name for path in jars.resolve(places).glob("*.jar")} == {"one-1.jar", "two-2.jar"}
    assert {path.name for path in (places.installed / "other" / "7").glob("*.jar")} == {"one-1.jar"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Places, Path]]:
    """Places with a lock of two small jars, and a Maven repository of plain files that is served on loopback."""
    files = tmp_path / "repository"
    entries = []
    for artifact, version, content in (("one", "1", b"first half and second half"), ("two", "2", b"another jar")):
        folder = files / "org" / "example" / artifact / version
        folder.mkdir(parents=True)
        (folder / f"{artifact}-{version}.jar").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        coordinate = f"org.example:{artifact}:{version}"
        entries.append({"coordinate": coordinate, "bytes": len(content), "sha256": digest})
    lock = tmp_path / "kafka.lock.json"
    lock.write_text(json.dumps({"kafka": "0", "jars": entries}))
    monkeypatch.setattr(jars, "LOCK", lock)
    handler = functools.partial(_SilentFiles, directory=str(files))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HOCBA_MAVEN_REPOSITORY", f"http://127.0.0.1:{server.server_address[1]}/")
        yield Places(state=tmp_path / "state", installed=tmp_path / "installed"), files
        server.shutdown()


class _SilentFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Test output stays readable."""


@contextlib.asynccontextmanager
async def _producer(broker: Broker) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _make_topic(broker: Broker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def _read(broker: Broker, topic: str, count: int) -> list[bytes]:
    """The next `count` records of the group, committed."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap,
        group_id="readers",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=count,
    )
    await consumer.start()
    try:
        records = [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]
        await consumer.commit()
    finally:
        await consumer.stop()
    return [record.value for record in records]
