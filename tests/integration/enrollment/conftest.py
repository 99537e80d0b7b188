"""A house of enrollment for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.chassis.database import Database
from tests.integration.enrollment.house import House, make_envelope, make_rpc
from tests.support.postgres import DatabaseFactory


@pytest_asyncio.fixture
async def house(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[House]:
    """Enrollment on an empty database of its own."""
    databases = make_database("enrollment")
    database = Database(databases.url, name="test", pool=8)
    await database.open()
    envelope = make_envelope(tmp_path)
    yield House(database, databases.url, databases.owner_url, envelope, make_rpc(database, envelope))
    await database.close()
