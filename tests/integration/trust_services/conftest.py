"""One PKI and one process for this folder's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.places import scratch_places
from tests.support.trust import Trust, trust_in


@pytest_asyncio.fixture(scope="session")
async def trust() -> AsyncIterator[Trust]:
    with scratch_places("trust") as places, trust_in(places) as made:
        await made.start()
        yield made
