"""The public page over a real database, with documents that were admitted and stand in a log."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp.test_utils import TestServer

from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.object_stores import open_staging
from services.archive.adapters.trust_store import trust_of
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import CheckDocument
from services.archive.application.get_proof import GetProof
from services.archive.application.get_status import GetStatus
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.pack import build_pack
from services.archive.domain.transcript import SignedClass, SignedDocument, TranscriptRef
from services.archive.entrypoints.page import PublicPage
from services.archive.entrypoints.page_limits import PageLimits
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.stack.postgresql import Databases
from tests.integration.archive.log_world import LogWorld, make_world
from tests.support.signed_documents import digest, record_bytes, shared_pki, signed_transcript
from tests.support.vaults import a_vault

FIRST, SECOND, OTHER, LATE = (letter * 25 + "q" for letter in "abcd")
"""Public ids: the versions 1 and 2 of one transcript, another pupil's, and one that no checkpoint covers yet."""
UNKNOWN = "z" * 25 + "q"


@dataclass(frozen=True)
class PageWorld:
    """A server and what it answers about; `documents` are PDFs by public id."""

    log: LogWorld
    policy_text: str
    documents: dict[str, bytes]
    server: TestServer

    @property
    def url(self) -> str:
        """Of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self.server.port}"

    def page(self, *, limits: str = "100000/minute", proxies: int = 0) -> PublicPage:
        """Another page over the same archive."""
        return page_of(self.log, self.policy_text, limits, proxies)


def page_of(log: LogWorld, policy_text: str, limits: str, proxies: int) -> PublicPage:
    """The page as the service wires it."""
    catalogue = PostgresCatalogue(log.database)
    rates = PageLimits(limits)
    return PublicPage(GetStatus(catalogue, SystemClock()), GetProof(catalogue, log.tiles, log.state), (policy_text, log.policy), rates, proxies)


@asynccontextmanager
async def page_world(databases: Databases, folder: Path) -> AsyncIterator[PageWorld]:
    """Admit, log, publish, serve."""
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    log = make_world(database, databases.owner_url, folder)
    pupil, classmate, late = (str(uuid.uuid4()) for _ in range(3))
    made = {FIRST: _document(FIRST, pupil, 1), SECOND: _document(SECOND, pupil, 2), OTHER: _document(OTHER, classmate, 1), LATE: _document(LATE, late, 1)}
    await _admit(folder, database, made[FIRST], made[OTHER])
    await _admit(folder, database, made[SECOND])
    await log.grow(300)
    await _admit(folder, database, made[LATE])
    # What the policy's file says, out of what was read from it.
    witnesses = [f"witness {one.name} {one.key.text} {one.url}" for one in log.policy.witnesses]
    groups = [f"group {one.name} {one.needed} {' '.join(one.members)}" for one in log.policy.groups]
    policy_text = "\n".join([f"log {log.policy.log.text}", *witnesses, *groups, f"quorum {log.policy.quorum}", ""])
    server = TestServer(page_of(log, policy_text, "100000/minute", 0).application())
    await server.start_server()
    try:
        yield PageWorld(log, policy_text, {public_id: data for public_id, (_, data) in made.items()}, server)
    finally:
        await server.close()
        for witnessing in log.witnesses.by_url.values():
            witnessing.ledger.close()
        await database.close()


def _document(public_id: str, transcript_id: str, version: int) -> tuple[SignedDocument, bytes]:
    record = record_bytes(transcript_id, version).replace(b"AEBAGBAFAYDQQCIKBMGA2DQPCA", public_id.encode())
    data = signed_transcript(record)
    return SignedDocument(TranscriptRef(transcript_id, transcript_id, version, digest(record), public_id), digest(data), len(data), ()), data


async def _admit(folder: Path, database: Database, *documents: tuple[SignedDocument, bytes]) -> None:
    (folder / "staging").mkdir(exist_ok=True)
    name = f"{uuid.uuid4()}.zip"
    (folder / "staging" / name).write_bytes(build_pack({announced.file_name: data for announced, data in documents}).data)
    trust = trust_of([shared_pki().root.certificate])
    check = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, SystemClock()))
    admit = AdmitTranscripts(open_staging(str(folder / "staging")), a_vault(folder, database), PostgresAdmissions(database), check, SystemClock())
    announced = SignedClass(str(uuid.uuid4()), str(uuid.uuid4()), "2025-01", 2025, str(uuid.uuid4()), name, tuple(item for item, _ in documents))
    admission = await admit(announced)
    assert admission == Admission(len(documents), 0, 0), admission
