"""Pictures of the dashboard to look at: `python -m tests.integration.reporting.dashboard_pictures FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser

from services.stack import postgresql
from tests.integration.reporting.dashboard_world import CLASS, OPERATOR, PROVINCE, SCHOOL, DashboardWorld, dashboard_world
from tests.support.browser import chromium
from tests.support.places import scratch_places
from tests.support.postgres import migrate

SIZES = {"phone": (360, 740), "desktop": (1280, 900)}
PATHS = {
    "nation": "/nation",
    "province": f"/provinces/{PROVINCE}",
    "school": f"/schools/{SCHOOL}",
    "class": f"/classes/{CLASS}",
    "results": "/results",
    "projection": "/projection",
    "sign-in": "/sign-in",
}


async def draw(world: DashboardWorld, browser: Browser, folder: Path) -> None:
    """Each page on a phone and on a desktop, in light and dark, and the nation on paper."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = await browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN", color_scheme=scheme)
            page = await context.new_page()
            await page.goto(f"{world.url}/sign-in#{world.token(*OPERATOR)}")
            await page.wait_for_selector(".sentence")
            for name, path in PATHS.items():
                await page.goto(world.url + path)
                await page.screenshot(path=folder / f"{size}-{scheme}-{name}.png", full_page=True)
            if (size, scheme) == ("desktop", "light"):
                await page.goto(world.url + "/nation")
                await page.pdf(path=folder / "nation.pdf", format="A4")
            await context.close()


async def main(folder: Path) -> None:
    """Draw everything into `folder`."""
    with scratch_places("dashboard") as places, postgresql.running(places, durable=False) as server:
        databases = server.provide("reporting")
        await asyncio.to_thread(migrate, "reporting", databases)
        async with dashboard_world(databases, places) as world, chromium() as browser:
            await draw(world, browser, folder)
        server.stop()
        postgresql.wipe(places)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
    print(f"{len(list(target.glob('*.png')))} pictures in {target}")
