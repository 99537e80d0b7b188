"""The life of a service process: start in any order, readiness that tells the truth, and a graceful end.

A service's app.py only names its parts:

    def build(settings: GradingSettings) -> Service:
        service = Service("grading", settings)
        service.add_rpc("hocba.grading.v1.Grading", lambda server: add_GradingServicer_to_server(GradingRPC(...), server))
        service.add_consumers(GradingConsumers(...))
        return service

Roles let one program run as several kinds of process: `rpc`, `consumers`, `relay`, and the names of background tasks.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import grpc
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity
from google.protobuf.message import Message

from services.chassis import kafka, progress, telemetry
from services.chassis.consumer import Subscription, events_of, handlers_of
from services.chassis.database import Database
from services.chassis.envelope import Envelope
from services.chassis.errors import Refused
from services.chassis.identity import service_actor, set_current_actor
from services.chassis.relay import Relay
from services.chassis.rpc import Server
from services.chassis.rpc_client import open_channel
from services.chassis.settings import ServiceSettings
from services.chassis.telemetry import log

CHECK_SECONDS = 1.0
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 3.0

Background = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""A task that runs until the event it is given is set."""


class Service:
    """Everything one service process runs, wired by the service's app.py."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name, self.settings = name, settings
        self.database = Database(settings.dsn, name=f"hocba-{name}", pool=settings.database_pool)
        self.envelope = Envelope(settings.envelope_readers_file, settings.envelope_key_file, name)
        self._rpc: dict[str, Callable[[grpc.aio.Server], None]] = {}
        self._groups: list[tuple[str, str, object, int]] = []
        self._background: dict[str, Background] = {}
        self._publishes: tuple[type[Message], ...] = ()
        self._channels: list[grpc.aio.Channel] = []

    # --- wiring, called by the service's app.py ---

    def add_rpc(self, full_name: str, register: Callable[[grpc.aio.Server], None]) -> None:
        """A gRPC service by its full proto name, and the generated function that adds it to a server."""
        self._rpc[full_name] = register

    def add_consumers(self, consumers: object, *, group: str = "", role: str = "consumers", max_records: int = 500) -> None:
        """An object with @on methods, run by processes that have the role. The group is the service's name unless given."""
        self._groups.append((role, group or self.name, consumers, max_records))

    def add_background(self, role: str, task: Background) -> None:
        """A task (scheduler, poller) run by processes that have the role, until it is asked to stop."""
        self._background[role] = task

    def publishes(self, *events: type[Message]) -> None:
        """The events that this service announces; their topics are made by `provision`."""
        self._publishes = events

    def channel(self, address: str, server_name: str) -> grpc.aio.Channel:
        """A channel to another service, closed at the end. Opens lazily: the other may start later."""
        s = self.settings
        opened = open_channel(address, server_name, ca=s.tls_ca_file, certificate=s.tls_certificate_file, key=s.tls_key_file)
        self._channels.append(opened)
        return opened

    # --- life ---

    async def provision(self) -> list[str]:
        """Create topics and group offsets; part of `migrate`. Returns the topics made."""
        made: list[str] = []
        for _, group, consumers, _ in self._groups or [("", self.name, object(), 0)]:
            made += await kafka.provision(self.settings, group, self._publishes, events_of(type(consumers)))
        return made

    def subscriptions(self, roles: Iterable[str] | None = None) -> list[tuple[Subscription, int]]:
        """The subscriptions of the given roles (all when None), with the records of a batch."""
        wanted = None if roles is None else set(roles)
        prefix = self.settings.topic_prefix
        return [
            (Subscription(self.database, group, handlers_of(consumers), service=self.name, topic_prefix=prefix), records)
            for role, group, consumers, records in self._groups
            if wanted is None or role in wanted
        ]

    async def run(self, roles: Iterable[str]) -> None:
        """Run until SIGTERM or SIGINT, then drain: not ready, no new work, running work finished, outbox emptied."""
        roles, settings = set(roles), self.settings
        telemetry.configure(self.name, level=settings.log_level, export=settings.telemetry, otlp_endpoint=settings.otlp_endpoint, instance=settings.instance)
        set_current_actor(service_actor(self.name))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await self.database.open()
        server = Server(settings, self.name, tuple(self._rpc) if "rpc" in roles else ())
        if "rpc" in roles:
            for register in self._rpc.values():
                register(server.grpc)
        await server.start()
        relay = Relay(self.database, kafka.connection_options(settings), source=self.name, topic_prefix=settings.topic_prefix)
        tasks: list[asyncio.Task[None]] = [asyncio.create_task(task(stop), name=role) for role, task in self._background.items() if role in roles]
        relaying = asyncio.create_task(relay.run(), name="relay") if "relay" in roles else None
        subscriptions = self.subscriptions(roles)
        broker = await self._start_consuming(roles, subscriptions, stop)
        if broker:
            watching = progress.watch(broker, [subscription for subscription, _ in subscriptions], stop)
            tasks.append(asyncio.create_task(watching, name="progress"))
        watch = asyncio.create_task(self._watch_readiness(server, broker, stop), name="readiness")
        log.info("started", roles=sorted(roles))
        await self._until_stopped(stop, [*tasks, *([relaying] if relaying else []), watch])
        log.info("draining")
        await server.ready(False)
        await asyncio.sleep(settings.drain_seconds)
        await server.stop(settings.grace_seconds)
        if broker:
            try:
                await asyncio.wait_for(broker.stop(), settings.grace_seconds + CLOSE_SECONDS)
            except TimeoutError:  # A client that hangs takes no leave; what it has not acknowledged comes again.
                log.warning("consumers did not stop within the grace time")
        relay.stop()
        if ending := [*tasks, *([relaying] if relaying else [])]:
            _, late = await asyncio.wait(ending, timeout=settings.grace_seconds)
            if late:
                # Told to end and not waited for: a task in the middle of a question to a database that hangs would wait for its answer.
                log.warning("not everything ended within the grace time", tasks=sorted(task.get_name() for task in late))
                for task in late:
                    task.cancel()
        for channel in self._channels:
            await channel.close(None)
        await self.database.close()
        log.info("stopped")

    async def _until_stopped(self, stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for the signal; a background task that dies ends the process, so that its supervisor starts it anew."""
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not stopping and not stop.is_set():
                log.error("a task died", task=task.get_name(), exc_info=task.exception())
                stop.set()
        stopping.cancel()

    async def _start_consuming(self, roles: set[str], subscriptions: list[tuple[Subscription, int]], stop: asyncio.Event) -> KafkaBroker | None:
        if not subscriptions:
            return None
        events = [event for role, _, consumers, _ in self._groups if role in roles for event in events_of(type(consumers))]
        while not stop.is_set():
            options = kafka.connection_options(self.settings)
            security = BaseSecurity(ssl_context=options["ssl_context"], use_ssl=True) if "ssl_context" in options else None
            broker = KafkaBroker(
                options["bootstrap_servers"],
                client_id=options["client_id"],
                security=security,
                logger=None,
                apply_types=False,
                graceful_timeout=self.settings.grace_seconds,
                enable_idempotence=False,
                acks="all",
            )
            for subscription, records in subscriptions:
                subscription.attach(broker, instance=self.settings.instance, max_records=records)
            try:
                await kafka.verify(self.settings, [*events, *self._publishes])
                await broker.start()
            except (KafkaError, OSError, Refused) as error:
                log.warning("cannot consume yet", error=type(error).__name__, reason=str(error)[:200])
                await broker.stop()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            return broker
        return None

    async def _watch_readiness(self, server: Server, broker: KafkaBroker | None, stop: asyncio.Event) -> None:
        was: bool | None = None
        while not stop.is_set():
            now = await self.database.ping() and (broker is None or await broker.ping(timeout=3))
            if now is not was:
                log.info("ready" if now else "not ready")
                await server.ready(now)
                was = now
            try:
                await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
            except TimeoutError:
                continue


MIGRATIONS = "migrations"


def migrations_of(package_file: str) -> Path:
    """The migrations folder beside a service's app.py."""
    return Path(package_file).with_name(MIGRATIONS)
