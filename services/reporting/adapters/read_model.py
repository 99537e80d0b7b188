"""The read model in PostgreSQL: facts, standings and counters, written together."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.chassis.database import Connection, Database
from services.chassis.errors import Conflict
from services.reporting.adapters.facts_json import facts_from_json, facts_to_json, news_from_json, news_to_json, signing_from_json, signing_to_json
from services.reporting.adapters.results import RESULTS
from services.reporting.adapters.statements import QUERIES
from services.reporting.application.ports import Key, PupilNews, PupilRow, ReadModelWork
from services.reporting.domain.classes import School, Sheet, Unlock
from services.reporting.domain.counting import Cell, ClassFacts, Wait
from services.reporting.domain.standing import Standing, Step

_BEFORE_ALL = Key("00000000-0000-0000-0000-000000000000", -1)


@dataclass(frozen=True)
class PostgresReadModel:
    """Fulfils the port ReadModel."""

    database: Database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[ReadModelWork]:
        """A transaction; one that PostgreSQL ended to break a circle of waits is a Conflict, to be tried again."""
        try:
            async with self.database.transaction() as connection:
                yield PostgresReadModelWork(connection)
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError) as error:
            raise Conflict("two batches waited for each other; try again", code="deadlock") from error


@dataclass(frozen=True)
class PostgresReadModelWork:
    """Fulfils the port ReadModelWork within one transaction."""

    connection: Connection

    async def homes(self, keys: Iterable[Key]) -> set[str]:
        """Without a lock."""
        rows = await self.connection.fetch(QUERIES["homes"], *_key_columns(keys))
        return {row["class_id"] for row in rows}

    async def classes(self, class_ids: Iterable[str]) -> dict[str, ClassFacts]:
        """Made where missing, locked, in order of id."""
        ids = sorted({uuid.UUID(class_id) for class_id in class_ids})
        if not ids:
            return {}
        await self.connection.execute(QUERIES["make_classes"], ids)
        rows = await self.connection.fetch(QUERIES["lock_classes"], ids)
        return {
            str(row["class_id"]): ClassFacts(
                row["version"], row["province_id"], row["school_id"], row["school_year"], row["grade"], row["name"], signing_from_json(row["signing"])
            )
            for row in rows
        }

    async def members(self, class_ids: Iterable[str]) -> set[Key]:
        """Whoever counts in these classes."""
        ids = list(class_ids)
        rows = await self.connection.fetch(QUERIES["members"], ids) if ids else []
        return {Key(str(row["pupil_id"]), row["school_year"]) for row in rows}

    async def pupils(self, keys: Iterable[Key]) -> dict[Key, PupilRow]:
        """Made where missing, locked, in order of key."""
        columns = _key_columns(keys)
        if not columns[0]:
            return {}
        await self.connection.execute(QUERIES["make_pupils"], *columns)
        return _pupil_rows(await self.connection.fetch(QUERIES["lock_pupils"], *columns))

    async def save_classes(self, classes: Mapping[str, ClassFacts]) -> None:
        """Rows exist: classes() made them."""
        rows = [
            (uuid.UUID(class_id), facts.version, facts.province_id, facts.school_id, facts.school_year, facts.grade, facts.name, signing_to_json(facts.signing))
            for class_id, facts in classes.items()
        ]
        await self._write("save_classes", rows)

    async def save_pupils(self, rows: Mapping[Key, PupilRow], classes: Mapping[str, ClassFacts]) -> None:
        """Rows exist: pupils() made them."""
        written = []
        for key, row in rows.items():
            standing = row.standing
            of_class = classes.get(standing.class_id, ClassFacts(0))
            school_id = of_class.school_id or standing.school_id
            written.append(
                (
                    uuid.UUID(key.pupil_id),
                    key.school_year,
                    facts_to_json(row.facts),
                    standing.class_id,
                    standing.school_id,
                    uuid.UUID(school_id) if school_id else None,
                    of_class.province_id,
                    int(standing.steps),
                    standing.reason,
                    row.since,
                )
            )
        await self._write("save_pupils", written)

    async def add(self, differences: Mapping[Cell, int], waits: Mapping[Wait, int]) -> None:
        """One statement for all counters of a kind."""
        await self._write("add", [(*cell, count) for cell, count in differences.items()])
        await self._write("add_waits", [(*wait, count) for wait, count in waits.items()])

    async def keep_waiting(self, news: Sequence[PupilNews]) -> None:
        """Until take_waiting."""
        await self._write("keep_waiting", [(uuid.UUID(item.class_id), uuid.UUID(item.pupil_id), news_to_json(item.news), item.at) for item in news])

    async def take_waiting(self, class_ids: Iterable[str]) -> list[PupilNews]:
        """Read and deleted in one statement."""
        ids = [uuid.UUID(class_id) for class_id in class_ids]
        rows = await self.connection.fetch(QUERIES["take_waiting"], ids) if ids else []
        return [PupilNews(str(row["class_id"]), str(row["pupil_id"]), 0, news_from_json(row["news"]), row["announced_at"]) for row in rows]

    async def save_schools(self, schools: Sequence[School]) -> None:
        """Version-guarded."""
        rows = [(uuid.UUID(school.school_id), school.version, school.name, school.province_id, school.province_name) for school in schools]
        await self._write("save_schools", rows)

    async def save_sheets(self, sheets: Sequence[Sheet]) -> None:
        """Version-guarded."""
        rows = [(uuid.UUID(sheet.class_id), sheet.subject, sheet.term, sheet.version, sheet.expected, sheet.filled) for sheet in sheets]
        await self._write("save_sheets", rows)

    async def save_unlocks(self, unlocks: Sequence[Unlock]) -> None:
        """Version-guarded."""
        rows = [
            (uuid.UUID(unlock.unlock_id), uuid.UUID(unlock.class_id), unlock.version, unlock.state, datetime.fromisoformat(unlock.moved_at))
            for unlock in unlocks
        ]
        await self._write("save_unlocks", rows)

    async def empty_counters(self) -> None:
        """Writers wait until the transaction ends; readers see the old counters until then."""
        await self.connection.execute(QUERIES["keep_writers_out"])
        await self.connection.execute(QUERIES["empty_counters"])
        await self.connection.execute(QUERIES["empty_waits"])

    async def recount_results(self) -> None:
        """One statement, from what the classes told; writers wait meanwhile."""
        for statement in ("keep_result_writers_out", "empty_results", "recount_results"):
            await self.connection.execute(RESULTS[statement])

    async def page(self, after: Key | None, limit: int) -> dict[Key, PupilRow]:
        """In order of keys, unlocked."""
        start = after or _BEFORE_ALL
        return _pupil_rows(await self.connection.fetch(QUERIES["page"], uuid.UUID(start.pupil_id), start.school_year, limit))

    async def _write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            await self.connection.execute(QUERIES[statement], *(list(column) for column in zip(*rows, strict=True)))


def _key_columns(keys: Iterable[Key]) -> tuple[list[uuid.UUID], list[int]]:
    ordered = sorted(keys)
    return [uuid.UUID(key.pupil_id) for key in ordered], [key.school_year for key in ordered]


def _pupil_rows(rows: Sequence[Any]) -> dict[Key, PupilRow]:
    return {
        Key(str(row["pupil_id"]), row["school_year"]): PupilRow(
            facts=facts_from_json(row["facts"]),
            standing=Standing(row["class_id"], row["placed_school_id"], Step(row["steps"]), row["reason"]),
            since=row["since"],
        )
        for row in rows
    }
