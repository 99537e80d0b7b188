"""Withdrawing what was issued, on a real database: by two persons, once, for everybody to see, and never for good or ill of another version."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization

from hocba.archive.v1 import events_pb2
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.object_stores import open_staging
from services.archive.adapters.revocations import PostgresRevocations
from services.archive.adapters.trust_store import trust_of
from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.check_document import CheckDocument
from services.archive.application.confirm_revocation import ConfirmRevocation, ListRevocations
from services.archive.application.get_proof import GetProof
from services.archive.application.get_status import GetStatus
from services.archive.application.ports import Status, Viewer
from services.archive.application.request_revocation import RequestRevocation
from services.archive.application.revocation_ports import Caller
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.pack import build_pack
from services.archive.domain.revocation import Decision, Person, Revocation, RevocationReason
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import SignedClass, SignedDocument, TranscriptRef
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Conflict, Malformed, NotFound, Refused
from services.cli.archive_life import write_later
from tests.integration.archive.log_world import make_world
from tests.support.postgres import DatabaseFactory
from tests.support.signed_documents import digest, record_bytes, shared_pki, signed_transcript
from tests.support.vaults import a_vault

SCHOOL, CLASS, PROVINCE = str(uuid.uuid4()), str(uuid.uuid4()), "2025-79"
TRANSCRIPT_ID, PUPIL = "0b7e1f6e-7f5a-4d57-9a4e-000000000001", "1c7e1f6e-7f5a-4d57-9a4e-000000000001"
PRINCIPAL = Caller(Person("principal", "p"), Viewer(schools=(SCHOOL,)))
OFFICER = Caller(Person("officer", "o"), Viewer(province=PROVINCE))
DECISION = Decision(RevocationReason.CONTENT_WRONG, "123/QĐ-SGDĐT", date(2026, 5, 30), bytes(range(32)))


@dataclass
class Archive:
    """An archive that holds one transcript in as many versions as were admitted."""

    database: Database
    owner_url: str
    folder: Path

    def __post_init__(self) -> None:
        store, clock = PostgresRevocations(self.database), SystemClock()
        self.ask, self.confirm, self.list = RequestRevocation(store, clock), ConfirmRevocation(store, clock), ListRevocations(store)
        self.catalogue = PostgresCatalogue(self.database)

    async def admit(self, version: int) -> tuple[SignedDocument, bytes]:
        """A genuine version, admitted."""
        record = record_bytes(TRANSCRIPT_ID, version).replace(b"AEBAGBAFAYDQQCIKBMGA2DQPCA", f"PUBLICV{version}".encode())
        data = signed_transcript(record)
        document = SignedDocument(TranscriptRef(TRANSCRIPT_ID, PUPIL, version, digest(record), f"PUBLICV{version}"), digest(data), len(data), ())
        (self.folder / "staging").mkdir(exist_ok=True)
        (self.folder / "staging" / f"{version}.zip").write_bytes(build_pack({document.file_name: data}).data)
        store = trust_of([shared_pki().root.certificate])
        check = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, SystemClock()))
        staging, admissions = open_staging(str(self.folder / "staging")), PostgresAdmissions(self.database)
        admit = AdmitTranscripts(staging, a_vault(self.folder, self.database), admissions, check, SystemClock())
        assert (await admit(SignedClass(CLASS, SCHOOL, PROVINCE, 2025, str(uuid.uuid4()), f"{version}.zip", (document,)))).admitted == 1
        return document, data

    async def asked(self, version: int = 1) -> Revocation:
        """A request of the principal."""
        return await self.ask(PRINCIPAL, str(uuid.uuid4()), TRANSCRIPT_ID, version, DECISION)

    async def status(self, public_id: str) -> Status:
        """What the public sees."""
        found, _ = await GetStatus(self.catalogue, SystemClock())(public_id)
        assert found is not None
        return found

    async def events(self) -> list[object]:
        """What was announced, in order."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT type, payload FROM hocba_outbox ORDER BY id")
        return [getattr(events_pb2, row["type"].rsplit(".", 1)[1]).FromString(row["payload"]) for row in rows]


