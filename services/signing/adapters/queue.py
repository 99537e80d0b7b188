"""Orders that wait for their province's turn, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.application.ports import Backlog
from services.signing.domain.fair_release import Queued, Turns

QUERIES = Queries(Path(__file__).with_suffix(".sql"))
_LOCK_ID = 0x484F4351  # "HOCQ": the one release at a time


class PostgresQueue:
    """Fulfils stores.Queue inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def alone(self) -> bool:
        """Lock, if there is anything to lock for."""
        if not await self._connection.fetchval(QUERIES["waits"]):
            return False
        await self._connection.execute(QUERIES["alone"], _LOCK_ID)
        return True

    async def in_flight(self, since: datetime) -> int:
        """Documents of mass orders with the workers."""
        documents: int = await self._connection.fetchval(QUERIES["in_flight"], since)
        return documents

    async def standing(self, at_most: int) -> tuple[dict[str, list[Queued]], Turns]:
        """Queues and turns."""
        queues: dict[str, list[Queued]] = {}
        for row in await self._connection.fetch(QUERIES["queued"], at_most):
            queues.setdefault(row["province_id"], []).append(Queued(str(row["order_id"]), row["cost"]))
        rows = await self._connection.fetch(QUERIES["turns"])
        last = next((row["province_id"] for row in rows if row["last"]), "")
        return queues, Turns({row["province_id"]: row["unused"] for row in rows}, last)

    async def release(self, orders: Sequence[Queued], turns: Turns, now: datetime) -> list[str]:
        """Orders change hands, turns are kept."""
        await self._connection.execute(QUERIES["keep_turns"], turns.last, list(turns.unused), list(turns.unused.values()))
        rows = await self._connection.fetch(QUERIES["release"], [order.order_id for order in orders], now)
        released = {str(row["order_id"]) for row in rows}
        return [order.order_id for order in orders if order.order_id in released]

    async def let_go(self, order_id: str) -> None:
        """Its room is free."""
        await self._connection.execute(QUERIES["let_go"], order_id)

    async def put_back(self, order_id: str, express: bool) -> bool:
        """A released order goes on."""
        return await self._connection.fetchrow(QUERIES["put_back"], order_id, express) is not None

    async def backlog(self) -> list[Backlog]:
        """By lane and state."""
        rows = await self._connection.fetch(QUERIES["backlog"])
        return [Backlog(row["lane"], row["state"], row["orders"], int(row["documents"])) for row in rows]
