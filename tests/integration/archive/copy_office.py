"""An archive with an issued class and the signing service beside it, for tests of certified copies and extracts."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hocba.archive.v1 import events_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import app, contracts
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.copies import PostgresCopies, new_public_id
from services.archive.adapters.object_stores import open_staging, open_store
from services.archive.application.admit_copies import AdmitCopies
from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.get_copy import GetCopy, ListCopies
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.order_copy import OrderCopy
from services.archive.application.ports import Status, Viewer
from services.archive.application.revocation_ports import Caller
from services.archive.domain.copies import SignedCopies
from services.archive.domain.document import COPY, EXTRACT, TRANSCRIPT
from services.archive.domain.revocation import Person
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.signing import contracts as signing_contracts
from services.signing.application.take_copy import TakeCopy
from services.stack.postgresql import Databases
from tests.integration.signing.world import PROVINCE, SCHOOL, World, a_world
from tests.support.trust import Trust
from tests.support.vaults import a_vault

CLERK = Caller(Person("clerk", "c"), Viewer(schools=(SCHOOL,)))
OFFICER = Caller(Person("officer", "o"), Viewer(province=PROVINCE))


@dataclass
class Office:
    """An archive with an issued class, and the signing service beside it."""

    world: World
    database: Database
    owner_url: str
    folder: Path
    issued: dict[str, tuple[str, bytes]]
    """(public id, document) by transcript."""

    def __post_init__(self) -> None:
        staging, clock = str(self.folder / "staging"), SystemClock()
        self.vault, self.copies = a_vault(self.folder, self.database), PostgresCopies(self.database)
        self.catalogue = PostgresCatalogue(self.database)
        self.order = OrderCopy(GetTranscript(self.catalogue, self.vault), self.copies, open_store(staging), new_public_id, clock)
        checks = [app.document_check(self.world.pki.anchors, profile) for profile in (COPY, EXTRACT)]
        self.admit = AdmitCopies(open_staging(staging), self.vault, self.copies, checks[0], checks[1], clock)
        self.get, self.list = GetCopy(self.copies, self.vault), ListCopies(self.copies)
        self.take = TakeCopy(self.world.transactions, self.world.clock, 1)
        self.signed: list[SignedCopies] = []

    async def sealed(self) -> list[SignedCopies]:
        """Let signing do all that the archive has ordered, the clerk approving; what it announced since the last time."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT payload FROM hocba_outbox WHERE type = $1 ORDER BY id", events_pb2.CopyOrdered.DESCRIPTOR.full_name)
        for row in rows:  # From the beginning each time, as a replay would bring them.
            await self.take(*signing_contracts.ordered_copy_of(events_pb2.CopyOrdered.FromString(bytes(row["payload"]))))
        await self.world.work()
        await self.world.approve_all()
        await self.world.work()
        told = [contracts.signed_copies(event) for event in await self.world.told(signing_pb2.CopiesSigned)]
        fresh, self.signed = told[len(self.signed) :], told
        return fresh

    async def copy(self, transcript_id: str, parts: Sequence[str] | None = None) -> tuple[str, bytes]:
        """A whole copy or extract: its id and its file."""
        copy_id = str(uuid.uuid4())
        await self.order(CLERK, copy_id, transcript_id, 0, parts)
        for signed in await self.sealed():
            assert await self.admit(signed) == 1
        return copy_id, (await self.get(CLERK.viewer, copy_id))[1]

    async def status(self, public_id: str) -> Status | None:
        return (await GetStatus(self.catalogue, SystemClock())(public_id))[0]


@asynccontextmanager
async def an_office(archive: Databases, signing: Databases, folder: Path, signers: Trust) -> AsyncIterator[Office]:
    """With one issued class."""
    database = Database(archive.url, name="archive-test", pool=6)
    await database.open()
    async with a_world(signing, folder, signers) as world:
        await world.seal()
        await world.work()
        await world.approve_all()
        await world.work()
        stores = open_staging(str(folder / "staging")), a_vault(folder, database)
        admit = AdmitTranscripts(*stores, PostgresAdmissions(database), app.document_check(signers.pki.anchors, TRANSCRIPT), SystemClock())
        documents = await world.issued()
        issued: dict[str, tuple[str, bytes]] = {}
        for event in await world.told(signing_pb2.TranscriptsSigned):
            signed = contracts.signed_class(event)
            assert (await admit(signed)).admitted == len(world.pupils)
            issued |= {one.ref.transcript_id: (one.ref.public_id, documents[one.ref.transcript_id, 1]) for one in signed.documents}
        yield Office(world, database, archive.owner_url, folder, issued)
    await database.close()
