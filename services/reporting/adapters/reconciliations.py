"""Reconciliations in PostgreSQL."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.chassis.database import Database, Queries
from services.reporting.application.ports import Place
from services.reporting.application.reconciliation_ports import Found, LastRun
from services.reporting.domain.reconciliation import Discrepancy, Reconciliation, State

QUERIES = Queries(Path(__file__).with_name("reconciliations.sql"))


@dataclass(frozen=True)
class PostgresReconciliations:
    """Fulfils the port Reconciliations."""

    database: Database

    async def keep(self, result: Reconciliation, forget_before: datetime) -> None:
        """The run's row decides whether its discrepancies are written."""
        run_id = uuid.UUID(result.run_id)
        async with self.database.transaction() as connection:
            kept = await connection.execute(QUERIES["keep_run"], run_id, result.taken_at, result.province_id, result.school_id, result.seconds, result.versions)
            if kept.endswith(" 0"):
                return
            if result.discrepancies:
                columns = zip(*map(_row, result.discrepancies), strict=True)
                await connection.execute(QUERIES["keep_discrepancies"], run_id, *map(list, columns))
            await connection.execute(QUERIES["forget_runs"], forget_before)

    async def last(self, place: Place, *, named: bool) -> LastRun | None:
        """Parts of the nation are provinces, parts of anything else are schools."""
        async with self.database.transaction() as connection:
            run = await connection.fetchrow(QUERIES["last_run"], place.province_id, place.school_id)
            if run is None:
                return None
            whole = not place.province_id and not place.school_id
            statement, scope = ("found_by_province", ()) if whole else ("found_by_school", ("" if place.school_id else place.province_id, place.school_id))
            found = await connection.fetch(QUERIES[statement], run["run_id"], *scope)
            rows = await connection.fetch(QUERIES["discrepancies"], run["run_id"], place.school_id) if named else []
        parts = [Found(Place(row["province_id"], row["school_id"], "", row["place_name"]), row["name"], State(row["state"]), row["pupils"]) for row in found]
        return LastRun(run["taken_at"], run["versions"], parts, [_discrepancy(dict(row)) for row in rows])

    async def last_of_all(self) -> tuple[datetime, dict[State, int]] | None:
        """States without any are told as 0."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["last_of_all"])
        if not rows:
            return None
        return rows[0]["taken_at"], dict.fromkeys(State, 0) | {State(row["state"]): row["pupils"] for row in rows if row["state"]}


def _row(one: Discrepancy) -> tuple[object, ...]:
    school = uuid.UUID(one.school_id) if one.school_id else None
    return one.name, str(one.state), one.why, one.province_id, school, one.class_id, one.pupil_id, one.school_year, one.version, one.since


def _discrepancy(row: dict[str, object]) -> Discrepancy:
    return Discrepancy(**{**row, "state": State(str(row["state"]))})  # type: ignore[arg-type]  # The statement names the fields.
