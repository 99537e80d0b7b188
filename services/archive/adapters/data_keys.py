"""Wrapped data keys in PostgreSQL."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.archive.adapters.statements import QUERIES
from services.archive.application.ports import WrappedKey
from services.chassis.database import SYSTEM, Database


@dataclass(frozen=True)
class PostgresDataKeys:
    """Fulfils the port DataKeys. Who may read a document is decided where its entry is read; without that a data key opens nothing."""

    database: Database

    async def of(self, province_id: str, owner_ids: Iterable[str]) -> Mapping[str, WrappedKey]:
        """Keys by owner."""
        async with self.database.transaction(SYSTEM) as connection:
            rows = await connection.fetch(QUERIES["data_keys"], province_id, [uuid.UUID(owner_id) for owner_id in owner_ids])
        return {key.owner_id: key for key in map(_key, rows)}

    async def add(self, keys: Sequence[WrappedKey], at: datetime) -> None:
        """New keys, in a transaction of their own: they are kept before they are used."""
        async with self.database.transaction(SYSTEM) as connection:
            await connection.execute(
                QUERIES["add_data_keys"],
                at,
                [uuid.UUID(key.owner_id) for key in keys],
                [key.province_id for key in keys],
                [key.wrapping_key for key in keys],
                [key.wrapped for key in keys],
            )

    async def outdated(self, province_id: str, current: str, limit: int) -> Sequence[WrappedKey]:
        """Some that another key wraps."""
        async with self.database.transaction(SYSTEM) as connection:
            return [_key(row) for row in await connection.fetch(QUERIES["outdated_data_keys"], province_id, current, limit)]

    async def count_outdated(self, province_id: str, current: str) -> int:
        """How many another key wraps."""
        async with self.database.transaction(SYSTEM) as connection:
            return int(await connection.fetchval(QUERIES["count_outdated_data_keys"], province_id, current))

    async def rewrapped(self, old: Sequence[WrappedKey], new: Sequence[WrappedKey]) -> int:
        """Replace wrappings in one statement."""
        async with self.database.transaction(SYSTEM) as connection:
            done = await connection.execute(
                QUERIES["rewrap_data_keys"],
                [uuid.UUID(key.owner_id) for key in old],
                [key.province_id for key in old],
                [key.wrapped for key in old],
                [key.wrapping_key for key in new],
                [key.wrapped for key in new],
            )
        return int(done.split()[-1])


def _key(row: Any) -> WrappedKey:
    return WrappedKey(str(row["owner_id"]), row["province_id"], row["wrapping_key"], row["wrapped"])
