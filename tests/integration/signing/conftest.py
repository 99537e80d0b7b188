"""A fresh world per test; the signers' keys are made once."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.stack.signer_pki import SignerPki
from tests.integration.signing.world import World, a_world
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory


@pytest.fixture(scope="session")
def signer_pki() -> Iterator[SignerPki]:
    with scratch_places("signers") as places:
        yield SignerPki(places.keys / "signers")


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, signer_pki: SignerPki, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(make_database("signing"), tmp_path, signer_pki) as made:
        yield made
