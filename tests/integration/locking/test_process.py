"""The service as it is run: a process of its own on real Kafka and PostgreSQL, killed at the worst moment."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb
from hocba.locking.v1 import locking_pb2 as pb
from hocba.locking.v1 import locking_pb2_grpc
from services.chassis.errors import ServiceError
from services.chassis.outbox import announce
from services.chassis.rpc_client import open_channel
from services.stack.kafka import Broker
from services.stack.pki import Keys
from services.stack.places import CHECKOUT
from tests.integration.locking.world import PROVINCE, SCHOOL, World, an_id
from tests.support.eventually import eventually

CLASSES = [an_id(f"process class {number}") for number in range(8)]


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Process:
    """`hocba locking serve` with the test's database, broker and neighbours."""

    def __init__(self, world: World, keys: Keys, kafka: Broker, prefix: str, log: Path) -> None:
        leaf = keys.leaf("locking")
        self.address, self.log = free_address(), log
        given = {
            "listen": self.address,
            "database_url": world.databases.url,
            "owner_url": world.databases.owner_url,
            "kafka_bootstrap": kafka.bootstrap,
            "topic_prefix": prefix,
            "tls_ca_file": keys.ca,
            "tls_certificate_file": leaf.certificate,
            "tls_key_file": leaf.key,
            "token_keys_file": keys.token_keys,
            "envelope_readers_file": keys.envelope_readers,
            "grading_address": world.address,
            "signing_address": world.address,
            "tick_seconds": "0.1",
            "instance": "test",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOCBA_LOCKING_")}
        self.environment = kept | {f"HOCBA_LOCKING_{name.upper()}": str(value) for name, value in given.items()}

    def migrate(self) -> None:
        subprocess.run([sys.executable, "-m", "services", "locking", "migrate"], env=self.environment, cwd=CHECKOUT, check=True)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "services", "locking", "serve"], env=self.environment, cwd=CHECKOUT, stdout=log, stderr=log)
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(30)


async def seeded(world: World) -> None:
    """Put the roster on Kafka by way of the process' own outbox and relay."""
    async with world.database.transaction() as connection:
        await announce(connection, enrollment_pb.SchoolRegistered(school_id=str(SCHOOL), version=1, province_id=PROVINCE))
        for class_id in CLASSES:
            formed = enrollment_pb.ClassFormed(school_id=str(SCHOOL), class_id=str(class_id), version=1, school_year=2025, grade=7, province_id=PROVINCE)
            await announce(connection, formed)


async def set_window(keys: Keys, address: str, closes_in: timedelta) -> None:
    edge = keys.leaf("edge")
    channel: grpc.aio.Channel = open_channel(address, "locking", ca=keys.ca, certificate=edge.certificate, key=edge.key)
    stub: Any = locking_pb2_grpc.LockingStub(channel)
    opens, closes = Timestamp(), Timestamp()
    opens.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))
    closes.FromDatetime(datetime.now(UTC) + closes_in)
    request = pb.SetWindowRequest(
        request_id=str(uuid4()),
        scope=pb.WindowScope(province_id=PROVINCE),
        school_year=2025,
        term=common_pb2.TERM_2,
        opens_at=opens,
        closes_at=closes,
        seals_year=True,
    )
    token = keys.token("officer", "officer", (f"doet_officer@province:{PROVINCE}",))

    async def told() -> bool:
        with suppress(ServiceError):
            await stub.SetWindow(request, metadata=(("authorization", f"Bearer {token}"),), timeout=5)
            return True
        return False

    await eventually(told, within=40)
    await channel.close(None)


async def test_process_killed_while_sealing_goes_on_where_it_was(world: World, locking_keys: Keys, kafka: Broker, topic_prefix: str, tmp_path: Path) -> None:
    process = Process(world, locking_keys, kafka, topic_prefix, tmp_path / "locking.log")
    await asyncio.to_thread(process.migrate)
    await seeded(world)
    gate = world.grading.trouble.gates["SealClass"] = asyncio.Event()
    with process.running() as first:

        async def known() -> bool:
            return len(await world.rows("SELECT 1 FROM classes")) == len(CLASSES)

        await eventually(known, within=60)
        await set_window(locking_keys, process.address, timedelta(seconds=1.5))
        # The neighbour has the question, the answer isn't there: the worst moment to die.
        await eventually(lambda: world.grading.trouble.count("SealClass") >= 2, within=30)
        first.kill()
    gate.set()
    with process.running() as second:

        async def all_held() -> bool:
            held = await world.rows("SELECT 1 FROM locks WHERE state = 'HELD'")
            return len(held) == len(CLASSES) and not await world.rows("SELECT 1 FROM errands") and not await world.rows("SELECT 1 FROM hocba_outbox")

        await eventually(all_held, within=60)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(second.wait, 30) == 0
    asked = world.grading.trouble.subjects("SealClass")
    assert len(set(asked)) == len(CLASSES), "no class was asked for under two lock ids"
    assert len(asked) > len(CLASSES), "what was asked before the death was asked again"
    assert {book.version for book in world.grading.books.values()} == {1}
    assert await world.faults() == []
