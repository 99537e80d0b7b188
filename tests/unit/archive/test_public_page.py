"""The public page's parts that need no server: languages, whom to count, texts, names of files, and what a page may hold."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from services.archive.application.ports import Status
from services.archive.entrypoints.page import _public_id
from services.archive.entrypoints.page_limits import PageLimits, client_of
from services.archive.entrypoints.page_look import FOLDER, Look, read_assets
from services.chassis.errors import Malformed
from services.chassis.web import LANGUAGES
from services.chassis.web import language as language_of

AT = datetime(2026, 6, 30, 18, 30, tzinfo=UTC)
LOOK = Look(read_assets(None), None)


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "vi"),
        ("", "en", "en"),
        ("", "en-GB,en;q=0.9,vi;q=0.8", "en"),
        ("", "fr, en;q=0.5, vi;q=0.7", "vi"),
        ("", "fr-FR, de", "vi"),
        ("", "EN-us", "en"),
        ("", "en;q=x, ;;;, " + "a," * 10_000, "vi"),
        ("?lang=en", "vi", "en"),
        ("?lang=vi", "en", "vi"),
        ("?lang=xx", "en", "en"),
        ("?lang=<script>", "", "vi"),
    ],
)
def test_language_is_the_one_asked_for_or_liked_best(query: str, accepted: str, language: str) -> None:
    assert language_of(make_mocked_request("GET", f"/{query}", headers={"Accept-Language": accepted})) == language


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "client"),
    [
        ("192.0.2.1", "", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", 1, "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7", 1, "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7,192.0.2.5", 2, "198.51.100.7"),
        # Fewer entries than proxies: it came past one of them, and what it says of itself counts for nothing.
        ("192.0.2.1", "198.51.100.7", 2, "192.0.2.1"),
        ("192.0.2.1", "", 1, "192.0.2.1"),
        ("192.0.2.1", "unknown", 1, "192.0.2.1"),
        ("192.0.2.1", "2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "", 0, "2001:db8:1:2::/64"),
    ],
)
def test_client_is_whom_the_outermost_trusted_proxy_saw(remote: str, forwarded: str, proxies: int, client: str) -> None:
    assert client_of(remote, forwarded, proxies) == client


async def test_rate_counts_each_client_for_itself() -> None:
    limits = PageLimits("2/minute;3/hour")
    assert [await limits.wait("a") for _ in range(2)] == [0, 0]
    assert 1 <= await limits.wait("a") <= 60
    assert await limits.wait("b") == 0


@pytest.mark.parametrize("rates", ["often", "5/minute;much", ""])
def test_rate_that_cannot_be_read_is_named(rates: str) -> None:
    with pytest.raises(Malformed, match="HOCBA_ARCHIVE_PAGE_LIMIT"):
        PageLimits(rates)


def test_what_cannot_be_an_id_is_looked_up_as_nobodys() -> None:
    def given(text: str) -> str:
        return _public_id(make_mocked_request("GET", "/", match_info={"id": text}))

    assert given("ab234") == "ab234"
    assert {given(text) for text in ("", "\0", "a b", "ấn", "x" * 65, "\ud800")} == {"-"}


def keys(table: dict[str, Any], under: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in table.items():
        found |= keys(value, f"{under}{name}.") if isinstance(value, dict) else {under + name}
    return found


def test_both_languages_say_the_same_things() -> None:
    vietnamese, english = (LOOK.texts[language] for language in LANGUAGES)
    assert keys(vietnamese) == keys(english)
    for name, text in vietnamese["check"].items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english["check"][name])), name


def test_every_text_that_the_browser_asks_for_is_there() -> None:
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    asked = set(re.findall(r"texts\.(\w+)|NoAnswer\(\"(\w+)\"|show\(\"\w*\", \"(\w+)\"", script))
    known = set(LOOK.texts["vi"]["check"])
    assert {name for names in asked for name in names if name} <= known
    left_over = {name for name in known if not re.search(rf"\b{name.removesuffix('_text')}\b", script)}
    assert left_over == set()


def test_page_escapes_what_it_is_told_and_names_times_of_viet_nam() -> None:
    found = Status("transcript", '<script>alert("x")</script>', 2025, "PRIMARY")
    text = LOOK.page("vi", status="valid", found=found, as_of=AT, public_id="abc")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)" in text
    assert "01:30:00 ngày 01/07/2026 (giờ Việt Nam)" in text
    assert '<html lang="vi">' in text


def test_revoked_page_names_day_and_decision() -> None:
    found = Status("sheet", "Trường", 2025, "PRIMARY", revoked_at=AT, decision_number="12/QĐ-THM")
    text = LOOK.page("vi", status="revoked", found=found, as_of=AT, public_id="abc")
    assert [part in text for part in ("Đã bị thu hồi", "01/07/2026", "12/QĐ-THM", "Bảng điểm môn")] == [True] * 4


def test_unknown_page_names_no_id() -> None:
    assert "abc" not in LOOK.page("en", status="unknown", as_of=AT)


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    for language in LANGUAGES:
        text = LOOK.page(language, status="valid", found=Status("transcript", "Trường", 2025, "PRIMARY", "newer"), as_of=AT, public_id="abc")
        assert not re.search(r"<style|<script(?! type=\"module\" src=)| style=| on\w+=|https?://|//\w", text)
    for file in (*FOLDER.glob("*.js"), *FOLDER.glob("*.css")):
        assert not re.search(r"https?://|eval\(|innerHTML|@import|url\(", file.read_text(encoding="utf-8")), file.name


def test_files_are_named_after_their_content() -> None:
    one, other = read_assets("log a\n"), read_assets("log b\n")
    assert one["page.js"] == other["page.js"]
    assert one["log-policy.txt"].address != other["log-policy.txt"].address
    assert one["log_proof.js"].address.encode() in one["page.js"].data
