"""The outbox: events written in the transaction that makes them true; relay.py publishes them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf.message import Message

from services.chassis.database import Connection, Queries
from services.chassis.streams import key_of, stream_of
from services.chassis.telemetry import current_traceparent

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
MAX_EVENT_BYTES = 900 * 1024
"""Below Kafka's default limit of 1 MiB a record; producers split at 512 KiB, so this is a bug's limit."""


async def announce(connection: Connection, *events: Message) -> None:
    """Write events to the outbox in the caller's transaction.

    Order per key holds when the caller holds its aggregate's row lock. Raises ValueError for an event
    without key or beyond MAX_EVENT_BYTES.
    """
    if not events:
        return
    payloads = [event.SerializeToString(deterministic=True) for event in events]
    for event, payload in zip(events, payloads, strict=True):
        if len(payload) > MAX_EVENT_BYTES:
            raise ValueError(f"{event.DESCRIPTOR.full_name} of {len(payload)} bytes: split it")
    columns: Sequence[Sequence[object]] = (
        [stream_of(type(event)).topic for event in events],
        [key_of(event) for event in events],
        [event.DESCRIPTOR.full_name for event in events],
        [uuid.uuid4() for _ in events],
        payloads,
        [current_traceparent()] * len(events),
        [datetime.now(UTC)] * len(events),
    )
    await connection.execute(QUERIES["announce"], *columns)
    _wake()


_wakers: list[object] = []


def on_announce(event: object) -> None:
    """Register an asyncio.Event that is set at each announcement, so that the relay needs no short poll."""
    _wakers.append(event)


def _wake() -> None:
    for event in _wakers:
        event.set()  # type: ignore[attr-defined]  # Only asyncio.Event objects are registered.
