"""The six services and their workers as supervised processes, beside a PostgreSQL and a Kafka of their own.

    async with processes.running() as stack:            # ends with the block, even if this process is killed
        channel = ... stack.deployment.addresses["grading"]
        stack.kill("signing-worker-1")

`services.stack.supervisor` is the same as a process of its own, for `make up`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.chassis import migrations
from services.stack import given, healthy, kafka, log_keys, pki, ports, postgresql
from services.stack.children import Child, Ledger, spawn
from services.stack.deployment import ARCHIVE_LOG, ARCHIVE_PAGE, DASHBOARD, Deployment, available_services, refuse_misspelt, without_password
from services.stack.places import CHECKOUT, SERVICES, Places, StackError, write_atomically
from services.stack.signer_pki import SignerPki

POPULATION = "population"
POSTGRESQL, KAFKA = "postgresql", "kafka"
TRUST_SERVICES = "trust-services"
REMOTE_SIGNING = "remote-signing"
WITNESSES = log_keys.WITNESSES
REGISTER = log_keys.REGISTER
STAND_INS = (POPULATION, TRUST_SERVICES, REMOTE_SIGNING, *WITNESSES, REGISTER)
"""Outside parties that a local stack has to bring itself: no services of ours, so they take options, not settings."""
READY_SECONDS = 90.0
STOP_SECONDS = 25.0
_POLL_SECONDS = 0.1
_BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_STEADY_SECONDS = 60.0  # A process that has run this long has earned a quick restart again.

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """One process of the stack: `python -m services <service> <command>`, under a name of its own."""

    name: str
    service: str
    command: str

    def words(self, deployment: Deployment) -> list[str | Path]:
        """The command line."""
        if self.service not in STAND_INS:
            return [sys.executable, "-m", "services", self.service, self.command]
        options: dict[str, str | Path] = {"listen": deployment.addresses[self.service], "health-listen": deployment.health[self.name]}
        if self.service in WITNESSES:
            folder = deployment.log_keys
            options |= {"key": log_keys.key_file(folder, self.name), "policy": log_keys.policy_file(folder), "state": deployment.witness_states / self.name}
            return [sys.executable, "-m", "services", "witness", *(f"--{name}={value}" for name, value in options.items())]
        if self.service == REGISTER:
            leaf = deployment.keys.leaf(REGISTER)
            options |= {"database": without_password(deployment.databases[REGISTER]), "trust": deployment.signers / "anchors"}
            options |= {"database-password-file": deployment.places.secrets / f"hocba_{REGISTER}.password", "state": deployment.register_state}
            options |= {"key": log_keys.key_file(deployment.register_keys, REGISTER), "tls-certificate": leaf.certificate, "tls-key": leaf.key}
            return [sys.executable, "-m", "services", "register", "serve", *(f"--{name}={value}" for name, value in options.items())]
        if self.service == POPULATION:
            leaf, keys = deployment.keys.leaf(POPULATION), deployment.keys
            options |= {"ca": keys.ca, "certificate": leaf.certificate, "key": leaf.key}
        elif self.service == REMOTE_SIGNING:
            # The signer confirms by himself, after a moment, so that what comes later can be watched.
            options |= {"keys": deployment.signers / "keys", "password-file": deployment.signers / "keys" / "password", "confirmation": "2"}
        else:
            options["authority"] = deployment.signers / "authority"
        return [sys.executable, "-m", f"services.{self.service.replace('-', '_')}", *(f"--{name}={value}" for name, value in options.items())]


@dataclass
class State:
    """What a person sees of a process. `state` is starting, ready, not ready, stopped, ended or given."""

    name: str
    state: str
    pid: int | None = None
    address: str = ""
    since: str = ""
    restarts: int = 0
    log: str = ""


def programs(workers: int = 2, services: Iterable[str] | None = None, *, remote_signing: bool = False) -> list[Program]:
    """Every service once, and so many signing workers; the stand-in of a remote provider only where it is asked for."""
    wanted = tuple(services) if services is not None else available_services()
    found = [Program(name, name, "serve") for name in wanted]
    if "enrollment" in wanted:
        found.append(Program(POPULATION, POPULATION, "serve"))
    if "archive" in wanted:
        found += [Program(name, name, "serve") for name in (*WITNESSES, REGISTER)]
    if "signing" in wanted:
        found.append(Program(TRUST_SERVICES, TRUST_SERVICES, "serve"))
        found += [Program(REMOTE_SIGNING, REMOTE_SIGNING, "serve")] if remote_signing else []
        found += [Program(f"signing-worker-{number}", "signing", "work") for number in range(1, workers + 1)]
    return found


class Stack:
    """A running stack, in the hands of the process that started it. Use it from the main thread's event loop."""

    def __init__(self, deployment: Deployment, server: postgresql.Server, broker: kafka.Broker, wanted: list[Program]) -> None:
        self.deployment = deployment
        self.postgresql = server
        self.kafka = broker
        self._programs = {program.name: program for program in wanted}
        self._children: dict[str, Child] = {}
        self._started: dict[str, float] = {}
        self._restarts: dict[str, int] = {}
        self._held: set[str] = set()  # Stopped on purpose: not to be restarted.
        self._broker_turn = asyncio.Lock()
        self._ledger = ledger(deployment.places)

    @property
    def names(self) -> list[str]:
        return list(self._programs)

    def start(self, name: str) -> None:
        """Start one process without waiting for it; nothing happens if it runs."""
        child = self._children.get(name)
        if child is not None and child.alive:
            return
        program = self._programs[name]
        self._held.discard(name)
        self._started[name] = time.time()
        self._children[name] = spawn(
            name,
            program.words(self.deployment),
            log=self.deployment.places.logs / f"{name}.log",
            env=self.deployment.environment_of(program.service, name),
            cwd=CHECKOUT,
            death_signal=signal.SIGKILL,
        )
        self._remember()

    def _remember(self) -> None:
        self._ledger.write([self.postgresql.child, self.kafka.child, *self._children.values()])

    async def stop(self, name: str, grace_seconds: float = STOP_SECONDS) -> int | None:
        """End one process in its orderly way (SIGTERM, drain); returns its exit code."""
        self._held.add(name)
        child = self._children.get(name)
        return await asyncio.to_thread(child.stop, grace_seconds) if child is not None else None

    def kill(self, name: str) -> None:
        """End one process by SIGKILL; it stays down until `start`, unless the stack restarts what dies."""
        if name in self._children:
            self._children[name].kill()

    def pid(self, name: str) -> int:
        """The process id of a running process."""
        return self._children[name].process.pid

    def alive(self, name: str) -> bool:
        """Whether the process runs (ready or not)."""
        return name in self._children and self._children[name].alive

    async def is_ready(self, name: str) -> bool:
        """Whether the process says SERVING on its health port."""
        return self.alive(name) and await asyncio.to_thread(healthy.ready, self.deployment.health[name])

    async def wait_ready(self, names: Iterable[str] | None = None, seconds: float = READY_SECONDS, say: Say = lambda _: None) -> None:
        """Return once all these processes are ready. StackError names the first that isn't, with the end of its log."""
        deadline, missing = time.monotonic() + seconds, list(names if names is not None else self.names)
        while missing:
            for name in list(missing):
                child = self._children[name]
                if not child.alive:
                    raise StackError(f"{name} ended with code {child.exit_code} before it was ready. Log {child.log}:\n{child.last_lines()}")
                if await self.is_ready(name):
                    missing.remove(name)
                    say(f"{name} is ready")
            if missing and time.monotonic() > deadline:
                child = self._children[missing[0]]
                raise StackError(f"{', '.join(missing)} not ready after {seconds:.0f} s. Log {child.log}:\n{child.last_lines()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def restart_broker(self, outage_seconds: float = 0.0, *, kill: bool = False) -> None:
        """Take Kafka away for a while and bring it back on the same port and data; nobody else starts it meanwhile."""
        async with self._broker_turn:  # Two outages at once would be one short one.
            self._held.add(KAFKA)
            try:
                await asyncio.to_thread(self.kafka.kill if kill else self.kafka.stop)
                await asyncio.sleep(outage_seconds)
            finally:
                self._held.discard(KAFKA)
            self.kafka.start()
            self._remember()
            await asyncio.to_thread(self.kafka.wait_ready)

    async def keep_running(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Start again what dies, sooner at first and later more slowly; runs until it is cancelled."""
        due: dict[str, float] = {}
        while True:
            await asyncio.sleep(_POLL_SECONDS * 2)
            for name, child in list(self._children.items()):
                if child.alive or name in self._held:
                    continue
                if name not in due:
                    steady = time.time() - self._started[name] > _STEADY_SECONDS
                    self._restarts[name] = 1 if steady else self._restarts.get(name, 0) + 1
                    pause = _BACK_OFF_SECONDS[min(self._restarts[name], len(_BACK_OFF_SECONDS)) - 1]
                    due[name] = time.monotonic() + pause
                    on_change()
                elif time.monotonic() >= due[name]:
                    del due[name]
                    self.start(name)
                    on_change()
            for name, server in ((POSTGRESQL, self.postgresql), (KAFKA, self.kafka)):
                if server.child is not None and not server.child.alive and server.is_ours and name not in self._held:
                    server.start()
                    self._remember()
                    on_change()

    def states(self) -> list[State]:
        """One line per process, as far as this process can tell without asking the services."""
        logs, result = self.deployment.places.logs, []
        for name, server, address in (
            (POSTGRESQL, self.postgresql, self.deployment.postgresql),
            (KAFKA, self.kafka, self.deployment.kafka),
        ):
            if not server.is_ours:
                result.append(State(name, "given", address=address))
            elif server.child is not None:
                state = "ready" if server.child.alive else "ended"
                result.append(State(name, state, server.child.process.pid, address, log=str(logs / f"{name}.log")))
        for name, child in self._children.items():
            state = "starting" if child.alive else "stopped" if name in self._held else "ended"
            since = datetime.fromtimestamp(self._started[name], UTC).isoformat(timespec="seconds")
            address = self.deployment.addresses.get(name, "")
            result.append(State(name, state, child.process.pid, address, since, self._restarts.get(name, 0), str(child.log)))
        return result

    async def close(self) -> None:
        """End everything: services first and at once, then the broker and the database."""
        for name, child in self._children.items():
            self._held.add(name)
            child.ask_to_stop()
        await asyncio.gather(*(asyncio.to_thread(child.stop, STOP_SECONDS) for child in self._children.values()))
        await asyncio.gather(asyncio.to_thread(self.kafka.stop), asyncio.to_thread(self.postgresql.stop))


@contextlib.asynccontextmanager
async def running(
    places: Places | None = None,
    *,
    workers: int = 2,
    services: Iterable[str] | None = None,
    fresh: bool = False,
    durable: bool = True,
    remote_signing: bool = False,
    topic_prefix: str = "",
    overrides: Mapping[str, Mapping[str, str]] | None = None,
    say: Say = lambda _: None,
) -> AsyncIterator[Stack]:
    """A whole stack for the length of the block, every process ready.

    `fresh` starts from empty databases, topics and stores. `durable=False` leaves out fsync, for throw-away stacks.
    `remote_signing` brings the stand-in of a remote provider as well, as `csc:standin/<key name>`.
    `overrides` are settings by service and field name. StackError if another stack runs in the same place.
    """
    refuse_misspelt(os.environ)
    places = (places or Places.of()).make()
    with alone_in(places):
        Deployment.forget(places)
        record = ledger(places)
        record.end_leftovers()
        if fresh:
            wipe(places)
        stack: Stack | None = None
        server = postgresql.start(places, durable=durable, say=say)
        try:
            record.write([server.child])
            broker = kafka.start(places, say=say)
            try:
                record.write([server.child, broker.child])
                if not server.is_ours and fresh:
                    given.drop_databases(places, server)
                if not broker.is_ours and not topic_prefix:
                    topic_prefix = await asyncio.to_thread(given.topic_prefix, places, broker, fresh=fresh)
                stack = await _assemble(places, server, broker, programs(workers, services, remote_signing=remote_signing), topic_prefix, overrides or {}, say)
                stack.deployment.write()
                yield stack
            finally:
                if stack is not None:
                    await stack.close()
                broker.stop()
        finally:
            server.stop()
            Deployment.forget(places)
            record.file.unlink(missing_ok=True)


async def _assemble(
    places: Places,
    server: postgresql.Server,
    broker: kafka.Broker,
    wanted: list[Program],
    topic_prefix: str,
    overrides: Mapping[str, Mapping[str, str]],
    say: Say,
) -> Stack:
    keys = pki.prepare(places)
    for folder in (places.objects / "staging", places.objects / "archive", places.state / "key-journal"):
        folder.mkdir(parents=True, exist_ok=True)
    services = sorted({program.service for program in wanted} - set(STAND_INS))
    # All have an address even if only some run: their callers start in any order and with any of them missing.
    chosen = ports.choose(places, (*SERVICES, *STAND_INS, ARCHIVE_LOG, ARCHIVE_PAGE, DASHBOARD, *(f"{program.name}-health" for program in wanted)))
    # Certificates name the place where their revocation can be asked for, so the address comes first.
    signers = SignerPki(keys.folder / "signers", services=f"http://{ports.LOOPBACK}:{chosen[TRUST_SERVICES]}")
    signers.folder.chmod(0o700)
    log_keys.prepare_register(keys.folder / "register")
    log_keys.prepare(keys.folder / "log", {name: f"{ports.LOOPBACK}:{chosen[name]}" for name in WITNESSES}, signers.anchors)
    await asyncio.to_thread(server.wait_ready)
    say("PostgreSQL is ready")
    wants_register = any(program.service == REGISTER for program in wanted)
    databases = {name: await asyncio.to_thread(server.provide, name) for name in (*services, *([REGISTER] if wants_register else []))}
    for service in databases if not server.is_ours else ():
        given.claim_database(places, server, service)
    deployment = Deployment(
        state=places.state,
        kafka=broker.bootstrap,
        postgresql=server.place,
        addresses={service: f"{ports.LOOPBACK}:{chosen[service]}" for service in (*SERVICES, *STAND_INS, ARCHIVE_LOG, ARCHIVE_PAGE, DASHBOARD)},
        health={program.name: f"{ports.LOOPBACK}:{chosen[f'{program.name}-health']}" for program in wanted},
        databases={service: found.url for service, found in databases.items()},
        owner_databases={service: found.owner_url for service, found in databases.items()},
        topic_prefix=topic_prefix,
        overrides=overrides,
    )
    if REMOTE_SIGNING in deployment.health:
        provider = f'[standin]\nurl = "http://{deployment.addresses[REMOTE_SIGNING]}/csc/v2"\nasked_by = "clientData"\n'
        write_atomically(deployment.providers, provider, mode=0o600)
    await asyncio.to_thread(broker.wait_ready)
    say("Kafka is ready")
    stack = Stack(deployment, server, broker, wanted)
    try:
        await _migrate(deployment, services)
        if wants_register:
            await asyncio.to_thread(migrations.migrate, databases[REGISTER].owner_url, CHECKOUT / "services" / REGISTER / "migrations")
        say("databases, topics and offsets are up to date")
        for program in wanted:
            stack.start(program.name)
        await stack.wait_ready(say=say)
    except BaseException:
        await stack.close()
        raise
    return stack


async def _migrate(deployment: Deployment, services: list[str]) -> None:
    environment: dict[str, str] = {}
    for service in services:
        environment |= deployment.environment_of(service, as_owner=True)
    log = deployment.places.logs / "migrate.log"
    child = spawn("migrate", [sys.executable, "-m", "services.stack.migrate", *services], log=log, env=environment, cwd=CHECKOUT)
    try:
        await asyncio.to_thread(child.process.wait)
    finally:
        child.stop(1.0)
    if child.exit_code != 0:
        raise StackError(f"The migrations ended with code {child.exit_code}. Log {log}:\n{child.last_lines(30)}")


@contextlib.contextmanager
def alone_in(places: Places) -> Iterator[None]:
    """Hold the place for one stack; the lock goes with the process that holds it."""
    with (places.state / "stack.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"A stack runs in {places.state} already: `make down` stops it, or end the demo or the test that has started it. "
                "HOCBA_STATE=<another folder> gives a stack of its own."
            ) from None
        yield


def ledger(places: Places) -> Ledger:
    """The record of a stack's processes."""
    return Ledger(places.state / "pids.json")


def wipe(places: Places) -> None:
    """Remove a stopped stack's data and logs; its keys stay."""
    postgresql.wipe(places)
    for name in ("kafka", "objects", "key-journal", "witnesses", "register", "logs"):
        shutil.rmtree(places.state / name, ignore_errors=True)
    places.make()
