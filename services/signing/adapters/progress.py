"""How far classes are, counted in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import Row
from services.signing.application.ports import Failure, FailureSpot, Progress, Reason, RoleProgress, Where
from services.signing.domain.cures import code_of
from services.signing.domain.roles import SignatureRole

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresProgress:
    """Fulfils stores.ProgressCounts inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def recount(self, class_id: str) -> None:
        """Count one class again."""
        await self._connection.execute(QUERIES["recount"], class_id)

    async def latest_year(self) -> int:
        """By an index."""
        year: int | None = await self._connection.fetchval(QUERIES["latest_year"])
        return year or 0

    async def add_up(self, by: str, where: Where) -> list[Progress]:
        """Sums over classes."""
        place = where.school_year, where.province_id or None, where.school_id or None, where.class_id or None
        reasons: dict[tuple[str, str, str], list[Reason]] = {}
        for row in await self._connection.fetch(QUERIES["reasons"], by, *place):
            reasons.setdefault(_place(row), []).append(Reason(row["code"], row["waiting"], int(row["documents"])))
        rows = await self._connection.fetch(QUERIES["add_up"], by, *place)
        ids = [[str(row[name]) for row in rows if row[name]] for name in ("school_id", "class_id")]
        named = {str(row["id"]): row for row in await self._connection.fetch(QUERIES["names"], [*set(ids[0])], [*set(ids[1])])} if rows else {}
        return [_progress(row, tuple(reasons.get(_place(row), ())), named) for row in rows]

    async def of_classes(self, school_id: str, class_id: str) -> list[Progress]:
        """One row each."""
        rows = await self._connection.fetch(QUERIES["of_classes"], school_id or None, class_id or None)
        return [_progress(row | {"classes": 1}, (), {}) for row in map(dict, rows)]

    async def failures(self, where: Where, after: FailureSpot | None, at_most: int) -> list[Failure]:
        """By place and document."""
        narrowed = where.province_id or None, where.school_id or None, where.class_id or None
        start = (after.province_id, after.school_id, after.class_id, after.transcript_id, after.version) if after else ("", None, None, None, 0)
        rows = await self._connection.fetch(QUERIES["failures"], *narrowed, *start, at_most)
        return [_failure(row) for row in rows]


def _place(row: Row) -> tuple[str, str, str]:
    return row["province_id"], str(row["school_id"] or ""), str(row["class_id"] or "")


def _progress(row: Row, reasons: Sequence[Reason], named: dict[str, Row]) -> Progress:
    province_id, school_id, class_id = _place(row)
    return Progress(
        province_id,
        school_id,
        class_id,
        named[school_id]["name"] if school_id in named else "",
        named[class_id]["grade"] if class_id in named else 0,
        int(row["classes"]),
        int(row["transcripts"]),
        int(row["prepared"]),
        int(row["completed"]),
        tuple(RoleProgress(role, *(int(row[f"{role}_{count}"]) for count in ("needed", "signed", "turn", "ordered"))) for role in SignatureRole),
        tuple(reasons),
    )


def _failure(row: Row) -> Failure:
    spot = FailureSpot(row["province_id"], str(row["school_id"]), str(row["class_id"]), str(row["transcript_id"]), row["version"])
    return Failure(spot, row["kind"], row["subject"], code_of(row["failure"]), row["failure"], row["waiting"])
