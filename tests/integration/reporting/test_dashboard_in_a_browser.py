"""The dashboard in headless Chromium: signed in, drilled down, watched while numbers move, read by keyboard, phone and printer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, ViewportSize, expect

from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.domain.reconciliation import Discrepancy, Reconciliation, State
from services.stack.postgresql import Server
from tests.integration.reporting.dashboard_world import CLASS, OPERATOR, PROVINCE, SCHOOL, DashboardWorld, dashboard_world
from tests.integration.reporting.test_read_model import named
from tests.support.browser import browser  # noqa: F401 - a fixture
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory

WATCH = "window.broken = []; document.addEventListener('securitypolicyviolation', (event) => window.broken.push(event.violatedDirective));"
Visits = Callable[..., Any]


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Server, database_template: DatabaseFactory) -> AsyncIterator[DashboardWorld]:
    name = f"{database_template('reporting').name}_watched"
    with scratch_places("dashboard") as places:
        async with dashboard_world(postgres.copy("reporting", database_template("reporting").name, name), places) as made:
            lost = Discrepancy("signed_not_archived", State.LOST, "", PROVINCE, SCHOOL, CLASS, named("s1-1-p1"), 2025, 1, datetime(2026, 6, 1, tzinfo=UTC))
            run = Reconciliation(named("run"), datetime(2026, 6, 2, tzinfo=UTC), "", "", 1.0, 24, [lost])
            await PostgresReconciliations(made.reporting.database).keep(run, datetime(2025, 1, 1, tzinfo=UTC))
            yield made
    postgres.drop(name)


@pytest.fixture
def visit(browser: Browser, world: DashboardWorld) -> Visits:  # noqa: F811 - the fixture
    """Somebody who is signed in; his browser asks nobody but this server, and nothing breaks its content policy."""

    @asynccontextmanager
    async def visiting(*roles: str, width: int = 1200, lang: str = "vi") -> AsyncIterator[Page]:
        context = await browser.new_context(viewport=ViewportSize(width=width, height=800), locale=lang)
        page, hosts, problems = await context.new_page(), set[str](), list[str]()
        page.on("request", lambda request: hosts.add("/".join(request.url.split("/")[:3])))
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.add_init_script(WATCH)
        await page.goto(f"{world.url}/sign-in#{world.token(*(roles or OPERATOR))}")
        await page.wait_for_selector(".sentence")
        yield page
        problems += await page.evaluate("window.broken")
        await context.close()
        assert (problems, hosts) == ([], {world.url})

    return visiting


async def test_drill_down_from_the_nation_to_a_class(visit: Visits, world: DashboardWorld) -> None:
    async with visit() as page:
        assert "#" not in page.url, "the token is gone from the address"
        assert await page.inner_text("h1") == "Toàn quốc"
        await page.click(f'.tiles a[href^="/provinces/{PROVINCE}"]')
        await page.click(f'.parts a[href^="/schools/{SCHOOL}"]')
        await page.click(f'.parts a[href^="/classes/{CLASS}"]')
        assert await page.inner_text("h1") == "Lớp s1-1"
        assert await page.locator("section.missing tbody tr").count() == 1
        await page.click("header nav a")
        assert await page.inner_text("h1") == "Class s1-1"
        await page.click(".path a >> nth=0")
        assert await page.inner_text("h1") == "The nation"


async def test_curve_is_drawn_from_the_table_below_it(visit: Visits) -> None:
    async with visit() as page:
        await page.wait_for_selector(".curve canvas")
        assert await page.locator(".curve .u-series").count() == 4, "time, and three steps"
        await page.click("details summary")
        assert await page.locator("#points tbody tr").count() == 2
        await page.evaluate("document.getElementById('main').scrollIntoView()")


async def test_page_that_is_watched_follows_the_numbers(visit: Visits, world: DashboardWorld) -> None:
    async with visit() as page:
        await page.goto(f"{world.url}/schools/{named('s2')}?lang=en")
        figure = page.locator(f'.parts tr:has(a[href^="/classes/{named("s2-2")}"]) td >> nth=3')
        before = await figure.inner_text()
        await page.focus(f'.parts a[href^="/classes/{named("s2-2")}"]')
        async with world.reporting.database.transaction() as connection:
            await connection.execute("UPDATE counters SET pupils = pupils + 1 WHERE scope = 'class' AND scope_id = $1 AND measure = 'sealed'", named("s2-2"))
        await expect(figure).to_have_text(str(int(before) + 1), timeout=15_000)
        assert named("s2-2") in str(await page.evaluate("document.activeElement.getAttribute('href')")), "the keyboard stays where it was"


@pytest.mark.parametrize(
    "path", ["/nation", f"/provinces/{PROVINCE}", f"/schools/{SCHOOL}", f"/classes/{CLASS}", "/results", "/projection", "/sign-in", "/nowhere"]
)
async def test_nobody_is_kept_out(visit: Visits, world: DashboardWorld, path: str) -> None:
    """By axe-core: labels, contrast, order; in both colour schemes, and nothing is wider than a phone. A school's page is its principal's, who sees most."""
    async with visit(*([f"principal@school:{SCHOOL}"] if SCHOOL in path else OPERATOR), width=360) as page:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.goto(world.url + path)
            await page.evaluate(AXE_SCRIPT)
            found = await page.evaluate("axe.run().then((result) => result.violations.map((one) => one.id + ': ' + one.nodes.map((n) => n.html).join(' ')))")
            assert found == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_keyboard_alone_leads_to_the_numbers(visit: Visits) -> None:
    async with visit() as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        for _ in range(3):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.matches('.tiles a')"):
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/provinces/**")


async def test_paper_has_the_table_and_no_buttons(visit: Visits, world: DashboardWorld) -> None:
    async with visit() as page:
        await page.emulate_media(media="print")
        assert [await page.is_visible(what) for what in (".parts", ".funnel", "header nav", ".tools")] == [True, True, False, False]
        assert (await page.pdf(format="A4")).startswith(b"%PDF")
