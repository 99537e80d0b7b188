"""The stack as a background process: `up` starts it, `down` ends it, `status` reads what it leaves.

    python -m services.stack.supervisor     in the foreground, until SIGTERM or Ctrl-C

Whatever it starts carries a death signal, so `kill -9` of this process takes the whole stack with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from services.stack import healthy, processes
from services.stack.children import Identity
from services.stack.deployment import Deployment
from services.stack.places import CHECKOUT, SERVICES, Places, StackError, write_atomically
from services.stack.processes import Say, Stack, State

_UP_SECONDS = 300.0  # The first time, jars and tools may have to be fetched.
_DOWN_SECONDS = processes.STOP_SECONDS + 40.0


# Supervisors that this process has started, so that they are reaped if it lives to see their end.
_ours: list[subprocess.Popen[bytes]] = []


def up(
    places: Places, *, workers: int = 2, only: Iterable[str] = (), fresh: bool = False, remote_signing: bool = False, say: Say = lambda _: None
) -> Deployment:
    """Start a stack in the background and return when it is ready; a stack that runs already is simply returned."""
    places.make()
    supervisor = _supervisor(places)
    if supervisor is None:
        for name in ("progress.log", "supervisor.log"):
            (places.logs / name).unlink(missing_ok=True)
        Deployment.forget(places)  # A killed supervisor leaves its own, and we wait for the new one's.
        command = [sys.executable, "-m", "services.stack.supervisor", f"--workers={workers}", *(f"--only={name}" for name in only)]
        command += [*(["--fresh"] if fresh else []), *(["--remote-signing"] if remote_signing else [])]
        with (places.logs / "progress.log").open("ab") as output, (places.logs / "supervisor.log").open("ab") as errors:
            child = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**os.environ, "HOCBA_STATE": str(places.state)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        _ours.append(child)
        try:
            supervisor = Identity.of(child.pid)
            return _follow(places, supervisor, say, lambda: child.poll() is not None)
        except BaseException:  # Ctrl-C too: nobody wants half a stack.
            if child.poll() is None:
                child.terminate()
                child.wait(_DOWN_SECONDS)
            raise
    return _follow(places, supervisor, lambda _: None, lambda: not supervisor.alive)


def _follow(places: Places, supervisor: Identity, say: Say, has_ended: Callable[[], bool]) -> Deployment:
    """Repeat the supervisor's progress until its stack is ready."""
    deadline, shown = time.monotonic() + _UP_SECONDS, 0
    while True:
        ended, ready = has_ended(), _is_up(places, supervisor)
        lines = _lines(places.logs / "progress.log")
        for line in lines[shown:]:
            say(line)
        shown = len(lines)
        if ready:
            return Deployment.read(places)
        if ended:
            raise StackError("The stack did not start.\n" + "\n".join(_lines(places.logs / "supervisor.log")[-40:]))
        if time.monotonic() > deadline:
            raise StackError(f"The stack is not ready after {_UP_SECONDS:.0f} s; see {places.logs}, or `make down` to give up.")
        time.sleep(0.1)


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


def down(places: Places, *, wipe: bool = False) -> bool:
    """End the stack and whatever a killed supervisor may have left; returns whether anything ran."""
    found = False
    supervisor = _supervisor(places)
    if supervisor is not None:
        found = True
        supervisor.signal(signal.SIGTERM)
        if not supervisor.ended(_DOWN_SECONDS):
            supervisor.signal(signal.SIGKILL)
            supervisor.ended(5.0)
    with processes.alone_in(places.make()):  # Refused while a demo or a test has a stack here.
        found |= processes.ledger(places).end_leftovers()
    _ours[:] = [child for child in _ours if child.poll() is None]
    for name in ("supervisor.json", "processes.json"):
        (places.state / name).unlink(missing_ok=True)
    Deployment.forget(places)
    if wipe:
        processes.wipe(places)
    return found


