"""The public page over real HTTP and PostgreSQL: what it says, to whom, and what it never says."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from services.archive.adapters.note_keys import verifier_of
from services.archive.domain.log_proof import LogProof, check_proof
from services.archive.domain.statement import Statement
from services.chassis.database import Database
from services.stack.postgresql import Server
from tests.integration.archive.page_world import FIRST, LATE, OTHER, SECOND, UNKNOWN, PageWorld, page_world
from tests.support.postgres import DatabaseFactory
from tests.support.signed_documents import digest

MALFORMED = ("x", "%00", "%FF%FE", "a" * 500, "..%2F..%2Fetc%2Fpasswd", "%E1%BA%A5n", "';%20DROP%20TABLE%20transcripts;%20--", "%3Cscript%3E")


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Server, database_template: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PageWorld]:
    name = f"{database_template('archive').name}_page"
    async with page_world(postgres.copy("archive", database_template("archive").name, name), tmp_path_factory.mktemp("page")) as made:
        yield made
    postgres.drop(name)


@pytest_asyncio.fixture
async def http(world: PageWorld) -> AsyncIterator[ClientSession]:
    async with ClientSession(world.url) as session:
        yield session


async def said(http: ClientSession, path: str, **headers: str) -> tuple[ClientResponse, str]:
    """A response and its text; the path goes as it is, escapes and all."""
    async with http.get(URL(path, encoded=True), headers=headers, allow_redirects=False) as response:
        return response, await response.text()


async def test_statuses_in_words_and_for_programs(http: ClientSession) -> None:
    for public_id, status, vietnamese, english in (
        (SECOND, "valid", "<h1>Hợp lệ</h1>", "<h1>Valid</h1>"),
        (FIRST, "superseded", "Đã có bản mới hơn", "There is a newer version"),
        (OTHER, "valid", "<h1>Hợp lệ</h1>", "<h1>Valid</h1>"),
        (UNKNOWN, "unknown", "Không tìm thấy", "Not found"),
    ):
        wanted = 404 if status == "unknown" else 200
        response, text = await said(http, f"/t/{public_id}")
        assert (response.status, vietnamese in text, english in text) == (wanted, True, False)
        response, text = await said(http, f"/t/{public_id}?lang=en")
        assert (response.status, vietnamese in text, english in text) == (wanted, False, True)
        response, text = await said(http, f"/t/{public_id}/status")
        told = json.loads(text)
        assert (response.status, told["status"]) == (wanted, status)
        assert told.keys() == (
            {"status", "as_of"}
            if status == "unknown"
            else {"status", "as_of", "kind", "school_name", "school_year", "level"} | ({"newer"} if public_id == FIRST else set())
        )
        assert told.get("newer") == (SECOND if status == "superseded" else None)
    _, text = await said(http, f"/t/{FIRST}")
    assert f'href="/t/{SECOND}?lang=vi"' in text


async def test_nothing_of_the_pupil_is_said(http: ClientSession, world: PageWorld) -> None:
    async with world.log.database.transaction() as connection:
        row = await connection.fetchrow("SELECT transcript_id, pupil_id, content_digest FROM transcripts WHERE public_id = $1", SECOND)
    for path in (f"/t/{SECOND}", f"/t/{SECOND}/status"):
        _, text = await said(http, path)
        assert not any(str(row[column]) in text for column in ("transcript_id", "pupil_id"))


@pytest.mark.parametrize("tail", ["", "?lang=en", "/status"])
async def test_unknown_and_malformed_ids_get_the_very_same_answer(http: ClientSession, tail: str) -> None:
    """But for the second in which they are answered."""
    answers = set()
    for public_id in (UNKNOWN, *MALFORMED):
        response, text = await said(http, f"/t/{public_id}{tail}")
        headers = tuple((name, value) for name, value in response.headers.items() if name != "Date")
        answers.add((response.status, headers, re.sub(r"\d\d:\d\d:\d\d", "", text)))
    assert len(answers) == 1


async def test_ids_that_cannot_be_get_no_proof_and_no_error(http: ClientSession) -> None:
    for public_id in (UNKNOWN, LATE, "%00", "%FF"):
        response, text = await said(http, f"/t/{public_id}/proof")
        assert (response.status, text) == (404, "no proof\n")


async def test_proof_holds_offline(http: ClientSession, world: PageWorld) -> None:
    _, text = await said(http, f"/t/{SECOND}/proof")
    leaf = check_proof(LogProof.read(text.encode()), world.log.policy, verifier_of)
    assert Statement.read(leaf.statement).sha256 == digest(world.documents[SECOND])


async def test_every_answer_is_guarded_and_status_is_never_kept(http: ClientSession) -> None:
    for path in ("/", f"/t/{SECOND}", f"/t/{UNKNOWN}", f"/t/{SECOND}/status", f"/t/{SECOND}/proof", "/t?id=x", "/nothing", "/assets/nothing.js"):
        response, _ = await said(http, path)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe|https?:|\*|data:", policy), policy
        assert response.headers["Cache-Control"] == "no-store", path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Server"] == "hocba"
        assert "Set-Cookie" not in response.headers
        assert "Strict-Transport-Security" not in response.headers, "plain HTTP, and nobody said otherwise"


async def test_files_have_names_that_change_with_them_and_are_kept_for_ever(http: ClientSession, world: PageWorld) -> None:
    _, text = await said(http, "/")
    addresses = set(re.findall(r'"(/assets/[^"]+)"', text))
    assert len(addresses) == 4, addresses
    for address in addresses:
        response, body = await said(http, address)
        assert (response.status, response.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        if ".js" in address:
            (module,) = re.findall(r'from "(.+?)"', body)
            response, _ = await said(http, module)
            assert (response.status, response.content_type) == (200, "text/javascript")
        if "log-policy" in address:
            assert body == world.policy_text


async def test_typed_and_pasted_codes_lead_to_their_page(http: ClientSession) -> None:
    printed = " ".join(SECOND.upper()[at : at + 5] for at in range(0, 26, 5)).replace(" ", "%20")
    for typed in (SECOND, printed, f"https%3A%2F%2Ftracuu.hocba.example%2Ft%2F{SECOND}%3Flang=en"):
        response, _ = await said(http, f"/t?id={typed}")
        assert (response.status, response.headers["Location"]) == (303, f"/t/{SECOND}?lang=vi")
    for typed in ("", "%2F%2Fevil.example", "%0D%0ALocation:x", "%F0%9F%98%80"):
        response, _ = await said(http, f"/t?id={typed}")
        assert re.fullmatch(r"/|/t/[a-z0-9]+\?lang=vi", response.headers["Location"])


async def test_who_asks_too_often_waits_and_others_do_not(world: PageWorld) -> None:
    async with TestClient(TestServer(world.page(limits="3/minute", proxies=1).application())) as client:

        async def ask(address: str, language: str = "vi") -> tuple[int, str, str]:
            response = await client.get(f"/t/{SECOND}", headers={"X-Forwarded-For": address, "Accept-Language": language})
            return response.status, await response.text(), response.headers.get("Retry-After", "")

        assert [(await ask("198.51.100.7"))[0] for _ in range(3)] == [200, 200, 200]
        status, text, wait = await ask("198.51.100.7")
        assert (status, "Quá nhiều yêu cầu" in text, 1 <= int(wait) <= 60) == (429, True, True)
        assert "Too many requests" in (await ask("203.0.113.9, 198.51.100.7", "en"))[1], "what stands before the proxy's own entry is anybody's"
        assert (await ask("198.51.100.8"))[0] == 200
        assert (await client.get("/")).status == 200, "the form and the files count for nothing"
        secure = await client.get("/", headers={"X-Forwarded-Proto": "https"})
        assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_without_a_database_it_says_that_the_fault_is_ours(world: PageWorld, caplog: Any, capsys: Any) -> None:
    page = world.page()
    away = Database("postgresql://nobody@127.0.0.1:1/none", name="test", pool=1)
    await away.open()
    object.__setattr__(page._get_status.catalogue, "database", away)
    async with TestClient(TestServer(page.application())) as client:
        response = await client.get(f"/t/{SECOND}", headers={"Accept-Language": "en"})
        assert (response.status, response.headers["Retry-After"], "The fault is ours" in await response.text()) == (503, "5", True)
    assert SECOND not in caplog.text + "".join(capsys.readouterr()), "ids are in no log"


async def test_only_reading_is_possible(http: ClientSession) -> None:
    async with http.post(f"/t/{SECOND}", data=b"%PDF-") as response:
        assert response.status == 405
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
