"""Progress of a run: counts that follow each step, what waits and what failed with its cure, and statements that stay cheap."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.chassis.errors import Denied, Malformed
from services.signing import contracts
from services.signing.adapters.progress import QUERIES
from services.signing.application.ports import Progress, Where
from services.signing.domain.people import Caller
from services.signing.domain.roles import SignatureRole
from tests.integration.signing.world import CLASS, PROVINCE, SCHOOL, World, a_world, caller, request
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust

HOMEROOM, PRINCIPAL, SEAL, TEACHER = (
    SignatureRole.HOMEROOM_TEACHER,
    SignatureRole.PRINCIPAL,
    SignatureRole.SCHOOL_SEAL,
    SignatureRole.SUBJECT_TEACHER,
)
OFFICER = Caller("officer", "officer", (("doet_officer", f"province:{PROVINCE}"),))
NATION = Caller("operator", "operator", (("system_operator", "nation"),))


async def counts(world: World, by: str = "class", who: Caller = NATION) -> Progress:
    year, (found,) = await world.rpc.get_run_progress(who, by, Where(province_id=PROVINCE))
    assert year == 2025
    return found


def of_roles(progress: Progress) -> dict[SignatureRole, tuple[int, int, int, int]]:
    return {one.role: (one.needed, one.signed, one.ordered, one.turn - one.ordered) for one in progress.roles if one.needed}


async def test_counts_follow_the_class_through_every_step(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    sealed = await counts(world)
    assert (sealed.classes, sealed.transcripts, sealed.prepared, sealed.completed) == (1, 3, 0, 0)
    assert of_roles(sealed)[TEACHER] == (1, 0, 0, 0)
    await world.work()
    prepared = await counts(world)
    assert (prepared.prepared, of_roles(prepared)) == (3, {TEACHER: (1, 0, 0, 1), HOMEROOM: (3, 0, 0, 3), PRINCIPAL: (3, 0, 0, 0), SEAL: (3, 0, 0, 0)})
    manifests = await world.manifests()
    transcripts = next(m for m in manifests if m.transcripts == 3)
    sheet = next(m for m in manifests if m is not transcripts)
    await world.approve(sheet, TEACHER)
    assert of_roles(await counts(world))[TEACHER] == (1, 0, 1, 0), "ordered"
    await world.work()
    await world.approve(transcripts, HOMEROOM)
    assert of_roles(await counts(world))[HOMEROOM] == (3, 0, 3, 0)
    await world.work()
    assert of_roles(await counts(world)) == {TEACHER: (1, 1, 0, 0), HOMEROOM: (3, 3, 0, 0), PRINCIPAL: (3, 0, 0, 3), SEAL: (3, 0, 0, 0)}
    for role in (PRINCIPAL, SEAL):
        await world.approve(transcripts, role)
    await world.work()
    for by in ("province", "school", "class"):
        done = await counts(world, by)
        assert (done.completed, of_roles(done)[SEAL], done.reasons) == (3, (3, 3, 0, 0), ())
    assert (done.class_id, done.school_id, done.school_name, done.grade) == (CLASS, SCHOOL, "Trường Mẫu", 8)


async def test_what_waits_is_told_apart_from_what_failed_and_each_has_its_cure(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    world.clock.outside(ocsp="down", crl="down")
    await world.work()
    (waiting,) = (await counts(world)).reasons
    assert (waiting.code, waiting.waiting, waiting.documents) == ("revocation_unknown", True, 3)
    answer = contracts.failures_answer(await world.rpc.list_failures(NATION, Where(class_id=CLASS), None, 10))
    assert {(one.code, one.waiting) for one in answer.documents} == {("revocation_unknown", True)}
    assert "nothing to do" in answer.documents[0].cure_en
    world.clock.turn(timedelta(hours=13))
    world.clock.outside(ocsp="down", crl="down")
    await world.do((await world.orders())[-1])
    (failed,) = (await counts(world)).reasons
    assert (failed.code, failed.waiting, failed.documents) == ("revocation_unknown", False, 3)
    world.clock.outside()
    await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await world.work()
    assert (await counts(world)).reasons == ()


async def test_failures_come_in_pages_and_rejections_have_a_code(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.reject(manifest, HOMEROOM)
    first = contracts.failures_answer(await world.rpc.list_failures(NATION, Where(), None, 2))
    rest = contracts.failures_answer(await world.rpc.list_failures(NATION, Where(), contracts.spot_of(first.next), 2))
    assert sorted(one.transcript_id for one in [*first.documents, *rest.documents]) == sorted(world.pupils)
    assert {(one.code, one.waiting) for one in rest.documents} == {("rejected", False)}
    assert contracts.failures_answer(await world.rpc.list_failures(NATION, Where(), contracts.spot_of(rest.next), 2)).next == ""
    ((reason,),) = [(await counts(world)).reasons]
    assert (reason.code, reason.documents) == ("rejected", 3)
    with pytest.raises(Malformed, match="next"):
        contracts.spot_of("1/2/3")


async def test_a_caller_sees_the_own_scope_alone(world: World) -> None:
    await world.seal()
    assert (await counts(world, "province", OFFICER)).transcripts == 3
    strangers = (
        Caller("o", "o", (("doet_officer", "province:2025-01"),)),
        Caller("p", "p", (("principal", f"school:{uuid.uuid4()}"),)),
    )
    for stranger in strangers:
        assert (await world.rpc.get_run_progress(stranger, "province", Where()))[1] == []
        assert await world.rpc.list_failures(stranger, Where(), None, 0) == []
    with pytest.raises(Denied):
        await world.rpc.get_run_progress(caller(TEACHER), "province", Where())
    with pytest.raises(Malformed, match="name one"):
        await world.rpc.get_run_progress(NATION, "class", Where())


async def test_statements_read_no_more_than_they_tell_among_a_hundred_thousand_classes(make_database: DatabaseFactory, trust: Trust, tmp_path: Path) -> None:
    """Counts of a hundred thousand classes in ten provinces, and as many transcripts with failures, beside the one that is real."""
    databases = make_database("signing")
    async with a_world(databases, tmp_path, trust) as world:
        await fill(world)
        with psycopg.connect(databases.owner_url, autocommit=True) as owner:
            for table in ("class_progress", "transcript", "school_class"):
                owner.execute(f"ANALYZE {table}")
        await look(world)


async def fill(world: World) -> None:
    await world.seal()
    await world.work()
    async with world.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO school_class SELECT gen_random_uuid(), md5('s' || n / 20)::uuid, '2025-9' || (n / 20) % 10, 2025, 8, 'PRIMARY', 1, now(), NULL, 0"
            " FROM generate_series(0, 99999) AS n"
        )
        columns = [row["column_name"] for row in await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'class_progress' AND data_type = 'integer' AND column_name <> 'school_year'"
        )]  # fmt: skip
        await connection.execute(
            f"INSERT INTO class_progress (class_id, school_id, province_id, school_year, {', '.join(columns)})"
            f" SELECT class_id, school_id, province_id, school_year, {', '.join('1' for _ in columns)} FROM school_class ON CONFLICT DO NOTHING"
        )
        await connection.execute(
            "INSERT INTO transcript (transcript_id, version, pupil_id, class_id, school_id, province_id, class_version, public_id, content_digest, content,"
            " corrections, state, failure) SELECT gen_random_uuid(), 1, gen_random_uuid(), class_id, school_id, province_id, 1, 'x', '', '', 0, 'sealed',"
            " 'check_failed: x' FROM school_class"
        )


async def look(world: World) -> None:
    school = (await world.rows("SELECT school_id FROM school_class WHERE province_id = '2025-93' LIMIT 1"))[0]["school_id"]
    read = {
        "a school": await rows_read(world, "add_up", "class", 2025, None, school, None),
        "a province": await rows_read(world, "add_up", "school", 2025, "2025-93", None, None),
        "a class": await rows_read(world, "of_classes", None, CLASS),
        "a page of failures": await rows_read(world, "failures", "2025-93", None, None, "", None, None, None, 0, 500),
        "a page of the nation's": await rows_read(world, "failures", None, None, None, "", None, None, None, 0, 500),
    }
    assert read["a school"] <= 20
    assert read["a province"] <= 10_000
    assert read["a class"] == 1
    assert read["a page of failures"] <= 1_500
    assert read["a page of the nation's"] <= 1_500
    assert await rows_read(world, "add_up", "province", 2025, None, None, None) <= 100_001, "the nation adds up classes, and reads no pupils"


async def rows_read(world: World, statement: str, *values: Any) -> int:
    """Rows that the leaves of the plan gave, filtered ones too, with the time told beside."""
    (explained,) = await world.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUERIES[statement]}", *values)
    (plan,) = json.loads(explained["QUERY PLAN"])
    print(statement, values[:4], f"{plan['Execution Time']:.1f} ms")
    return sum(leaf_rows(plan["Plan"]))


def leaf_rows(node: dict[str, Any]) -> list[int]:
    below = node.get("Plans", [])
    if node["Node Type"] == "Seq Scan" or "Index" in node["Node Type"]:
        return [int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])] + [r for n in below for r in leaf_rows(n)]
    return [r for n in below for r in leaf_rows(n)]
