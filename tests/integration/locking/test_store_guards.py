"""What the database itself forbids, whatever the code above it believes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.locking.adapters.statements import SQL
from services.locking.application.move_unlock import Move
from services.stack.places import CHECKOUT
from tests.integration.locking.world import OTHER_SCHOOL, PRINCIPAL, SCHOOL, World

APPEND_ONLY = ("audit_lines", "unlock_steps", "window_versions", "policies")


async def attempt(url: str, sql: str, *args: Any, scope: str = "system") -> type[BaseException] | None:
    """What comes of a statement: None, or the class of the error."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET hocba.scope = '{scope}'")
        await connection.execute(sql, *args)
    except asyncpg.PostgresError as error:
        return type(error)
    finally:
        await connection.close()
    return None


async def an_unlock(world: World) -> Any:
    (place,) = await world.locked(1)
    await world.policy()
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    return unlock_id


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_history_is_append_only_by_grants_and_by_trigger(world: World, table: str) -> None:
    await an_unlock(world)
    column = {"audit_lines": "body"}.get(table, "account_id")
    for sql in (f"UPDATE {table} SET {column} = ''", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        assert await attempt(world.databases.url, sql) is asyncpg.InsufficientPrivilegeError
        assert await attempt(world.databases.owner_url, sql) is asyncpg.RestrictViolationError


async def test_audit_line_that_does_not_follow_is_refused(world: World) -> None:
    await an_unlock(world)
    head = (await world.rows("SELECT * FROM audit_heads WHERE stream = $1", f"school:{SCHOOL}"))[0]
    forged = "INSERT INTO audit_lines (stream, number, body, hash) VALUES ($1, $2, '{}', $3)"
    for number in (head["number"], head["number"] + 1, head["number"] + 2):
        assert await attempt(world.databases.url, forged, head["stream"], number, bytes(32)) is asyncpg.IntegrityConstraintViolationError
    for sql in ("UPDATE audit_heads SET number = 0", "DELETE FROM audit_heads"):
        assert await attempt(world.databases.url, sql) is asyncpg.InsufficientPrivilegeError
    assert await world.faults() == []


async def test_owner_who_switches_the_triggers_off_is_found_by_the_chain(world: World) -> None:
    await an_unlock(world)
    connection = await asyncpg.connect(world.databases.owner_url)
    await connection.execute("ALTER TABLE audit_lines DISABLE TRIGGER append_only; SET hocba.scope = 'system'")
    await connection.execute("UPDATE audit_lines SET body = replace(body, 'confirm', 'refuse') WHERE number = 4")
    await connection.close()
    assert {(fault.stream, fault.number) for fault in await world.faults()} == {(f"school:{SCHOOL}", 4)}


@pytest.mark.parametrize(
    "change",
    [
        "approver_person = requester_person",
        "approver_account = requester_account",
        "officer_person = requester_person",
        "officer_person = approver_person",
        "approver_person = NULL",
        "state = 'GRANTED'",
        "state = 'OPEN_FOR_EVER'",
    ],
)
async def test_unlock_of_one_person_or_without_end_is_refused(world: World, change: str) -> None:
    unlock_id = await an_unlock(world)
    assert await attempt(world.databases.url, f"UPDATE unlocks SET {change} WHERE unlock_id = $1", unlock_id) is asyncpg.CheckViolationError


async def test_second_open_unlock_of_a_class_is_refused(world: World) -> None:
    (place,) = await world.locked(1)
    first, second = await world.granted(place), await world.ask(place)
    opened = "UPDATE unlocks SET state = 'GRANTED', until = now(), approver_person = 'x', approver_account = 'x' WHERE unlock_id = $1"
    assert await attempt(world.databases.url, opened, second) is asyncpg.UniqueViolationError
    assert first != second


async def test_rows_of_other_schools_are_invisible_to_the_run_time_role(world: World) -> None:
    await an_unlock(world)
    connection = await asyncpg.connect(world.databases.url)
    seen: dict[tuple[str, str], int] = {}
    for table in ("staff", "teaching", "locks", "unlocks", "unlock_steps", "audit_lines"):
        for scope, schools in (("system", ""), ("school", str(SCHOOL)), ("school", str(OTHER_SCHOOL)), ("", "")):
            await connection.execute(f"SET hocba.scope = '{scope}'; SET hocba.schools = '{schools}'")
            seen[table, f"{scope}{schools}"] = await connection.fetchval(f"SELECT count(*) FROM {table}")
    await connection.close()
    for (table, scope), count in seen.items():
        assert (count > 0) == (scope in ("system", f"school{SCHOOL}")), f"{table} as {scope or 'nobody'}"


def test_every_named_statement_is_used_and_every_use_is_named() -> None:
    root = CHECKOUT / "services" / "locking"
    used = set()
    for file in root.rglob("*.py"):
        used |= set(re.findall(r'SQL\["([a-z_]+)"', file.read_text()))
    used |= {"get_unlock"}  # Chosen by a condition beside hold_unlock.
    for_others = {"errands_state", "read_audit_lines", "read_audit_heads", "unlocks_without_two_people", "openings_without_reseal"}
    assert used | for_others == set(SQL.names())
    assert Path(root / "README.md").exists()


async def test_statements_for_the_auditor_find_nothing_after_a_whole_unlock(world: World) -> None:
    (place,) = await world.locked(1)
    await world.granted(place)
    for name in ("unlocks_without_two_people", "openings_without_reseal"):
        assert await world.rows(SQL[name]) == []
    assert len(await world.rows(SQL["read_audit_lines"])) > 5
    assert len(await world.rows(SQL["read_audit_heads"])) == 2
