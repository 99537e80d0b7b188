"""Pictures of the public page to look at: `python -m tests.integration.archive.page_pictures FOLDER`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser

from services.archive.application.ports import Status
from services.archive.entrypoints.page_look import Look, read_assets
from services.stack import postgresql
from tests.integration.archive.page_world import FIRST, OTHER, SECOND, UNKNOWN, PageWorld, page_world
from tests.support.browser import chromium
from tests.support.places import scratch_places
from tests.support.postgres import migrate

SIZES = {"phone": (360, 740), "desktop": (1200, 900)}


async def draw(world: PageWorld, browser: Browser, folder: Path) -> None:
    """Each status and each verdict, on a phone and on a desktop."""
    right = {"name": "hoc-ba.pdf", "mimeType": "application/pdf", "buffer": world.documents[SECOND]}
    wrong = {**right, "buffer": world.documents[SECOND].replace(b"%%EOF", b"%%EOG", 1)}
    other = {**right, "buffer": world.documents[OTHER]}
    shots = {
        "home": ("/", None),
        "valid": (f"/t/{SECOND}", None),
        "superseded": (f"/t/{FIRST}", None),
        "unknown": (f"/t/{UNKNOWN}", None),
        "revoked": ("/t/revoked", None),
        "not-found": ("/nothing", None),
        "genuine": (f"/t/{SECOND}", right),
        "changed": (f"/t/{SECOND}", wrong),
        "another": (f"/t/{SECOND}", other),
    }
    look = Look(read_assets(world.policy_text), world.log.policy)
    withdrawn = Status("transcript", "Trường Tiểu học Mẫu", 2025, "PRIMARY", revoked_at=datetime.now(UTC), decision_number="12/QĐ-SGDĐT")
    revoked = look.page("vi", status="revoked", found=withdrawn, as_of=datetime.now(UTC), public_id=SECOND)
    for size, (width, height) in SIZES.items():
        for dark in (False, True) if size == "phone" else (False,):
            context = await browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN", color_scheme="dark" if dark else "light")
            page = await context.new_page()
            await page.route("**/t/revoked", lambda route: route.fulfill(body=revoked, content_type="text/html; charset=utf-8"))
            for name, (path, file) in shots.items():
                await page.goto(world.url + path)
                if file:
                    await page.set_input_files("#file", file)  # type: ignore[arg-type]  # A FilePayload, spelt as a dictionary.
                    await page.wait_for_selector(".verdict")
                    await page.click("summary")
                await page.screenshot(path=folder / f"{size}{'-dark' if dark else ''}-{name}.png", full_page=True)
            await context.close()


async def main(folder: Path) -> None:
    """Draw everything into `folder`."""
    with scratch_places("postgresql") as places, postgresql.running(places, durable=False) as server, tempfile.TemporaryDirectory() as scratch:
        databases = server.provide("archive")
        await asyncio.to_thread(migrate, "archive", databases)
        async with page_world(databases, Path(scratch)) as world, chromium() as browser:
            await draw(world, browser, folder)
        server.stop()
        postgresql.wipe(places)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
    print(f"{len(list(target.glob('*.png')))} pictures in {target}")
