"""Counted things and their counters in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.chassis.database import Connection, Database, Queries
from services.chassis.errors import Conflict
from services.reporting.adapters.tally_json import CODECS, counts_from_json, counts_to_json
from services.reporting.application.ports import Difference, Place
from services.reporting.application.tally_ports import Item, Tally, TallyWork
from services.reporting.domain.classes import School
from services.reporting.domain.tallying import Cell, Count, Subject, Tallied

QUERIES = Queries(Path(__file__).with_suffix(".sql"))
_BEFORE_ALL = uuid.UUID(int=0)


@dataclass(frozen=True)
class PostgresTallies:
    """Fulfils the ports TallyStore and Tallies. Use cases have decided before what the caller may ask for."""

    database: Database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TallyWork]:
        """A transaction; one that PostgreSQL ended to break a circle of waits is a Conflict, to be tried again."""
        try:
            async with self.database.transaction() as connection:
                yield PostgresTallyWork(connection)
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError) as error:
            raise Conflict("two batches waited for each other; try again", code="deadlock") from error

    async def tally(self, subject: str, place: Place, since: str = "", until: str = "") -> Tally:
        """By the primary key."""
        rows = await self._fetch("tally", subject, *place.scope, since, until)
        return Tally(place, {Count(row["period"], row["kind"], row["measure"]): row["amount"] for row in rows})

    async def parts(self, subject: str, by: str, province_id: str, since: str = "", until: str = "") -> Sequence[Tally]:
        """Provinces or schools with anything counted."""
        within = (province_id,) if by == "school" else ()
        found: dict[Place, dict[Count, int]] = {}
        for row in await self._fetch({"province": "provinces", "school": "schools"}[by], subject, since, until, *within):
            place = Place(row["province_id"], row["school_id"], name=row["name"])
            found.setdefault(place, {})[Count("", row["kind"], row["measure"])] = row["amount"]
        return [Tally(place, counts) for place, counts in found.items()]

    async def differences(self, province_id: str) -> Sequence[Difference]:
        """Sums first, then the fresh count."""
        found = []
        for row in await self._fetch("sums", province_id):
            where = f"{row['scope_id']} {row['period']} {row['kind']} {row['measure']}"
            found.append(Difference(f"{row['subject']}_{row['scope']}_is_sum_of_parts", row["below"], row["above"], where))
        for row in await self._fetch("recount", province_id):
            where = f"{row['school_id']} {row['period']} {row['kind']} {row['measure']}"
            found.append(Difference(f"{row['subject']}_school_is_count_of_things", row["fresh"], row["kept"], where))
        late = await self._fetch("late_turns", province_id)
        return found + [Difference(f"{row['subject']}_turned_in_time", 0, row["things"], "") for row in late]

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return await connection.fetch(QUERIES[statement], *arguments)


@dataclass(frozen=True)
class PostgresTallyWork:
    """Fulfils the port TallyWork within one transaction."""

    connection: Connection

    async def items(self, subject: Subject[Any, Any], ids: Iterable[str]) -> dict[str, Item]:
        """Made where missing, locked, in order of id."""
        ordered = _ordered(ids)
        if not ordered:
            return {}
        await self.connection.execute(QUERIES["make_items"], subject.name, ordered)
        _, from_json = CODECS[subject.name]
        return {
            str(row["item_id"]): Item(
                from_json(row["facts"]),
                Tallied(str(row["school_id"] or ""), row["province_id"], counts_from_json(row["counts"])),
                row["turns_at"],
            )
            for row in await self.connection.fetch(QUERIES["lock_items"], subject.name, ordered)
        }

    async def places(self, school_ids: Iterable[str]) -> dict[str, str]:
        """Made where missing, locked against moves, in order of id."""
        ordered = _ordered(school_ids)
        if not ordered:
            return {}
        await self.connection.execute(QUERIES["make_places"], ordered)
        return {str(row["school_id"]): row["province_id"] for row in await self.connection.fetch(QUERIES["places"], ordered)}

    async def move_schools(self, schools: Sequence[School]) -> set[str]:
        """Made where missing, locked, in order of id."""
        newest = {school.school_id: school for school in sorted(schools, key=lambda school: school.version)}
        ordered = _ordered(newest)
        if not ordered:
            return set()
        await self.connection.execute(QUERIES["make_places"], ordered)
        known = {str(row["school_id"]): row for row in await self.connection.fetch(QUERIES["lock_places"], ordered)}
        newer = {school_id: school for school_id, school in newest.items() if school.version > known[school_id]["version"]}
        rows = [(uuid.UUID(school_id), school.version, school.province_id) for school_id, school in newer.items()]
        await self._write("save_places", rows)
        return {school_id for school_id, school in newer.items() if school.province_id != known[school_id]["province_id"]}

    async def of_schools(self, subject: Subject[Any, Any], school_ids: Iterable[str]) -> list[str]:
        """By an index."""
        return [str(row["item_id"]) for row in await self.connection.fetch(QUERIES["of_schools"], subject.name, _ordered(school_ids))]

    async def due(self, subject: Subject[Any, Any], now: datetime, limit: int) -> list[str]:
        """The longest due first."""
        return [str(row["item_id"]) for row in await self.connection.fetch(QUERIES["due"], subject.name, now, limit)]

    async def page(self, subject: Subject[Any, Any], after: str, limit: int) -> list[str]:
        """In order of ids, unlocked."""
        rows = await self.connection.fetch(QUERIES["page"], subject.name, uuid.UUID(after) if after else _BEFORE_ALL, limit)
        return [str(row["item_id"]) for row in rows]

    async def save(self, subject: Subject[Any, Any], items: Mapping[str, Item]) -> None:
        """Rows exist: items() made them."""
        to_json, _ = CODECS[subject.name]
        rows = []
        for item_id, item in items.items():
            tallied = item.tallied
            school_id = uuid.UUID(tallied.school_id) if tallied.school_id else None
            rows.append((uuid.UUID(item_id), to_json(item.facts), school_id, tallied.province_id, counts_to_json(tallied.counts), item.turns_at))
        await self._write("save_items", rows, subject.name)

    async def add(self, subject: Subject[Any, Any], differences: Mapping[Cell, int]) -> None:
        """One statement for all counters."""
        await self._write("add", [(*cell, amount) for cell, amount in differences.items()], subject.name)

    async def empty(self, subject: Subject[Any, Any]) -> None:
        """Writers wait until the transaction ends; readers see the old counters until then."""
        await self.connection.execute(QUERIES["keep_writers_out"])
        await self.connection.execute(QUERIES["empty"], subject.name)

    async def _write(self, statement: str, rows: Sequence[Sequence[Any]], *before: Any) -> None:
        if rows:
            await self.connection.execute(QUERIES[statement], *before, *(list(column) for column in zip(*rows, strict=True)))


def _ordered(ids: Iterable[str]) -> list[uuid.UUID]:
    return sorted({uuid.UUID(item_id) for item_id in ids})
