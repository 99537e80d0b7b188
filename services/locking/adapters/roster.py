"""Locking's copy of the roster in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Connection
from services.locking.adapters.statements import SQL, place_of
from services.locking.domain.scope import Place, Scope


@dataclass(frozen=True, slots=True)
class PostgresRoster:
    """Fulfils application.ports.Roster on one connection's transaction."""

    connection: Connection

    async def place(self, class_id: UUID) -> Place | None:
        row = await self.connection.fetchrow(SQL["place"], class_id)
        return place_of(row) if row else None

    async def hold_class(self, class_id: UUID) -> Place | None:
        row = await self.connection.fetchrow(SQL["hold_class"], class_id)
        return place_of(row) if row else None

    async def places(self, scope: Scope, school_year: int) -> list[Place]:
        rows = await self.connection.fetch(SQL["places"], school_year, scope.province_id, scope.school_id, scope.class_id, scope.grade)
        return [place_of(row) for row in rows]

    async def schools_of(self, person_id: str) -> frozenset[UUID]:
        return frozenset(row["school_id"] for row in await self.connection.fetch(SQL["schools_of"], person_id))

    async def teaches(self, person_id: str, class_id: UUID, subject: str) -> bool:
        return bool(await self.connection.fetchval(SQL["teaches"], person_id, class_id, subject))

    async def homeroom_classes(self, person_id: str) -> frozenset[UUID]:
        return frozenset(row["class_id"] for row in await self.connection.fetch(SQL["homeroom_classes"], person_id))

    async def put_schools(self, rows: Sequence[tuple[UUID, int, str]]) -> None:
        await self.connection.execute(SQL["put_schools"], *columns(rows, 3))
        await self.connection.execute(SQL["follow_province"], [school_id for school_id, _, _ in rows])

    async def put_classes(self, rows: Sequence[tuple[Place, int, str]]) -> list[Place]:
        flat = [(p.class_id, version, p.school_id, p.province_id, p.school_year, p.grade, homeroom) for p, version, homeroom in rows]
        return [place_of(row) for row in await self.connection.fetch(SQL["put_classes"], *columns(flat, 7))]

    async def put_staff(self, rows: Sequence[tuple[UUID, str, int, str, tuple[str, ...]]]) -> None:
        flat = [(school, staff, version, person, ",".join(roles)) for school, staff, version, person, roles in rows]
        await self.connection.execute(SQL["put_staff"], *columns(flat, 5))

    async def put_teaching(self, rows: Sequence[tuple[UUID, UUID, int, tuple[tuple[str, str], ...]]]) -> None:
        flat = [(c, school, version, [subject for subject, _ in pairs], [staff for _, staff in pairs]) for c, school, version, pairs in rows]
        await self.connection.executemany(SQL["put_teaching"], flat)

    async def check_late_at(self, class_ids: Iterable[UUID], at: datetime | None) -> None:
        await self.connection.execute(SQL["check_late_at"], list(class_ids), at)

    async def hurry_late_check(self, class_ids: Iterable[UUID], at: datetime) -> None:
        await self.connection.execute(SQL["hurry_late_check"], list(class_ids), at)

    async def due_for_late_check(self, now: datetime, limit: int) -> list[Place]:
        return [place_of(row) for row in await self.connection.fetch(SQL["due_for_late_check"], now, limit)]


def columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Rows turned into one array per column, for unnest."""
    return [[row[index] for row in rows] for index in range(width)]
