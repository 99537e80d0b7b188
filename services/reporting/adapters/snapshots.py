"""The numbers as they stood, in PostgreSQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.chassis.database import Database
from services.reporting.adapters.statements import QUERIES
from services.reporting.application.ports import Coverage, Place, Point

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PostgresHistory:
    """Fulfils the port History."""

    database: Database

    async def take(self, at: datetime, scopes: Sequence[str]) -> int:
        """One statement, hence one instant for all scopes."""
        async with self.database.transaction() as connection:
            return int((await connection.execute(QUERIES["take_snapshot"], at, list(scopes))).split()[-1])

    async def points(self, school_year: int, place: Place, since: datetime | None, until: datetime) -> Sequence[Point]:
        """By the primary key."""
        scope, scope_id = place.scope
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["history"], scope, scope_id, school_year, since or _BEGINNING, until)
        return [Point(row["taken_at"], Coverage(place, json.loads(row["counts"]))) for row in rows]
