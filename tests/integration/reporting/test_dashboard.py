"""The dashboard and its JSON over HTTP, on a real database."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict
from openpyxl import load_workbook

from hocba.reporting.v1 import reporting_pb2
from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.domain.reconciliation import Discrepancy, Reconciliation, State
from services.reporting.entrypoints.http_api import DESCRIPTION
from services.reporting.entrypoints.http_door import COOKIE
from services.stack.postgresql import Server
from tests.integration.reporting.dashboard_world import (
    CLASS,
    MINISTRY,
    OPERATOR,
    OTHER_PROVINCE,
    OTHER_SCHOOL,
    PROVINCE,
    SCHOOL,
    DashboardWorld,
    dashboard_world,
)
from tests.integration.reporting.test_read_model import named
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Server, database_template: DatabaseFactory) -> AsyncIterator[DashboardWorld]:
    name = f"{database_template('reporting').name}_dashboard"
    with scratch_places("dashboard") as places:
        async with dashboard_world(postgres.copy("reporting", database_template("reporting").name, name), places) as made:
            yield made
    postgres.drop(name)


@pytest_asyncio.fixture
async def http(world: DashboardWorld) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(world.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.mark.parametrize(
    ("role", "where"),
    [
        ("ministry_officer@nation", "/nation"),
        (f"doet_officer@province:{PROVINCE}", f"/provinces/{PROVINCE}"),
        (f"principal@school:{SCHOOL}", f"/schools/{SCHOOL}"),
    ],
)
async def test_everybody_begins_at_what_is_theirs(http: aiohttp.ClientSession, world: DashboardWorld, role: str, where: str) -> None:
    async with http.get("/", headers=world.bearer(role), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, f"{where}?lang=vi")
    async with http.get(where, headers=world.bearer(role)) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (f"doet_officer@province:{PROVINCE}", "/nation", 403),
        (f"doet_officer@province:{PROVINCE}", f"/provinces/{OTHER_PROVINCE}", 403),
        (f"principal@school:{SCHOOL}", f"/provinces/{PROVINCE}", 403),
        (f"principal@school:{SCHOOL}", f"/schools/{OTHER_SCHOOL}", 403),
        (f"subject_teacher@school:{SCHOOL}", f"/schools/{SCHOOL}", 403),
        ("ministry_officer@nation", f"/classes/{CLASS}", 403),
        ("ministry_officer@nation", "/schools/nowhere", 404),
        ("ministry_officer@nation", "/nation?year=last", 400),
        ("ministry_officer@nation", "/elsewhere", 404),
    ],
)
async def test_what_is_others_is_not_shown_and_what_is_wrong_is_said(
    http: aiohttp.ClientSession, world: DashboardWorld, role: str, path: str, status: int
) -> None:
    async with http.get(path, headers=world.bearer(role)) as answer:
        assert (answer.status, "<h1>" in await answer.text()) == (status, True)


async def test_a_token_is_kept_in_a_cookie_that_no_script_reads_until_signed_out(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/nation", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/sign-in?lang=vi"
    async with http.post("/session", data={"token": "nonsense"}) as answer:
        assert (answer.status, COOKIE in answer.cookies) == (403, False)
    async with http.post("/session", data={"token": world.token(*MINISTRY)}, allow_redirects=False) as answer:
        cookie = answer.cookies[COOKIE]
        assert (answer.status, cookie["httponly"], cookie["samesite"], cookie["secure"]) == (303, True, "Strict", "")
    async with http.get("/nation") as answer:
        assert answer.status == 200
    async with http.post("/sign-out") as answer:
        assert str(answer.url).endswith("/sign-in?lang=vi")
    async with http.get("/nation", allow_redirects=False) as answer:
        assert answer.status == 303


async def test_behind_a_proxy_the_cookie_is_for_https(postgres: Server, database_template: DatabaseFactory) -> None:
    name = f"{database_template('reporting').name}_proxied"
    with scratch_places("dashboard") as places:
        databases = postgres.copy("reporting", database_template("reporting").name, name)
        async with dashboard_world(databases, places, proxies=1) as world, aiohttp.ClientSession(world.url) as http:
            https = {"X-Forwarded-Proto": "https"}
            async with http.post("/session", data={"token": world.token(*MINISTRY)}, headers=https, allow_redirects=False) as answer:
                assert answer.cookies[COOKIE]["secure"] is True
                assert "max-age" in answer.headers["Strict-Transport-Security"]
    postgres.drop(name)


async def test_page_says_the_numbers_in_both_languages_under_a_strict_policy(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    said = {"vi": "18 / 30 học bạ đã lưu trữ (60 %).", "en": "18 of 30 transcripts are archived (60 %)."}
    for lang, sentence in said.items():
        async with http.get("/nation", headers=world.bearer(*MINISTRY) | {"Accept-Language": lang}) as answer:
            text = await answer.text()
            assert sentence in text
            assert f'<html lang="{lang}">' in text
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in policy
            assert answer.headers["Cache-Control"] == "no-store"


async def test_last_comparison_of_the_stores_is_told_and_names_pupils_to_their_own_people_alone(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/nation?lang=en", headers=world.bearer(*MINISTRY)) as answer:
        assert "Reconciliation" not in await answer.text(), "nothing was compared yet"
    lost = Discrepancy("signed_not_archived", State.LOST, "", PROVINCE, SCHOOL, CLASS, named("s1-1-p1"), 2025, 1, datetime(2026, 6, 1, tzinfo=UTC))
    await PostgresReconciliations(world.reporting.database).keep(
        Reconciliation(named("run"), datetime(2026, 6, 2, tzinfo=UTC), "", "", 1.0, 24, [lost]), datetime(2025, 1, 1, tzinfo=UTC)
    )
    for path, role, named_here in (
        ("/nation", MINISTRY[0], False),
        (f"/schools/{SCHOOL}", MINISTRY[0], False),
        (f"/schools/{SCHOOL}", f"principal@school:{SCHOOL}", True),
        (f"/schools/{SCHOOL}", f"doet_officer@province:{PROVINCE}", True),
        (f"/provinces/{PROVINCE}", f"doet_officer@province:{PROVINCE}", False),
    ):
        async with http.get(f"{path}?lang=en", headers=world.bearer(role)) as answer:
            text = await answer.text()
        assert "signed, not archived" in text
        assert (lost.pupil_id in text) is named_here, path
    async with http.get(f"/schools/{OTHER_SCHOOL}?lang=en", headers=world.bearer(*MINISTRY)) as answer:
        assert "No differences." in await answer.text()


async def test_page_says_who_can_sign_where_the_reader_may_look(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    said = {
        "vi": "6 / 15 giáo viên, cán bộ quản lý có chứng thư số còn hiệu lực (40 %).",
        "en": "6 of 15 teachers and principals hold a valid certificate (40 %).",
    }
    for lang, sentence in said.items():
        async with http.get(f"/nation?lang={lang}", headers=world.bearer(*MINISTRY)) as answer:
            assert sentence in await answer.text()
    async with http.get(f"/schools/{SCHOOL}?lang=en", headers=world.bearer(f"principal@school:{SCHOOL}")) as answer:
        assert "2 of 5 teachers and principals" in await answer.text()


async def test_page_and_json_say_what_is_wrong_with_the_data_and_how_it_is_mended(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    for lang, words in {"vi": ("thiếu nơi sinh", "ghi như trên giấy khai sinh"), "en": ("birth place missing", "write it as on the birth certificate")}.items():
        async with http.get(f"/nation?lang={lang}", headers=world.bearer(*MINISTRY)) as answer:
            text = await answer.text()
        assert all(word in text for word in words)
    async with http.get(f"/api/v1/coverage?school={SCHOOL}", headers=world.bearer(f"principal@school:{SCHOOL}")) as answer:
        flaws = (await answer.json())["total"]["flaws"]
    assert [(flaw["code"], flaw["pupils"]) for flaw in flaws] == [("without_number", 1), ("without_birth_place", 2)]


async def test_unchanged_page_is_not_sent_again(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    headers = world.bearer(*MINISTRY)
    async with http.get("/nation", headers=headers) as answer:
        tag = answer.headers["ETag"]
    async with http.get("/nation", headers=headers | {"If-None-Match": tag}) as answer:
        assert answer.status == 304
    async with http.get("/nation?lang=en", headers=headers | {"If-None-Match": tag}) as answer:
        assert answer.status == 200, "another language is another page"


async def test_table_that_is_seen_is_the_file_that_is_downloaded(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    headers = world.bearer(*OPERATOR)
    path = f"/provinces/{PROVINCE}?sort=missing&format="
    async with http.get(path + "csv", headers=headers) as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="hocba-province-2025.csv"'
        data = await answer.read()
        assert data.startswith(b"\xef\xbb\xbf"), "so that a spreadsheet reads Vietnamese letters"
        table = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    async with http.get(path + "xlsx", headers=headers) as answer:
        rows = load_workbook(io.BytesIO(await answer.read())).active.iter_rows(values_only=True)  # type: ignore[union-attr]  # There is one.
        assert [[str(cell) for cell in row] for row in rows] == table
    async with http.get(path + "json", headers=headers) as answer:
        assert [[str(value) for value in row.values()] for row in await answer.json()] == table[1:]
    assert {row[0] for row in table[1:]} == {SCHOOL, *(row[0] for row in table[1:])}
    async with http.get(f"/classes/{CLASS}?format=csv", headers=headers) as answer:
        missing = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    assert [row[1] for row in missing[1:]] == ["bị từ chối lưu trữ"]


async def test_name_that_a_spreadsheet_would_run_stays_a_text(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with world.reporting.database.transaction() as connection:
        await connection.execute("UPDATE schools SET name = '=1+1' WHERE school_id = $1", OTHER_SCHOOL)
    async with http.get(f"/provinces/{OTHER_PROVINCE}?format=csv", headers=world.bearer(*OPERATOR)) as answer:
        assert "'=1+1" in await answer.text()


async def test_results_are_told_of_provinces_and_small_counts_of_nobody(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/results", headers=world.bearer(*MINISTRY)) as answer:
        text = await answer.text()
        assert "Kết quả học tập: theo khối lớp" in text
        assert 'title="không công bố"' in text
    async with http.get(f"/provinces/{PROVINCE}/results?item=subject:toan&lang=en", headers=world.bearer(f"doet_officer@province:{PROVINCE}")) as answer:
        assert "Mathematics: by grade" in await answer.text()
    async with http.get("/results?format=csv&lang=en", headers=world.bearer(*MINISTRY)) as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="hocba-results-nation-2025.csv"'
        rows = list(csv.DictReader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    told = {(row["Id"], row["Grade"], row["Level"]): row["Pupils"] for row in rows}
    assert (told[PROVINCE, "0", "Good (Tốt)"], told[PROVINCE, "0", "Not yet (Chưa đạt)"]) == ("30", "")
    assert told[PROVINCE, "0", "Fair (Khá)"] == "", "from it and the others the small count could be computed"
    async with http.get("/api/v1/results?by=province&item=learning", headers=world.bearer(*MINISTRY)) as answer:
        told_by_json = ParseDict(await answer.json(), reporting_pb2.GetResultsResponse())
    assert told_by_json.minimum == 10
    hidden = {(one.province_id, of.level) for one in told_by_json.distributions for of in one.levels if of.hidden}
    assert (PROVINCE, "fail") in hidden
    assert all(not of.pupils for one in told_by_json.distributions for of in one.levels if of.hidden)


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("/api/v1/results", f"principal@school:{SCHOOL}", 403),
        ("/api/v1/results", f"doet_officer@province:{PROVINCE}", 403),
        (f"/api/v1/results?province={OTHER_PROVINCE}", f"doet_officer@province:{PROVINCE}", 403),
        (f"/api/v1/results?province={PROVINCE}", f"doet_officer@province:{PROVINCE}", 200),
        ("/api/v1/results?by=school", "ministry_officer@nation", 400),
        (f"/api/v1/results?by=province&province={PROVINCE}", "ministry_officer@nation", 400),
        ("/results", f"doet_officer@province:{PROVINCE}", 403),
    ],
)
async def test_results_are_told_to_the_province_and_the_ministry(http: aiohttp.ClientSession, world: DashboardWorld, path: str, role: str, status: int) -> None:
    async with http.get(path, headers=world.bearer(role)) as answer:
        assert answer.status == status


async def test_enrolment_is_projected_from_the_years_that_are_counted(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/projection", headers=world.bearer(*MINISTRY)) as answer:
        assert "Chưa dự báo được" in await answer.text(), "one year is too few, and the page says so"
    earlier = [("nation", "", 2023, 9, 40), ("nation", "", 2024, 9, 40), ("nation", "", 2025, 9, 50), ("nation", "", 2024, 10, 32)]
    async with world.reporting.database.transaction() as connection:
        statement = "INSERT INTO counters (scope, scope_id, school_year, grade, measure, pupils) VALUES ($1, $2, $3, $4, 'enrolled', $5)"
        await connection.executemany(statement, earlier)
    try:
        async with http.get("/api/v1/projection?years=1", headers=world.bearer(*MINISTRY)) as answer:
            told = ParseDict(await answer.json(), reporting_pb2.GetProjectionResponse())
        # Of 40 in grade 9 there were 32 in grade 10 a year later, and of 40 there are 30 now: 0.8 and 0.75, of 50 hence 38.75.
        assert [(one.school_year, one.grade, one.pupils, one.has_interval) for one in told.projected] == [(2026, 10, 39, True)]
        assert [(one.grade, one.school_year, one.ratio.value) for one in told.progressions] == [(9, 2023, "0.8000"), (9, 2024, "0.7500")]
        async with http.get("/projection?lang=en", headers=world.bearer(*MINISTRY)) as answer:
            assert "2026–2027 (projected)" in await answer.text()
        async with http.get("/projection?lang=en&format=csv", headers=world.bearer(*MINISTRY)) as answer:
            rows = list(csv.DictReader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
        assert [row["Pupils"] for row in rows if row["Kind"] == "projected"] == ["39"]
    finally:
        async with world.reporting.database.transaction() as connection:
            await connection.execute("DELETE FROM counters WHERE school_year < 2025 OR grade = 9")
    for path, role, status in [
        ("/api/v1/projection?years=13", *MINISTRY, 400),
        ("/api/v1/projection", f"doet_officer@province:{PROVINCE}", 403),
        (f"/api/v1/projection?province={PROVINCE}", f"doet_officer@province:{PROVINCE}", 200),
        (f"/provinces/{PROVINCE}/projection", f"principal@school:{SCHOOL}", 403),
    ]:
        async with http.get(path, headers=world.bearer(role)) as answer:
            assert answer.status == status, path


async def test_json_says_what_grpc_says_and_no_more_to_anyone(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/api/v1/coverage?by=province", headers=world.bearer(*MINISTRY)) as answer:
        told = ParseDict(await answer.json(), reporting_pb2.GetCoverageResponse())
    assert (told.total.enrolled, told.total.archived, told.school_year) == (30, 18, 2025)
    assert {part.province_id: part.enrolled for part in told.parts} == {PROVINCE: 19, OTHER_PROVINCE: 11}
    async with http.get("/api/v1/missing", params={"class": CLASS}, headers=world.bearer(*OPERATOR)) as answer:
        assert len((await answer.json())["pupils"]) == 1
    async with http.get("/api/v1/reconciliation", headers=world.bearer(*OPERATOR)) as answer:
        assert await answer.json() == {"differences": []}
    async with http.get("/api/v1/staff?by=province", headers=world.bearer(*MINISTRY)) as answer:
        staff = ParseDict(await answer.json(), reporting_pb2.GetStaffReadinessResponse())
    assert [(part.province_id, part.offices[0].signers) for part in staff.parts] == [(PROVINCE, 10), (OTHER_PROVINCE, 5)]
    assert (staff.total.offices[0].office, staff.total.offices[0].holding, staff.expiring_days) == ("staff", 6, 30)
    async with http.get("/api/v1/unlocks?since=2026-01&until=2026-06", headers=world.bearer(*MINISTRY)) as answer:
        unlocks = ParseDict(await answer.json(), reporting_pb2.GetUnlockStatisticsResponse())
    assert [(line.month, line.reason, line.requested) for line in unlocks.total.counts] == [
        ("2026-05", "wrong_entry", 2),
        ("2026-05", "remarked", 1),
        ("2026-05", "other", 1),
    ]
    for path, role, status in [
        ("/api/v1/unlocks?since=May", *MINISTRY, 400),
        ("/api/v1/unlocks", f"principal@school:{SCHOOL}", 403),
        ("/api/v1/staff", f"doet_officer@province:{PROVINCE}", 403),
        ("/api/v1/staff?by=class", *MINISTRY, 400),
        ("/api/v1/coverage", "", 401),
        ("/api/v1/coverage", f"doet_officer@province:{PROVINCE}", 403),
        ("/api/v1/coverage?by=pupil", *MINISTRY, 400),
        ("/api/v1/coverage?yaer=2025", *MINISTRY, 400),
        ("/api/v1/classes/nowhere", *OPERATOR, 404),
        ("/api/v1/nothing", *OPERATOR, 404),
    ]:
        async with http.get(path, headers=world.bearer(role) if role else {}) as answer:
            assert answer.content_type == "application/problem+json"
            assert ((await answer.json())["status"], answer.status) == (status, status), path


async def test_description_holds_against_any_request(world: DashboardWorld, tmp_path: Path) -> None:
    """By schemathesis: every answer is one that the description names, whatever is asked.

    Left out is its wish that parameters which are good each by itself are good together: `by=province` has no province beside it,
    and `missing` wants a school or a class, which OpenAPI has no words for.
    """
    report = tmp_path / "report"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{world.url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {world.token(*OPERATOR)}", "--max-examples", "40", "--seed", "1", "--no-color"),
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance", "--generation-database", "none", "--report-dir", str(report)),
    ]
    running = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await asyncio.wait_for(running.communicate(), 120)
    assert running.returncode == 0, said.decode()[-4000:]
    assert set(json.loads(DESCRIPTION.read_text())["paths"]) == {
        "/api/v1/coverage",
        "/api/v1/missing",
        "/api/v1/classes/{id}",
        "/api/v1/reconciliation",
        "/api/v1/staff",
        "/api/v1/unlocks",
        "/api/v1/results",
        "/api/v1/projection",
    }
