"""A stack leaves nothing behind: not after `down`, not after Ctrl-C, not after kill -9, and it harms no stranger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from services.stack import postgresql, processes, supervisor
from services.stack.children import Child, Identity
from services.stack.deployment import Deployment
from services.stack.log_keys import WITNESSES
from services.stack.places import CHECKOUT, Places, StackError
from tests.support.places import scratch_places

ONLY = ("archive",)


@pytest.fixture
def places() -> Iterator[Places]:
    with scratch_places("stack") as made:
        yield made
        supervisor.down(made)
        postgresql.wipe(made)


async def test_killed_service_is_started_again_and_down_leaves_nothing(places: Places) -> None:
    supervisor.up(places, only=ONLY)
    before = {state.name: state for state in await supervisor.status(places)}
    assert {name: state.state for name, state in before.items()} == dict.fromkeys(("postgresql", "kafka", "archive", "register", *WITNESSES), "ready")
    os.kill(_pid(before["archive"]), signal.SIGKILL)

    async def is_ready_again() -> bool:
        now = {state.name: state for state in await supervisor.status(places)}
        return now["archive"].state == "ready" and now["archive"].restarts == 1 and now["archive"].pid != before["archive"].pid

    await _eventually(is_ready_again)
    running = _identities(places)
    assert len(running) == 4 + len(WITNESSES)
    assert supervisor.down(places)
    assert not any(identity.alive for identity in running)
    assert await supervisor.status(places) == []
    assert not supervisor.down(places)


async def test_kill_of_the_supervisor_takes_everything_with_it(places: Places) -> None:
    supervisor.up(places, only=ONLY)
    running = _identities(places)
    record = json.loads((places.state / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    assert Identity(**record).ended(5.0)  # A signal is delivered in a moment; before that the stack is still up.
    # At once, while the rest may still be ending: the next start finds a stale record, a broker and a database that
    # were cut off, and heals.
    supervisor.up(places, only=ONLY)

    async def all_ended() -> bool:
        return not any(identity.alive for identity in running)

    await _eventually(all_ended)
    assert {state.state for state in await supervisor.status(places)} == {"ready"}


def test_stale_record_of_a_recycled_pid_harms_nobody(places: Places) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as stranger:
        now = Identity.of(stranger.pid)
        stale = asdict(Identity(now.pid, now.started_ticks - 1, now.boot))
        (places.state / "supervisor.json").write_text(json.dumps(stale))
        (places.state / "pids.json").write_text(json.dumps([stale]))
        assert not supervisor.down(places)
        assert now.alive
        stranger.communicate(b"\n")
        assert stranger.returncode == 0


@pytest.mark.parametrize("half", ["", "{", "[]"])
def test_half_written_record_counts_as_none(places: Places, half: str) -> None:
    (places.state / "supervisor.json").write_text(half)
    (places.state / "pids.json").write_text(half)
    assert not supervisor.down(places)


async def test_interrupted_start_leaves_nothing(places: Places) -> None:
    command = [sys.executable, "-m", "services", "stack", "up", "--only", "archive"]
    environment = {**os.environ, "HOCBA_STATE": str(places.state)}
    quiet = asyncio.subprocess.DEVNULL
    # A run in the background hands down an ignored SIGINT; a person's terminal doesn't.
    starting = await asyncio.create_subprocess_exec(
        *command, cwd=CHECKOUT, env=environment, stdout=quiet, stderr=quiet, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )

    async def has_begun() -> bool:
        log = places.logs / "progress.log"
        return log.exists() and "PostgreSQL is ready" in log.read_text()

    await _eventually(has_begun)
    record = json.loads((places.state / "supervisor.json").read_text())
    starting.send_signal(signal.SIGINT)
    assert await starting.wait() == 130
    assert not Identity(**record).alive
    assert _holders(places) == []


async def test_running_ends_with_its_block_even_when_the_block_fails(places: Places) -> None:
    async def use_it_and_fail() -> None:
        async with processes.running(places, services=ONLY, durable=False) as stack:
            assert Deployment.read(places) == stack.deployment
            assert await stack.is_ready("archive")
            with pytest.raises(StackError, match="already"):
                await processes.running(places, services=ONLY).__aenter__()
            with pytest.raises(StackError, match="already"):
                supervisor.down(places)
            stack.kill("archive")
            assert not stack.alive("archive")
            stack.start("archive")
            await stack.wait_ready()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_it_and_fail()
    assert _holders(places) == []
    with pytest.raises(StackError, match="make up"):
        Deployment.read(places)


async def test_an_outage_of_the_broker_lasts_as_long_as_was_asked_for(places: Places) -> None:
    async with processes.running(places, services=ONLY, durable=False) as stack:
        launch, launched = stack.kafka.launch, []
        assert launch is not None

        def noted() -> Child:
            launched.append(time.monotonic())
            return launch()

        stack.kafka.launch = noted
        keeper = asyncio.create_task(stack.keep_running())
        began = time.monotonic()
        await asyncio.gather(stack.restart_broker(2.0), stack.restart_broker(1.0, kill=True))
        keeper.cancel()
        # Whoever restarts what dies must leave the broker alone for that long; else outages of tests would be none.
        assert [at - began >= least for at, least in zip(launched, (2.0, 3.0), strict=True)] == [True, True]


def _identities(places: Places) -> list[Identity]:
    return processes.ledger(places).read()


def _pid(state: processes.State) -> int:
    assert state.pid is not None
    return state.pid


def _holders(places: Places) -> list[str]:
    """Processes that have the state folder on their command line or as their working directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            folder = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(places.state) in words or folder.startswith(str(places.state)):
            found.append(words.replace("\0", " "))
    return found


async def _eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        await asyncio.sleep(0.1)