@pytest_asyncio.fixture
async def archive(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[Archive]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    yield Archive(database, databases.owner_url, tmp_path)
    await database.close()


async def test_a_confirmed_revocation_is_seen_logged_and_announced_once(archive: Archive) -> None:
    document, _ = await archive.admit(1)
    asked = await archive.asked()
    assert (await archive.status("PUBLICV1")).revoked_at is None, "a request withdraws nothing"
    assert [item.revocation_id for item in await archive.list(OFFICER.viewer, SCHOOL, open_only=True)] == [asked.revocation_id]
    held = await archive.confirm(OFFICER, asked.revocation_id)
    assert await archive.confirm(OFFICER, asked.revocation_id) == held, "a repeat changes nothing"
    status = await archive.status("PUBLICV1")
    assert (status.revoked_at, status.decision_number) == (held.revoked_at, "123/QĐ-SGDĐT")
    assert await archive.list(OFFICER.viewer, "", open_only=True) == []
    [(leaf, _)] = await archive.catalogue.later_leaves("PUBLICV1")
    said = Statement.read(leaf)
    assert (said.kind, said.sha256, said.content_digest) == (Kind.REVOKE, document.sha256, DECISION.digest("PUBLICV1", 1))
    _, told = await archive.events()
    assert isinstance(told, events_pb2.TranscriptRevoked)
    assert (told.class_id, told.transcript.transcript_id, told.transcript.version, told.register_index) == (CLASS, TRANSCRIPT_ID, 1, 2)


async def test_two_persons_make_a_revocation(archive: Archive) -> None:
    await archive.admit(1)
    own = await archive.ask(OFFICER, str(uuid.uuid4()), TRANSCRIPT_ID, 1, DECISION)
    for same in (OFFICER, replace(OFFICER, person=Person("another account", "o"))):
        with pytest.raises(Refused, match="another officer"):
            await archive.confirm(same, own.revocation_id)
    assert (await archive.status("PUBLICV1")).revoked_at is None
    assert (await archive.confirm(replace(OFFICER, person=Person("colleague", "c")), own.revocation_id)).revoked_at is not None


async def test_nobody_revokes_what_is_unknown_foreign_or_revoked(archive: Archive) -> None:
    await archive.admit(1)
    stranger = Caller(Person("x", "x"), Viewer(schools=(str(uuid.uuid4()),)))
    for caller, transcript, version in ((PRINCIPAL, TRANSCRIPT_ID, 2), (PRINCIPAL, str(uuid.uuid4()), 1), (stranger, TRANSCRIPT_ID, 1)):
        with pytest.raises(NotFound):
            await archive.ask(caller, str(uuid.uuid4()), transcript, version, DECISION)
    with pytest.raises(Malformed, match="123/QĐ-SGDĐT"):
        await archive.ask(PRINCIPAL, str(uuid.uuid4()), TRANSCRIPT_ID, 1, replace(DECISION, number="of Nguyễn Văn An"))
    first, second = await archive.asked(), await archive.asked()
    with pytest.raises(NotFound):
        await archive.confirm(Caller(Person("y", "y"), Viewer(province="2025-01")), first.revocation_id)
    await archive.confirm(OFFICER, first.revocation_id)
    with pytest.raises(Refused, match="revoked already"):
        await archive.confirm(OFFICER, second.revocation_id)
    with pytest.raises(Refused, match="revoked already"):
        await archive.asked()


async def test_a_repeated_request_is_the_same_and_other_words_under_its_id_are_refused(archive: Archive) -> None:
    await archive.admit(1)
    asked = await archive.asked()
    assert await archive.ask(PRINCIPAL, asked.revocation_id, TRANSCRIPT_ID, 1, DECISION) == asked
    with pytest.raises(Conflict, match="other words"):
        await archive.ask(PRINCIPAL, asked.revocation_id, TRANSCRIPT_ID, 1, replace(DECISION, number="124/QĐ-SGDĐT"))


async def test_of_two_officers_at_once_one_revokes(archive: Archive) -> None:
    await archive.admit(1)
    asked = [await archive.asked() for _ in range(4)]
    results = await asyncio.gather(*(archive.confirm(OFFICER, item.revocation_id) for item in asked), return_exceptions=True)
    assert len([item for item in results if isinstance(item, Revocation)]) == 1
    assert {type(item) for item in results if not isinstance(item, Revocation)} <= {Conflict, Refused}
    assert len(await archive.catalogue.later_leaves("PUBLICV1")) == 1


async def test_a_newer_version_may_follow_and_is_not_touched(archive: Archive) -> None:
    await archive.admit(1)
    await archive.confirm(OFFICER, (await archive.asked()).revocation_id)
    await archive.admit(2)
    old, new = await archive.status("PUBLICV1"), await archive.status("PUBLICV2")
    assert (old.newer_public_id, old.revoked_at is None) == ("PUBLICV2", False)
    assert (new.newer_public_id, new.revoked_at) == ("", None)
    assert [Statement.read(leaf).kind for leaf, _ in await archive.catalogue.later_leaves("PUBLICV1")] == [Kind.REVOKE, Kind.SUPERSEDE]


async def test_what_is_revoked_stays_revoked(archive: Archive) -> None:
    await archive.admit(1)
    await archive.confirm(OFFICER, (await archive.asked()).revocation_id)
    owner = await asyncpg.connect(archive.owner_url)
    try:
        for table in ("revocation_requests", "revocations"):
            for change in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"UPDATE {table} SET version = 9"):
                with pytest.raises(asyncpg.RestrictViolationError):
                    await owner.execute(change)
    finally:
        await owner.close()


