"""Orders, their lines and their waits in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import Row, keys_of, ref_of
from services.signing.domain.orders import LineResult, Order, Step
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place, Ref

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresOrders:
    """Fulfils ports.Orders inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.queued = False
        """Whether this transaction has queued an order."""

    async def add(self, order: Order, now: datetime, express: bool, keep_time: bool) -> bool:
        """Store an order once."""
        await self._connection.execute(QUERIES["add_province"], order.place.province_id)
        role = order.role.value if order.role else None
        made = await self._connection.fetchrow(
            QUERIES["add_order"],
            order.order_id,
            order.place.class_id,
            order.place.province_id,
            order.step.value,
            order.manifest_id,
            role,
            order.attempt,
            len(order.lines),
            express,
            order.fixed_at if express or keep_time else None,
            now,
        )
        if made is None:
            return False
        self.queued |= not express
        await self._connection.execute(QUERIES["add_lines"], order.order_id, *keys_of(order.lines))
        return True

    async def get(self, order_id: str) -> Order | None:
        """The order with its open lines."""
        found = await self._read([order_id], "open")
        return found[0] if found else None

    async def many(self, order_ids: Sequence[str]) -> list[Order]:
        """Orders in the order of their ids' list."""
        return await self._read(order_ids, "open")

    async def _read(self, order_ids: Sequence[str], lines: str) -> list[Order]:
        rows = {str(row["order_id"]): row for row in await self._connection.fetch(QUERIES["get_orders"], list(order_ids))}
        refs: dict[str, list[Ref]] = {order_id: [] for order_id in rows}
        for row in await self._connection.fetch(QUERIES["lines"], list(rows), lines):
            refs[str(row["order_id"])].append(ref_of(row))
        return [_order(rows[order_id], refs[order_id]) for order_id in order_ids if order_id in rows]

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
        return await self._read(ids, "failed")

    async def waits(self, order_id: str) -> tuple[datetime, int, datetime | None] | None:
        """Since when, how often, and until when."""
        row = await self._connection.fetchrow(QUERIES["waits"], order_id)
        return (row["since"], row["tries"], row["due_at"]) if row else None

    async def put_off(self, order_id: str, since: datetime, tries: int, reason: str, due_at: datetime) -> None:
        """Let an order wait."""
        await self._connection.execute(QUERIES["put_off"], order_id, since, tries, reason, due_at)

    async def wake(self, now: datetime, at_most: int) -> list[Order]:
        """Orders that are due."""
        ids = [str(row["order_id"]) for row in await self._connection.fetch(QUERIES["wake"], now, at_most)]
        return [order for order in await self.many(ids) if order.state == "released" and order.lines]


def _order(row: Row, lines: Sequence[Ref]) -> Order:
    return Order(
        str(row["order_id"]),
        Place(str(row["class_id"]), str(row["school_id"]), row["province_id"]),
        Step(row["step"]),
        str(row["manifest_id"]) if row["manifest_id"] else None,
        SignatureRole(row["role"]) if row["role"] else None,
        row["attempt"],
        row["fixed_at"] or row["queued_at"].replace(microsecond=0),
        row["state"],
        tuple(lines),
    )
