"""Headless Chromium, the system's own, driven by Playwright; it asks nobody but the page that it is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.programs import path_of

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser with a profile of its own, gone at the end."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path_of("chromium"), args=[*_ARGUMENTS, "--disable-sync"])
        try:
            yield launched
        finally:
            await launched.close()


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for a module's tests; each opens a context of its own."""
    async with chromium() as launched:
        yield launched
