"""A synthetic nation: told by events and filled in bulk it comes out the same, and every number adds up."""

from datetime import date
from pathlib import Path

import psycopg
import pytest

from services.chassis import migrations
from services.chassis.database import Database
from services.chassis.errors import Refused
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.application.ports import Place
from services.reporting.domain.counting import Age
from services.simulate.fill import by_events, in_bulk
from services.simulate.nation import YEAR, nation
from services.stack.places import CHECKOUT
from services.stack.postgresql import Server
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


async def test_counters_without_grades_are_told_apart_and_waits_counted(postgres: Server, tmp_path: Path) -> None:
    """The third migration, over rows as the second left them."""
    folder = CHECKOUT / "services" / "reporting" / "migrations"
    before = tmp_path / "reporting" / "migrations"
    before.mkdir(parents=True)
    for file in ("0001_reporting.sql", "0002_sheets_signed.sql"):
        (before / file).write_text((folder / file).read_text())
    postgres.provide("reporting")
    databases = postgres.copy("reporting", "template1", "reporting_before_grades")
    try:
        migrations.migrate(databases.owner_url, before)
        with psycopg.connect(databases.owner_url) as connection:
            connection.execute(_OLD_ROWS)
        assert len(migrations.migrate(databases.owner_url, folder)) >= 1
        database = Database(databases.url, name="test", pool=2)
        await database.open()
        figures = PostgresFigures(database)
        assert await figures.differences(YEAR, "") == []
        assert {grade.place.grade: dict(grade.counts) for grade in await figures.by_grade(YEAR, Place())} == {
            6: {"enrolled": 2, "reason:not_sealed": 2},
            7: {"enrolled": 1, "reason:not_sealed": 1},
        }
        day = date(2026, 5, 30)
        assert await figures.ages(YEAR, "province", "2025-01") == {"not_sealed": Age(day, day)}
        await database.close()
    finally:
        postgres.drop(databases.name)


_OLD_ROWS = """
SET LOCAL hocba.scope = 'system';
INSERT INTO classes (class_id, version, province_id, school_id, school_year, grade, name)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1, '2025-01', '00000000-0000-0000-0000-0000000000aa', 2025, 5 + n, n FROM generate_series(1, 2) AS n;
INSERT INTO pupils (pupil_id, school_year, class_id, school_id, province_id, steps, reason, since)
SELECT gen_random_uuid(), 2025, '00000000-0000-0000-0000-00000000000' || n, '00000000-0000-0000-0000-0000000000aa', '2025-01', 1, 'not_sealed',
    '2026-05-30 23:59:00+00' FROM unnest(ARRAY[1, 1, 2]) AS n;
INSERT INTO counters (school_year, scope, scope_id, measure, pupils)
SELECT 2025, s.scope, s.id, m.measure, s.pupils FROM (VALUES ('class', '00000000-0000-0000-0000-000000000001', 2),
    ('class', '00000000-0000-0000-0000-000000000002', 1), ('school', '00000000-0000-0000-0000-0000000000aa', 3), ('province', '2025-01', 3), ('nation', '', 3)
) AS s (scope, id, pupils) CROSS JOIN (VALUES ('enrolled'), ('reason:not_sealed')) AS m (measure)
"""
