"""A synthetic nation: told by events and filled in bulk it comes out the same, and every number adds up."""

import pytest

from services.chassis.database import Database
from services.chassis.errors import Refused
from services.reporting.adapters.figures import PostgresFigures
from services.simulate.fill import by_events, in_bulk
from services.simulate.nation import YEAR, nation
from tests.support.postgres import DatabaseFactory

PUPILS = 10_000
TABLES = {
    "schools": "*", "classes": "*", "counters": "*", "waits": "*",
    "pupils": "pupil_id, school_year, facts, class_id, placed_school_id, school_id, province_id, steps, reason, since",
}  # fmt: skip


async def digests(database: Database) -> dict[str, str]:
    """One digest for each table; counters of zero say nothing."""
    found = {}
    async with database.transaction() as connection:
        for table, columns in TABLES.items():
            where = "WHERE pupils <> 0" if table in ("counters", "waits") else ""
            rows = f"SELECT {columns} FROM {table} {where}"
            # Columns in order of their names: a column that a migration added stands elsewhere in a fresh table.
            found[table] = await connection.fetchval(f"SELECT md5(string_agg(to_jsonb(r)::text, E'\\n' ORDER BY to_jsonb(r)::text)) FROM ({rows}) r")
    return found


async def test_events_and_bulk_lead_to_the_same_rows(make_database: DatabaseFactory) -> None:
    told, filled = make_database("reporting"), make_database("reporting")
    databases = [Database(one.url, name="test", pool=2) for one in (told, filled)]
    for database in databases:
        await database.open()
    assert await by_events(databases[0], nation(PUPILS), lambda _: None) > 1000
    assert in_bulk(filled.owner_url, nation(PUPILS), lambda _: None) == PUPILS
    by_event, by_bulk = [await digests(database) for database in databases]
    assert None not in by_event.values()
    assert by_event == by_bulk
    for database in databases:
        assert await PostgresFigures(database).differences(YEAR, "") == []
        assert (await PostgresFigures(database).coverage(YEAR, "nation", ""))["enrolled"] == PUPILS
    with pytest.raises(Refused, match="empty"):
        in_bulk(filled.owner_url, nation(10), lambda _: None)
    for database in databases:
        await database.close()
