"""Halts by unlock in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresHalts:
    """Fulfils ports.Halts inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, unlock_id: str) -> tuple[int, int] | None:
        """The first answer."""
        row = await self._connection.fetchrow(QUERIES["find_halt"], unlock_id)
        return (row["manifests_halted"], row["already_announced"]) if row else None

    async def keep(self, unlock_id: str, class_id: str, halted: int, announced: int, now: datetime) -> None:
        """Keep the answer."""
        await self._connection.execute(QUERIES["keep_halt"], unlock_id, class_id, halted, announced, now)
