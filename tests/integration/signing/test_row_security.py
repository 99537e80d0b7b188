"""Rows with people in them are closed to a connection that doesn't say whose it may see."""

import pytest

from services.chassis.database import RowScope
from tests.integration.signing.world import PROVINCE, SCHOOL, World

GUARDED = ("staff", "school_class", "transcript", "manifest", "certificate")


@pytest.mark.parametrize(
    ("scope", "sees"),
    [
        (RowScope("none"), False),
        (RowScope("school", schools=("00000000-0000-0000-0000-000000000001",)), False),
        (RowScope("province", province="2025-01"), False),
        (RowScope("school", schools=(SCHOOL,)), True),
        (RowScope("province", province=PROVINCE), True),
    ],
)
async def test_rows_are_seen_only_within_the_scope(world: World, scope: RowScope, sees: bool) -> None:
    await world.seal()
    await world.work()
    async with world.database.transaction(scope) as connection:
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in GUARDED}
    assert {table: count > 0 for table, count in counts.items()} == dict.fromkeys(GUARDED, sees)


async def test_row_of_another_school_cannot_be_written(world: World) -> None:
    with pytest.raises(Exception, match="row-level security"):
        async with world.database.transaction(RowScope("school", schools=("00000000-0000-0000-0000-000000000001",))) as connection:
            await connection.execute(
                "INSERT INTO staff (staff_id, school_id, province_id, version, person_id, full_name, appointments)"
                " VALUES (gen_random_uuid(), $1, $2, 1, 'p', 'Tên', '[]')",
                SCHOOL,
                PROVINCE,
            )
