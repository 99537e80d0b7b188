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


async def test_json_says_what_grpc_says_and_no_more_to_anyone(http: aiohttp.ClientSession, world: DashboardWorld) -> None:
    async with http.get("/api/v1/coverage?by=province", headers=world.bearer(*MINISTRY)) as answer:
        told = ParseDict(await answer.json(), reporting_pb2.GetCoverageResponse())
    assert (told.total.enrolled, told.total.archived, told.school_year) == (30, 18, 2025)
    assert {part.province_id: part.enrolled for part in told.parts} == {PROVINCE: 19, OTHER_PROVINCE: 11}
    async with http.get("/api/v1/missing", params={"class": CLASS}, headers=world.bearer(*OPERATOR)) as answer:
        assert len((await answer.json())["pupils"]) == 1
    async with http.get("/api/v1/reconciliation", headers=world.bearer(*OPERATOR)) as answer:
        assert await answer.json() == {"differences": []}
    for path, role, status in [
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
    assert set(json.loads(DESCRIPTION.read_text())["paths"]) == {"/api/v1/coverage", "/api/v1/missing", "/api/v1/classes/{id}", "/api/v1/reconciliation"}
