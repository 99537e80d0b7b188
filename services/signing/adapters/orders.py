"""Orders, their lines and their waits in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import keys_of, refs_of
from services.signing.domain.orders import LineResult, Order, Step
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresOrders:
    """Fulfils ports.Orders inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, order: Order, now: datetime) -> bool:
        """Store an order once."""
        role = order.role.value if order.role else None
        made = await self._connection.fetchrow(
            QUERIES["add_order"],
            order.order_id,
            order.place.class_id,
            order.step.value,
            order.manifest_id,
            role,
            order.attempt,
            order.fixed_at,
            now,
        )
        if made is None:
            return False
        await self._connection.execute(QUERIES["add_lines"], order.order_id, *keys_of(order.lines))
        return True

    async def get(self, order_id: str) -> Order | None:
        """The order with its open lines."""
        return await self._read(order_id, "open")

    async def _read(self, order_id: str, lines: str) -> Order | None:
        row = await self._connection.fetchrow(QUERIES["get_order"], order_id)
        if row is None:
            return None
        refs = refs_of(await self._connection.fetch(QUERIES["lines"], order_id, lines))
        return Order(
            str(row["order_id"]),
            Place(str(row["class_id"]), str(row["school_id"]), row["province_id"]),
            Step(row["step"]),
            str(row["manifest_id"]) if row["manifest_id"] else None,
            SignatureRole(row["role"]) if row["role"] else None,
            row["attempt"],
            row["fixed_at"],
            row["state"],
            refs,
        )

    async def finish_lines(self, order_id: str, results: Sequence[LineResult], now: datetime) -> None:
        """Close lines, and the order with its last one."""
        ids, versions = keys_of([result.ref for result in results])
        await self._connection.execute(QUERIES["finish_lines"], order_id, ids, versions, [result.failure for result in results])
        await self._connection.execute(QUERIES["finish_order"], order_id, now)

    async def drop(self, class_id: str, manifest_id: str | None, reason: str, now: datetime) -> None:
        """Cancel released orders."""
        await self._connection.execute(QUERIES["drop_lines"], class_id, manifest_id, reason)
        await self._connection.execute(QUERIES["drop_orders"], class_id, manifest_id, now)

    async def failed(self, class_id: str) -> list[Order]:
        """Orders with failed lines that nothing later took up."""
        ids = [str(row["order_id"]) for row in await self._connection.fetch(QUERIES["failed_orders"], class_id)]
        found = [await self._read(order_id, "failed") for order_id in ids]
        return [order for order in found if order is not None]

    async def waits(self, order_id: str) -> tuple[datetime, int] | None:
        """Since when, and how often."""
        row = await self._connection.fetchrow(QUERIES["waits"], order_id)
        return (row["since"], row["tries"]) if row else None

    async def put_off(self, order_id: str, since: datetime, tries: int, reason: str, due_at: datetime) -> None:
        """Let an order wait."""
        await self._connection.execute(QUERIES["put_off"], order_id, since, tries, reason, due_at)

    async def wake(self, now: datetime, at_most: int) -> list[Order]:
        """Orders that are due."""
        ids = [str(row["order_id"]) for row in await self._connection.fetch(QUERIES["wake"], now, at_most)]
        found = [await self.get(order_id) for order_id in ids]
        return [order for order in found if order is not None and order.state == "released" and order.lines]
