"""Kept signature values and requests to homes that answer later, in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path

from services.chassis.database import Connection, Database, Queries
from services.signing.adapters.rows import Row
from services.signing.application.ports import OpenRequest
from services.signing.domain.remote import Item, RemoteRequest, RequestState
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place

QUERIES = Queries(Path(__file__).with_suffix(".sql"))

_LOCK_ID = 0x484F4353  # "HOCS": the one process that asks providers
SECOND_VALUE = "another value was here first"


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[bool]:
    """Whether this process is the one that talks to the providers; the lock goes with its connection."""
    async with database.connection() as connection:
        mine: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_ID)
        try:
            yield mine
        finally:
            if mine and not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_ID)


class PostgresRemote:
    """Fulfils stores.Remote inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def stored(self, intent_ids: Sequence[str]) -> dict[str, bytes]:
        """Values by intent."""
        rows = await self._connection.fetch(QUERIES["stored_values"], list(intent_ids))
        return {str(row["intent_id"]): bytes(row["value"]) for row in rows}

    async def store(self, request_id: str | None, values: Mapping[str, bytes], now: datetime) -> dict[str, bytes]:
        """Keep the first of each."""
        await self._connection.execute(QUERIES["store_values"], request_id, now, list(values), list(values.values()))
        await self.void_values(request_id, values, SECOND_VALUE, now)
        return await self.stored(list(values))

    async def void_values(self, request_id: str | None, values: Mapping[str, bytes], reason: str, now: datetime) -> None:
        """To the void register, unless they are the stored ones."""
        await self._connection.execute(QUERIES["void_values"], request_id, reason, now, list(values), list(values.values()))

    async def asked_for(self, intent_ids: Sequence[str]) -> set[str]:
        """Intents of open requests."""
        return {str(row["intent_id"]) for row in await self._connection.fetch(QUERIES["asked_for"], list(intent_ids))}

    async def add(self, request: RemoteRequest, due: datetime) -> None:
        """Store a request with its items, once."""
        place = request.place
        added = await self._connection.fetchrow(
            QUERIES["add_remote"],
            request.request_id,
            request.order_id,
            request.manifest_id,
            place.class_id,
            place.school_id,
            place.province_id,
            request.role.value,
            request.home.value,
            request.key_name,
            request.certificate_sha256,
            request.created_at,
            request.expires_at,
            due,
        )
        if added is not None:
            await self._connection.execute(QUERIES["add_remote_items"], request.request_id, [item.intent_id for item in request.items])

    async def get(self, request_id: str) -> RemoteRequest | None:
        """One request."""
        found = await self._read([request_id])
        return found.get(request_id)

    async def _read(self, request_ids: Sequence[str]) -> dict[str, RemoteRequest]:
        rows = await self._connection.fetch(QUERIES["get_remote"], list(request_ids))
        items = await self._connection.fetch(QUERIES["remote_items"], list(request_ids))
        grouped = {key: tuple(map(_item, group)) for key, group in groupby(items, key=lambda row: row["request_id"])}
        return {str(row["request_id"]): _request(row, grouped.get(row["request_id"], ())) for row in rows}

    async def open_for(self, school_id: str, certificate_sha256: bytes, home: str, now: datetime) -> list[OpenRequest]:
        """What waits for the holder of a certificate."""
        rows = await self._connection.fetch(QUERIES["open_remote"], school_id, certificate_sha256, home, now)
        requests = await self._read([str(row["request_id"]) for row in rows])
        return [OpenRequest(requests[str(row["request_id"])], row["school_name"], row["school_year"], row["grade"], bytes(row["merkle_root"])) for row in rows]

    async def take_due(self, homes: Sequence[str], now: datetime, until: datetime, most: int) -> list[tuple[RemoteRequest, bytes, bool]]:
        """Due requests, put off until then for everybody else."""
        ids = [str(row["request_id"]) for row in await self._connection.fetch(QUERIES["take_due"], list(homes), now, until, most)]
        requests = await self._read(ids)
        rows = await self._connection.fetch(QUERIES["of_remote"], ids)
        return [(requests[str(row["request_id"])], bytes(row["certificate"]), row["ready"]) for row in rows]

    async def move(self, request_id: str, state: RequestState, reference: str | None, due: datetime, now: datetime) -> bool:
        """Note where it is."""
        return await self._connection.fetchrow(QUERIES["move_remote"], request_id, state.value, reference, due, now) is not None

    async def hurry(self, request_id: str, now: datetime) -> None:
        """Make it due."""
        await self._connection.execute(QUERIES["hurry_remote"], request_id, now)

    async def close(self, request_id: str, state: RequestState, reason: str, now: datetime) -> None:
        """End it."""
        await self._connection.execute(QUERIES["close_remote"], request_id, state.value, reason, now)

    async def open_of(self, order_id: str) -> int:
        """Open requests of an order."""
        count: int = await self._connection.fetchval(QUERIES["open_of_order"], order_id)
        return count


def _item(row: Row) -> Item:
    return Item(str(row["intent_id"]), bytes(row["to_be_signed"]), str(row["transcript_id"]), row["version"])


def _request(row: Row, items: tuple[Item, ...]) -> RemoteRequest:
    return RemoteRequest(
        str(row["request_id"]),
        str(row["order_id"]),
        str(row["manifest_id"]),
        Place(str(row["class_id"]), str(row["school_id"]), row["province_id"]),
        SignatureRole(row["role"]),
        row["key_name"],
        bytes(row["certificate_sha256"]),
        RequestState(row["state"]),
        row["reference"],
        row["created_at"],
        row["expires_at"],
        row["sent_at"],
        items,
    )