async def status(places: Places) -> list[State]:
    """What runs now, asked from the processes themselves; empty when there is no stack."""
    if _supervisor(places) is None:
        return []
    states = [State(**entry) for entry in _read(places, "processes.json", [])]
    try:
        health = Deployment.read(places).health
    except StackError:
        health = {}
    stack_health = {name: asyncio.to_thread(healthy.ready, address) for name, address in health.items()}
    ready = dict(zip(stack_health, await asyncio.gather(*stack_health.values()), strict=True))
    return [
        replace(state, state="ready" if ready[state.name] else "not ready") if state.state == "starting" and state.name in ready else state for state in states
    ]


def _supervisor(places: Places) -> Identity | None:
    """The supervisor on record, if that very process still lives; a record of a dead one is worth nothing."""
    record = _read(places, "supervisor.json", None)
    identity = Identity(**record) if isinstance(record, dict) and record else None
    return identity if identity is not None and identity.alive else None


def runs_in(places: Places) -> bool:
    """Whether a background stack lives there, ready or not."""
    return _supervisor(places) is not None


def meant() -> Places:
    """The stack that a command means: HOCBA_STATE's, else the one that `make up` has started, else one that a demo has kept."""
    mine, demo = Places.of(), Places.of_demo()
    return demo if not runs_in(mine) and runs_in(demo) else mine


def _is_up(places: Places, supervisor: Identity) -> bool:
    return _supervisor(places) == supervisor and (places.state / "deployment.json").exists()


def _read(places: Places, name: str, otherwise: Any) -> Any:
    try:
        return json.loads((places.state / name).read_text())
    except (OSError, ValueError):
        return otherwise


def _record(places: Places, stack: Stack) -> None:
    """Leave what `status` and `down` need, should this process be gone."""
    states = stack.states()
    write_atomically(places.state / "processes.json", json.dumps([asdict(state) for state in states], indent=1) + "\n")


async def supervise(places: Places, *, workers: int, only: tuple[str, ...], fresh: bool, remote_signing: bool = False) -> None:
    """Run a stack until SIGTERM or SIGINT, starting again what dies."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    write_atomically(places.state / "supervisor.json", json.dumps(asdict(Identity.of(os.getpid()))) + "\n")
    is_up = asyncio.Event()
    running = asyncio.create_task(_run(places, workers, only, fresh, remote_signing, is_up, stop))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    if not is_up.is_set():
        running.cancel()  # It is still starting; once up it sees `stop` itself and ends in order.
    stopped.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        for name in ("supervisor.json", "processes.json"):
            (places.state / name).unlink(missing_ok=True)


async def _run(places: Places, workers: int, only: tuple[str, ...], fresh: bool, remote_signing: bool, is_up: asyncio.Event, stop: asyncio.Event) -> None:
    started = time.monotonic()
    async with processes.running(places, workers=workers, services=only or None, fresh=fresh, remote_signing=remote_signing, say=_say) as stack:
        is_up.set()
        _record(places, stack)
        _say(f"ready after {time.monotonic() - started:.0f} s")
        keeping = asyncio.create_task(stack.keep_running(lambda: _record(places, stack)))
        try:
            await stop.wait()
        finally:
            keeping.cancel()


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Supervise the stack of HOCBA_STATE in the foreground."""
    arguments = argparse.ArgumentParser(prog="python -m services.stack.supervisor", description="Run the local stack in the foreground.")
    arguments.add_argument("--workers", type=int, default=2, help="signing workers (2)")
    arguments.add_argument("--only", action="append", default=[], choices=SERVICES, help="this service and no other; may be repeated")
    arguments.add_argument("--fresh", action="store_true", help="start from empty databases, topics and stores")
    arguments.add_argument("--remote-signing", action="store_true", help="with the stand-in of a remote signing provider")
    asked = arguments.parse_args()
    try:
        asyncio.run(supervise(Places.of().make(), workers=asked.workers, only=tuple(asked.only), fresh=asked.fresh, remote_signing=asked.remote_signing))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
