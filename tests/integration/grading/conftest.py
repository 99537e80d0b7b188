"""A fresh school per test; its keys are made once."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.stack import pki
from services.stack.pki import Keys
from tests.integration.grading.school import School, a_school
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory


@pytest.fixture(scope="session")
def grading_keys() -> Iterator[Keys]:
    with scratch_places("grading-keys") as places:
        yield pki.prepare(places)


@pytest_asyncio.fixture
async def school(make_database: DatabaseFactory, grading_keys: Keys) -> AsyncIterator[School]:
    async with a_school(make_database("grading"), grading_keys) as made:
        yield made