async def test_later_statements_are_proven_offline_and_fsck_compares_them(archive: Archive, tmp_path: Path) -> None:
    _, data = await archive.admit(1)
    world = make_world(archive.database, archive.owner_url, archive.folder)
    get = GetProof(archive.catalogue, world.tiles, world.state)
    await archive.admit(2)
    await archive.confirm(OFFICER, (await archive.asked()).revocation_id)
    assert await get.later("PUBLICV1") == [], "they wait for the next checkpoint"
    await world.grow(3)
    file, trust, policy = tmp_path / "hoc-ba.pdf", tmp_path / "trust", tmp_path / "policy"
    trust.mkdir()
    file.write_bytes(data)
    (trust / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    keys = [f"witness {one.name} {one.key.text}\n" for one in world.policy.witnesses]
    policy.write_text("".join([f"log {world.policy.log.text}\n", *keys, "group two 2 W0 W1 W2\nquorum two\n"]))
    proofs = [proof.encoded() for proof in await get.later("PUBLICV1")]
    superseding, revoking = write_later(proofs, tmp_path / "proof")
    assert (superseding.endswith(".supersede"), revoking.endswith(".revoke")) == (True, True)
    for statements, status in (([superseding], "superseded"), ([revoking], "revoked"), ([revoking, superseding], "revoked")):
        code, told = await asyncio.to_thread(_verify, file, trust, policy, statements)
        assert (code, told["accepted"], told["later"]["status"], told["reason"]) == (1, False, status, None)
    # A statement about another version, or one that the log has never heard of, is told as a problem and not passed over.
    strange = tmp_path / "strange"
    strange.write_bytes(proofs[0].replace(b"index 1", b"index 2"))
    other = tmp_path / "other.pdf"
    other.write_bytes(signed_transcript())
    for wrong, about in ((strange, file), (Path(revoking), other)):
        code, told = await asyncio.to_thread(_verify, about, trust, policy, [str(wrong)])
        assert (code, told["later"]["status"], len(told["later"]["problems"])) == (1, None, 1)
    assert (await world.check()).whole
    forge = "UPDATE revocation_requests SET decision_number = '9/QĐ-SGDĐT'"
    await world.do_as_owner("SET hocba.scope = 'system'", "ALTER TABLE revocation_requests DISABLE TRIGGER USER", forge)
    assert [(fault.code, fault.where) for fault in (await world.check()).faults] == [("revocation_differs", "2")]
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


def _verify(file: Path, trust: Path, policy: Path, statements: list[str]) -> tuple[int, Any]:
    options = [part for statement in statements for part in ("--statement", statement)]
    command = [sys.executable, "-m", "services", "verify", str(file), "--trust", str(trust), "--log-policy", str(policy), *options, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)
