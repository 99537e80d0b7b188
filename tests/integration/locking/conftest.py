"""A fresh world per test; its keys are made once."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.stack import pki
from services.stack.pki import Keys
from tests.integration.locking.world import World, a_world
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory


@pytest.fixture(scope="session")
def locking_keys() -> Iterator[Keys]:
    with scratch_places("locking-keys") as places:
        yield pki.prepare(places)


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, locking_keys: Keys) -> AsyncIterator[World]:
    async with a_world(make_database("locking"), locking_keys) as made:
        yield made
