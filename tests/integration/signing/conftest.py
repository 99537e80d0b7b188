"""A fresh world per test; the signers' keys, and the services that answer for them, are made once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.stack.signer_pki import SignerPki
from tests.integration.signing.world import World, a_world
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust, trust_in


@pytest_asyncio.fixture(scope="session")
async def trust() -> AsyncIterator[Trust]:
    with scratch_places("signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture(scope="session")
async def signer_pki(trust: Trust) -> SignerPki:
    return trust.pki


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, trust: Trust, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(make_database("signing"), tmp_path, trust) as made:
        yield made
