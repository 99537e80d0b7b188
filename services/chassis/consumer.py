"""Kafka to handlers, in one place: batches, manual acknowledgement, bounded retries, parking.

A service writes a class whose methods are marked `@on(EventType)` and take a batch of that event:

    @on(grading_events.ClassSealed)
    async def on_class_sealed(self, events: Sequence[Received[ClassSealed]]) -> None: ...

Each handler does its work in one transaction, with an inbox or a version guard, so that a repeat is harmless.
Offsets are committed after that. What a handler raises decides what happens:

    Malformed, Refused, NotFound, Denied   the batch is halved until the record is found; that one is parked with its reason
    Unavailable and connection errors      tried again for ever, with back-off: the record is not at fault
    anything else                          a bug: tried BUG_ATTEMPTS times, then treated as the first kind

Later records of a parked key are parked behind it, so that the order of a key holds; `hocba <service> parked --replay` hands them over again.
FastStream swallows whatever a subscriber raises and a later commit would pass the record: nothing may escape here.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Generic, Literal, TypeVar

import grpc
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from google.protobuf.message import DecodeError, Message
from opentelemetry import trace

from services.chassis.database import CONNECTION_ERRORS, STRAIN_ERRORS, Database
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, OutcomeUnknown, Refused, Unavailable
from services.chassis.identity import service_actor, set_current_actor
from services.chassis.outbox import QUERIES
from services.chassis.streams import stream_of
from services.chassis.telemetry import log, metrics, remote_context, tracer

M = TypeVar("M", bound=Message)

AT_FAULT = (Malformed, Refused, NotFound, Denied)
NOT_AT_FAULT = (Unavailable, OutcomeUnknown, Conflict, KafkaError, grpc.RpcError, TimeoutError, *CONNECTION_ERRORS, *STRAIN_ERRORS)
BUG_ATTEMPTS = 3
BACKOFF_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0)
MAX_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """An event as it came: the message and what its envelope said."""

    event: M
    event_id: str
    key: str
    at: datetime  # announced at, UTC
    headers: dict[str, str]


Handler = Callable[[Sequence[Received[Any]]], Awaitable[None]]


def on(event: type[Message]) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Mark a method as the handler of an event; topic, key and retention come from the event's own options."""

    def mark(method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        method.__hocba_event__ = event  # type: ignore[attr-defined]  # Read back by handlers_of.
        return method

    return mark


def handlers_of(consumers: object) -> dict[type[Message], Handler]:
    """The handlers of an object with @on methods."""
    found: dict[type[Message], Handler] = {}
    for name in dir(type(consumers)):
        event = getattr(getattr(type(consumers), name), "__hocba_event__", None)
        if event is not None:
            found[event] = getattr(consumers, name)
    return found


def events_of(consumers: type) -> tuple[type[Message], ...]:
    """The events that a class with @on methods consumes."""
    marked = (getattr(getattr(consumers, name), "__hocba_event__", None) for name in dir(consumers))
    return tuple(event for event in marked if event is not None)


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record, untouched."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: dict[str, str]


def record_of(raw: Any, prefix: str = "") -> Record:
    """A record as aiokafka hands it out, by the topic's name without the prefix."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in raw.headers}
    return Record(raw.topic.removeprefix(prefix), raw.partition, raw.offset, (raw.key or b"").decode("utf-8", "replace"), raw.value or b"", headers)


@dataclass(slots=True)
class Turn:
    """A batch under way, for whoever watches that consumers move."""

    number: int
    stage: Literal["handling", "acknowledging"] = "handling"
    attempts: int = 0  # of its handlers, so that one that waits for a database is told from one that hangs


_TURNS = count()


async def _untouched(message: KafkaMessage) -> KafkaMessage:
    """FastStream's decoder hook: the handler gets the message itself, with its raw records and its ack()."""
    return message


class Subscription:
    """One group's handlers of one database; `attach` subscribes them to a broker."""

    def __init__(self, database: Database, group: str, handlers: dict[type[Message], Handler], *, service: str, topic_prefix: str = "") -> None:
        self._database, self._group, self._service, self._prefix = database, group, service, topic_prefix
        self._handlers = {event.DESCRIPTOR.full_name: (event, handler) for event, handler in handlers.items()}
        self._parked: set[tuple[str, str]] | None = None
        self.turns: dict[str, Turn] = {}
        """Topic -> its batch under way."""
        self.escaped: Exception | None = None
        """What no handler was to let out: the process has to end, since its place in the topic is lost."""
        # Each topic has a consumer of its own: without turns, one's look at the table would forget what another just parked.
        self._parking = asyncio.Lock()
        self.topics = sorted({topic_prefix + stream_of(event).topic for event in handlers})
        self.group = topic_prefix + group

    def attach(self, broker: KafkaBroker, *, instance: str, max_records: int = MAX_RECORDS) -> None:
        """Subscribe to every topic, each with its own consumer, in batches, with manual acknowledgement."""
        for topic in self.topics:
            subscriber = broker.subscriber(
                topic,
                group_id=self.group,
                group_instance_id=f"{self._group}-{instance}-{topic}",
                batch=True,
                max_records=max_records,
                batch_timeout_ms=50,
                ack_policy=AckPolicy.MANUAL,
                auto_offset_reset="none",
                isolation_level="read_committed",
                session_timeout_ms=10_000,
                heartbeat_interval_ms=3_000,
                max_poll_interval_ms=600_000,
                decoder=_untouched,
                no_reply=True,
            )
            subscriber(self._receive)

    async def _receive(self, message: Any) -> None:
        records = [record_of(raw, self._prefix) for raw in message.raw_message]
        topic = message.raw_message[0].topic
        turn = self.turns[topic] = Turn(next(_TURNS))
        try:
            await self.handle(records)
            turn.stage = "acknowledging"
            await _acknowledge(message)
        except Exception as error:
            # FastStream would go on with the next batch, and its acknowledgement would pass these records: rather nothing more is read.
            log.exception("a batch escaped its handlers", topic=topic, error=type(error).__name__)
            self.escaped = error
            await asyncio.Event().wait()
        finally:
            del self.turns[topic]

    async def handle(self, records: Sequence[Record]) -> None:
        """Apply records in order; returns when each is applied, parked or not for us. Never raises for a record."""
        set_current_actor(service_actor(self._service))
        await self._load_parked()
        for event_type, run in _runs(records):
            known = self._handlers.get(event_type)
            if known is None:
                continue  # An event of a neighbour on a shared topic that this service does not use, or a newer one.
            await self._apply(known[0], known[1], run)

    async def _apply(self, event: type[Message], handler: Handler, run: Sequence[Record]) -> None:
        assert self._parked is not None
        behind = [r for r in run if (r.topic, r.key) in self._parked]
        for record in behind:
            await self._park(record, "waits behind a parked record of the same key")
        received, sources = [], []
        for record in run:
            if record in behind:
                continue
            try:
                received.append(_decode(event, record))
                sources.append(record)
            except (DecodeError, KeyError, ValueError) as error:
                await self._park(record, f"cannot be read: {type(error).__name__}")
        if received:
            await self._call(event, handler, received, sources)

    async def _call(self, event: type[Message], handler: Handler, received: Sequence[Received[Any]], sources: Sequence[Record]) -> None:
        failures = attempt = 0
        while True:
            if turn := self.turns.get(self._prefix + sources[0].topic):
                turn.attempts += 1
            try:
                links = [trace.Link(trace.get_current_span(remote_context(r.headers)).get_span_context()) for r in received[:20]]
                with tracer.start_as_current_span(f"process {event.DESCRIPTOR.full_name}", kind=trace.SpanKind.CONSUMER, links=links):
                    await handler(received)
            except NOT_AT_FAULT as error:
                wait = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                log.warning("handler waits", type=event.DESCRIPTOR.full_name, error=type(error).__name__, seconds=wait)
                attempt += 1
                await asyncio.sleep(wait)
                continue
            except AT_FAULT as error:
                return await self._narrow(event, handler, received, sources, f"{error.code}: {error.message}")
            except Exception as error:  # A bug must not stop the partition: it is tried again, then parked with its name.
                failures += 1
                log.exception("handler failed", type=event.DESCRIPTOR.full_name, attempt=failures)
                if failures >= BUG_ATTEMPTS:
                    return await self._narrow(event, handler, received, sources, f"bug: {type(error).__name__}: {error}".split("DETAIL:")[0][:500])
                await asyncio.sleep(BACKOFF_SECONDS[failures])
                continue
            now = datetime.now(UTC)
            metrics.consumed.add(len(received), {"service": self._service, "type": event.DESCRIPTOR.full_name})
            metrics.event_age.record((now - received[0].at).total_seconds(), {"service": self._service, "type": event.DESCRIPTOR.full_name})
            return None

    async def _narrow(self, event: type[Message], handler: Handler, received: Sequence[Received[Any]], sources: Sequence[Record], reason: str) -> None:
        if len(received) == 1:
            await self._park(sources[0], reason)
            return
        middle = len(received) // 2
        for part in (slice(0, middle), slice(middle, None)):
            # Through _apply, since parking in the first half may put records of the second half behind it.
            await self._apply(event, handler, sources[part])

    async def _park(self, record: Record, reason: str) -> None:
        assert self._parked is not None
        log.error("record parked", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason)
        metrics.parked.add(1, {"service": self._service, "type": record.headers.get("ce_type", "")})
        async with self._parking:
            await _until_there(lambda: self._write_parked(record, reason))
            self._parked.add((record.topic, record.key))

    async def _write_parked(self, record: Record, reason: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["park"],
                self._group,
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.headers.get("ce_type", ""),
                record.headers.get("ce_id", ""),
                json.dumps(record.headers),
                record.value,
                reason,
            )

    async def _load_parked(self) -> None:
        async def load() -> None:
            async with self._database.transaction() as connection:
                rows = await connection.fetch(QUERIES["parked_keys"], self._group)
            self._parked = {(row["topic"], row["key"]) for row in rows}

        async with self._parking:
            await _until_there(load)

    async def replay(self, limit: int = 1000) -> tuple[int, int]:
        """Hand parked records to their handlers again, oldest first: (applied, still parked)."""
        applied = failed = 0
        set_current_actor(service_actor(self._service))
        async with self._database.transaction() as connection:
            rows = [row for row in await connection.fetch(QUERIES["list_parked"], limit) if row["consumer"] == self._group]
        blocked: set[tuple[str, str]] = set()
        for row in rows:
            key = (row["topic"], row["key"])
            known = self._handlers.get(row["type"])
            record = Record(row["topic"], row["partition"], row["offset"], row["key"], row["payload"], json.loads(row["headers"]))
            try:
                if key in blocked or known is None:
                    raise Refused("waits behind a parked record of the same key, or has no handler")
                await known[1]([_decode(known[0], record)])
            except Exception as error:  # Each record stands for itself; the reason goes to the operator.
                failed += 1
                blocked.add(key)
                log.warning("parked record still fails", topic=row["topic"], offset=row["offset"], error=f"{type(error).__name__}: {error}"[:300])
                continue
            async with self._database.transaction() as connection:
                await connection.execute(QUERIES["mark_replayed"], row["id"], "applied")
            applied += 1
        return applied, failed


async def _acknowledge(message: Any) -> None:
    """Commit the offsets, however long the broker is away.

    Were the error let go, a quiet topic would show a lag for ever, since only the next batch would commit again. When the
    group has moved on without us, the records come again, and that is harmless.
    """
    attempt = 0
    while True:
        try:
            await message.ack()
            return
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("the group has moved on", error=type(error).__name__)
            return
        except KafkaError as error:
            log.warning("offsets wait", error=type(error).__name__)
            await asyncio.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
            attempt += 1


async def _until_there(action: Callable[[], Awaitable[None]]) -> None:
    attempt = 0
    while True:
        try:
            return await action()
        except Exception as error:  # Whatever it is: an error that got out would lose the record at the next commit.
            log.warning("database away", error=type(error).__name__)
            await asyncio.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
            attempt += 1


def _runs(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Neighbouring records of one type, so that the order across types holds."""
    runs: list[tuple[str, list[Record]]] = []
    for record in records:
        kind = record.headers.get("ce_type", "")
        if runs and runs[-1][0] == kind:
            runs[-1][1].append(record)
        else:
            runs.append((kind, [record]))
    return runs


def _decode(event: type[M], record: Record) -> Received[M]:
    at = datetime.fromisoformat(record.headers["ce_time"])
    if at.tzinfo is None:
        raise ValueError("ce_time has no zone")
    return Received(event.FromString(record.value), record.headers["ce_id"], record.key, at, record.headers)
