"""The two sides of the boundary: what signing really makes, the archive admits; what somebody changes on the way, it refuses."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import app, contracts
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.object_stores import open_staging
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import Announced, CheckDocument
from services.archive.domain.findings import Reason
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from tests.integration.signing.world import TurnedClock, a_world, wired
from tests.support import forgeries
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust, trust_in
from tests.support.vaults import a_vault

LEVELS = ("primary", "lower_secondary", "upper_secondary")


@dataclass
class Boundary:
    """Signing's announcement of one class of each level, and an archive that trusts its signers."""

    events: dict[str, signing_pb2.TranscriptsSigned]
    documents: dict[str, bytes]
    check: CheckDocument
    admit: AdmitTranscripts


@pytest_asyncio.fixture(scope="module")
async def signers() -> AsyncIterator[Trust]:
    with scratch_places("archive-signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture
async def boundary(make_database: DatabaseFactory, signers: Trust, tmp_path: Path) -> AsyncIterator[Boundary]:
    events: dict[str, signing_pb2.TranscriptsSigned] = {}
    documents: dict[str, bytes] = {}
    async with a_world(make_database("signing"), tmp_path, signers) as first:
        for level in LEVELS:
            world = first if level == first.level else wired(first.database, first.settings, TurnedClock(signers), signers.pki, level)
            await world.seal(LEVELS.index(level) + 1)
            await world.work()
            await world.approve_all()
            await world.work()
            events[level] = (await world.told(signing_pb2.TranscriptsSigned))[-1]
            issued = await world.issued()
            documents[level] = issued[world.pupils[0], 1]
    database = Database(make_database("archive").url, name="archive-test", pool=4)
    await database.open()
    check = app.document_check(signers.pki.anchors)
    stores = open_staging(str(tmp_path / "staging")), a_vault(tmp_path, database)
    yield Boundary(events, documents, check, AdmitTranscripts(*stores, PostgresAdmissions(database), check, SystemClock()))
    await database.close()


async def test_every_level_of_signed_class_is_admitted(boundary: Boundary) -> None:
    for event in boundary.events.values():
        signed = contracts.signed_class(event)
        assert {role for document in signed.documents for role, _ in document.serials} == {"homeroom_teacher", "principal", "school_seal"}
        assert await boundary.admit(signed) == Admission(3, 0, 0)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (forgeries.trailing_bytes, Reason.TRAILING_BYTES),
        (forgeries.cut_short, Reason.TRUNCATED),
        (forgeries.truncated_to_first_signature, Reason.SIGNATURE_MISSING),
        (forgeries.flipped_bit, Reason.SIGNED_BYTES_DIFFER),
        (forgeries.empty_update, Reason.REVISION_UNSIGNED),
        (forgeries.zeroed_signature, Reason.SIGNATURE_INVALID),
        (forgeries.widened_gap, Reason.COVERAGE_BROKEN),
    ],
)
async def test_changed_document_of_signing_is_refused(boundary: Boundary, forge: Callable[[bytes], bytes], reason: Reason) -> None:
    for data in boundary.documents.values():
        forged = forge(data)
        verdict = boundary.check(forged, Announced(hashlib.sha256(forged).digest(), len(forged)))
        assert verdict.first is not None
        assert verdict.first.reason is reason, verdict.findings


async def test_check_of_one_document_takes_milliseconds(boundary: Boundary) -> None:
    for data in boundary.documents.values():
        assert boundary.check(data).accepted
        started = time.process_time()
        for _ in range(10):
            boundary.check(data)
        # Some 10 ms on an idle core; the bound only catches a check that has become something else.
        assert (time.process_time() - started) / 10 < 0.2
