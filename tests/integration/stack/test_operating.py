"""A running service under its operator's hands: readiness that tells the truth, an orderly end, and parked records by command line."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from hocba.enrollment.v1.events_pb2 import SchoolRegistered
from services.chassis.streams import stream_of
from services.stack import processes, supervisor
from services.stack.places import CHECKOUT, Places
from services.stack.processes import Stack
from tests.support.eventually import eventually
from tests.support.places import scratch_places

SERVICE = "reporting"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack() -> AsyncIterator[Stack]:
    with scratch_places("operating") as places:
        async with processes.running(places, services=(SERVICE,), durable=False, overrides={SERVICE: {"grace_seconds": "3"}}) as running:
            yield running


def hocba(*words: str, state: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services", *words]
    environment = {**os.environ, "HOCBA_STATE": str(state), **variables}
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    """A process and its children that are there and don't move."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    everybody = [pid, *map(int, children)]
    for one in everybody:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in everybody:
            os.kill(one, signal.SIGCONT)


async def test_a_service_is_not_ready_while_its_database_hangs(stack: Stack) -> None:
    assert stack.postgresql.child is not None
    with hanging(stack.postgresql.child.process.pid):
        await eventually(lambda: _is(stack, ready=False), within=20, what="not ready while PostgreSQL hangs")
    await eventually(lambda: _is(stack, ready=True), within=30, what="ready again")


async def test_a_service_is_not_ready_while_its_database_is_down(stack: Stack) -> None:
    await asyncio.to_thread(stack.postgresql.stop)
    await eventually(lambda: _is(stack, ready=False), within=20, what="not ready without PostgreSQL")
    stack.postgresql.start()
    await eventually(lambda: _is(stack, ready=True), within=30, what="ready again")


async def test_a_service_is_not_ready_while_the_broker_is_down(stack: Stack) -> None:
    await asyncio.to_thread(stack.kafka.stop)
    await eventually(lambda: _is(stack, ready=False), within=30, what="not ready without Kafka")
    stack.kafka.start()
    await eventually(lambda: _is(stack, ready=True), within=60, what="ready again")


async def test_sigterm_ends_a_service_in_order_even_while_its_database_hangs(stack: Stack) -> None:
    assert stack.postgresql.child is not None
    log = stack.deployment.places.logs / f"{SERVICE}.log"
    assert await stack.stop(SERVICE) == 0
    assert "draining" in log.read_text()
    stack.start(SERVICE)
    await stack.wait_ready([SERVICE])
    with hanging(stack.postgresql.child.process.pid):
        assert await stack.stop(SERVICE) == 0
    stack.start(SERVICE)
    await stack.wait_ready([SERVICE])


async def test_parked_records_are_listed_and_replayed_by_command_line(stack: Stack) -> None:
    state = stack.deployment.state
    assert (nothing := hocba(SERVICE, "parked", state=state)).returncode == 0, nothing.stderr
    assert nothing.stdout == "nothing parked\n"
    producer: Any = AIOKafkaProducer(bootstrap_servers=stack.deployment.kafka)
    await producer.start()
    headers = [("ce_id", b"poison"), ("ce_type", SchoolRegistered.DESCRIPTOR.full_name.encode()), ("ce_time", b"2026-06-01T00:00:00+00:00")]
    await producer.send_and_wait(stream_of(SchoolRegistered).topic, b"\xff\xff", key=b"a-school", headers=headers)
    await producer.stop()

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(hocba(SERVICE, "parked", "--json", state=state).stdout)
        return found

    async def both_parked() -> list[dict[str, Any]]:
        found = await asyncio.to_thread(listed)
        return found if len(found) == 2 else []

    for parked in await eventually(both_parked, within=30, what="both groups that read it have parked the poison"):
        assert (parked["key"], parked["type"]) == ("a-school", "hocba.enrollment.v1.SchoolRegistered")
        assert parked["reason"].startswith("cannot be read")
    assert "a-school" in hocba(SERVICE, "parked", state=state).stdout
    in_vain = hocba(SERVICE, "parked", "--replay", state=state)
    assert (in_vain.returncode, in_vain.stdout) == (1, "reporting: 0 applied, 1 still parked\nreporting-tallies: 0 applied, 1 still parked\n")
    mended = SchoolRegistered(school_id="00000000-0000-4000-8000-000000000001", version=1, name="Trường Mẫu", province_id="2025-48")
    with psycopg.connect(stack.deployment.databases[SERVICE], autocommit=True) as connection:
        connection.execute("UPDATE hocba_parked SET payload = %s", [mended.SerializeToString()])
    replayed = hocba(SERVICE, "parked", "--replay", state=state)
    assert (replayed.returncode, replayed.stdout) == (0, "reporting: 1 applied, 0 still parked\nreporting-tallies: 1 applied, 0 still parked\n")
    assert listed() == []


@pytest.mark.parametrize(
    "words", [("audit",), ("audit", "fingerprint"), ("archive", "parked"), ("reporting", "coverage", "--year", "2025"), ("signing", "check-keys")]
)
def test_a_command_without_a_stack_says_how_to_get_one(words: tuple[str, ...], tmp_path: Path) -> None:
    done = hocba(*words, state=tmp_path)
    assert done.returncode == 2
    assert "Start one with `make up`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("stack", "up"), ("grading", "check-config"), ("grading", "serve")])
def test_a_misspelt_variable_is_refused_by_name(command: tuple[str, ...], tmp_path: Path) -> None:
    done = hocba(*command, state=tmp_path, HOCBA_GRADNIG_LOG_LEVEL="debug", HOCBA_KAFAK="localhost:9092", HOCBA_DATABASES="x")
    assert done.returncode in (1, 2)
    for name, meant in (("HOCBA_GRADNIG_LOG_LEVEL", "HOCBA_GRADING"), ("HOCBA_KAFAK", "HOCBA_KAFKA"), ("HOCBA_DATABASES", "HOCBA_DATABASE")):
        assert f"{name}: nothing of that name; {meant} is meant?" in done.stderr


def test_the_stack_that_is_meant_is_ones_own_and_else_the_demos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOCBA_STATE", raising=False)
    own, demo = Places.of(), Places.of_demo()
    for running, meant in (([], own), ([own], own), ([demo], demo), ([own, demo], own)):
        monkeypatch.setattr(supervisor, "runs_in", running.__contains__)
        assert supervisor.meant() == meant
    monkeypatch.setenv("HOCBA_STATE", str(tmp_path))
    assert supervisor.meant().state == tmp_path


async def _is(stack: Stack, *, ready: bool) -> bool:
    return await stack.is_ready(SERVICE) is ready
