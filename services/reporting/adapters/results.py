"""Classes' tallies and the counters of results, in PostgreSQL."""

import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services.chassis.database import Connection, Database, Queries
from services.chassis.errors import Conflict
from services.reporting.application.ports import Place
from services.reporting.application.result_ports import ResultWork
from services.reporting.domain.projection import Enrolments
from services.reporting.domain.results import ClassTally, ResultCell

RESULTS = Queries(Path(__file__).with_name("results.sql"))


@dataclass(frozen=True)
class PostgresResults:
    """Fulfils the ports ResultModel, ResultFigures and EnrolmentFigures."""

    database: Database

    @asynccontextmanager
    async def results_transaction(self) -> AsyncIterator[ResultWork]:
        """A transaction; one that PostgreSQL ended to break a circle of waits is a Conflict, to be tried again."""
        try:
            async with self.database.transaction() as connection:
                yield PostgresResultWork(connection)
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError) as error:
            raise Conflict("two batches waited for each other; try again", code="deadlock") from error

    async def latest_results_year(self) -> int:
        """From the end of the primary key."""
        async with self.database.transaction() as connection:
            return int(await connection.fetchval(RESULTS["latest_results_year"]) or 0)

    async def results(self, school_year: int, item: str) -> Mapping[ResultCell, int]:
        """A nation's year is some ten thousand rows, whatever the number of pupils; an item's a thousand."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(RESULTS["results"], school_year, item)
        return {ResultCell(row["school_year"], row["province_id"], row["grade"], row["item"], row["level"]): row["pupils"] for row in rows}

    async def enrolments(self, place: Place) -> Enrolments:
        """From the counters of coverage: a row for each year and grade."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(RESULTS["enrolments"], *place.scope)
        return {(row["school_year"], row["grade"]): row["pupils"] for row in rows}

    async def province_names(self) -> Mapping[str, str]:
        """Whichever name a province's schools tell."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(RESULTS["province_names"])
        return {row["province_id"]: row["name"] for row in rows}


@dataclass(frozen=True)
class PostgresResultWork:
    """Fulfils the port ResultWork within one transaction."""

    connection: Connection

    async def tallies(self, class_ids: Iterable[str]) -> dict[str, ClassTally]:
        """Made where missing, locked, in order of id."""
        ids = sorted(map(uuid.UUID, class_ids))
        await self.connection.execute(RESULTS["make_tallies"], ids)
        rows = await self.connection.fetch(RESULTS["lock_tallies"], ids)
        return {
            row["class_id"]: ClassTally(
                row["version"],
                row["school_year"],
                row["province_id"],
                row["grade"],
                {(item, level): pupils for item, level, pupils in json.loads(row["counts"])},
            )
            for row in rows
        }

    async def save_tallies(self, tallies: Mapping[str, ClassTally]) -> None:
        """Rows exist: tallies() made them."""
        rows = [
            (uuid.UUID(class_id), one.version, one.school_year, one.province_id, one.grade, json.dumps([[*key, pupils] for key, pupils in one.counts.items()]))
            for class_id, one in tallies.items()
        ]
        if rows:
            await self.connection.execute(RESULTS["save_tallies"], *(list(column) for column in zip(*rows, strict=True)))

    async def add_results(self, differences: Mapping[ResultCell, int]) -> None:
        """By key."""
        rows = [(*cell, pupils) for cell, pupils in differences.items()]
        if rows:
            await self.connection.execute(RESULTS["add_results"], *(list(column) for column in zip(*rows, strict=True)))
