"""Row-level security: whatever a query forgets, a school sees its own rows and nothing of its neighbours."""

from __future__ import annotations

import asyncpg
import pytest

from services.chassis.database import RowScope
from tests.integration.enrollment.house import House, office, profile, roster

OPEN = {"schools", "school_predecessors", "school_versions"}
"""Which schools exist, and what they were called, is public."""


async def test_every_table_of_ours_is_closed_by_force_or_public_on_purpose(house: House) -> None:
    tables = house.rows("SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    open_tables = {name for name, closed in tables if not closed and not name.startswith("hocba_")}
    assert open_tables == OPEN
    assert len(tables) > len(OPEN) + 10


async def test_a_school_sees_its_own_rows_only(house: House) -> None:
    schools = {}
    for code, province, first in (("79000001", "2025-79", 0), ("79000002", "2025-79", 10), ("48000001", "2025-48", 20)):
        schools[code] = await house.school(code, province)
        await house.load(
            office(schools[code]), roster([("6A1", profile(first + n)) for n in range(4)] + [("6A1", profile(first, full_name=""))]), school_id=schools[code]
        )
    closed = ("pupils", "enrolments", "classes", "personal_numbers", "import_jobs", "import_faults")
    scopes = {
        RowScope("school", schools=(schools["79000001"],)): {schools["79000001"]},
        RowScope("province", province="2025-79"): {schools["79000001"], schools["79000002"]},
        RowScope("none"): set(),
        RowScope("school", schools=("00000000-0000-4000-8000-000000000000",)): set(),
        RowScope("system"): set(schools.values()),
    }
    for scope, visible in scopes.items():
        async with house.database.transaction(scope) as connection:
            for table in closed:
                found = await connection.fetch(f"SELECT DISTINCT school_id::text FROM {table}")  # Names above.
                assert {row[0] for row in found} == visible, (scope, table)
    async with house.database.connection() as connection:
        # Without any scope nothing is seen.
        assert await connection.fetchval("SELECT count(*) FROM pupils") == 0


async def test_a_school_cannot_write_into_another(house: House) -> None:
    mine, theirs = await house.school("79000001"), await house.school("79000002")
    await house.load(office(theirs), roster([("6A1", profile(1))]), school_id=theirs)
    scope = RowScope("school", schools=(mine,))
    async with house.database.transaction(scope) as connection:
        assert await connection.execute("UPDATE pupils SET full_name = 'X'") == "UPDATE 0"
    intrusion = (
        "INSERT INTO classes (class_id, school_id, province_id, school_year, grade, name, version) VALUES (gen_random_uuid(), $1, '2025-79', 2026, 6, '6Z', 1)"
    )
    async with house.database.connection() as connection:
        await connection.execute(scope.begin())
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(intrusion, theirs)
        await connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    "statement", ["UPDATE personal_numbers SET reason = 'x'", "DELETE FROM past_places", "UPDATE school_versions SET name = 'x'", "DELETE FROM identity_checks"]
)
async def test_histories_are_append_only(house: House, statement: str) -> None:
    with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)):
        async with house.database.transaction() as connection:
            await connection.execute(statement)
