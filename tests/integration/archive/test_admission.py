"""Admission on a real database and a real folder: admitted once, refused one by one, never changed afterwards."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from hocba.archive.v1 import events_pb2
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.object_stores import open_staging
from services.archive.adapters.trust_store import trust_of
from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import CheckDocument
from services.archive.application.get_proof import GetProof
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.ports import Filter, Viewer
from services.archive.application.retry_rejected import RetryRejected
from services.archive.domain.document import CLASS_SHEET, TRANSCRIPT
from services.archive.domain.log_proof import LogProof, check_proof
from services.archive.domain.pack import build_pack
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import SignedClass, SignedDocument, TranscriptRef
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import NotFound, Refused
from tests.integration.archive.log_world import make_world
from tests.support import forgeries
from tests.support.postgres import DatabaseFactory
from tests.support.signed_documents import digest, make_pki, record_bytes, shared_pki, signed_transcript
from tests.support.vaults import a_vault, a_window

EVERYTHING = Viewer(everything=True)
SCHOOL, CLASS = str(uuid.uuid4()), str(uuid.uuid4())


@dataclass
class Archive:
    """The archive's use cases over a database and folders of this test's own."""

    database: Database
    owner_url: str
    folder: Path

    @property
    def admit(self) -> AdmitTranscripts:
        return self.admission(shared_pki().root.certificate)

    def admission(self, *anchors: object) -> AdmitTranscripts:
        check = CheckDocument(TRANSCRIPT, self.signatures(*anchors))
        staging, vault = open_staging(str(self.folder / "staging")), a_vault(self.folder, self.database)
        return AdmitTranscripts(staging, vault, PostgresAdmissions(self.database), check, SystemClock())

    def signatures(self, *anchors: object) -> CmsSignatures:
        store = trust_of(anchors)  # type: ignore[arg-type]  # Certificates of the test PKI.
        return CmsSignatures(lambda: store, SystemClock())

    @property
    def admit_sheets(self) -> AdmitSheets:
        one = self.admit
        return AdmitSheets(one.staging, one.vault, one.admissions, CheckDocument(CLASS_SHEET, self.signatures(shared_pki().root.certificate)), one.clock, one)

    @property
    def catalogue(self) -> PostgresCatalogue:
        return PostgresCatalogue(self.database)

    @property
    def get(self) -> GetTranscript:
        return GetTranscript(self.catalogue, a_vault(self.folder, self.database))

    async def events(self) -> list[object]:
        """What was announced, in order."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT type, payload FROM hocba_outbox ORDER BY id")
        return [getattr(events_pb2, row["type"].rsplit(".", 1)[1]).FromString(row["payload"]) for row in rows]

    async def state(self) -> list[object]:
        """Every row of every table that admission writes, to compare before and after."""
        tables = ("packs", "leaves", "log_head", "transcripts", "void_versions", "rejected", "hocba_outbox")
        async with self.database.transaction() as connection:
            return [await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


@pytest_asyncio.fixture
async def archive(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[Archive]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    yield Archive(database, databases.owner_url, tmp_path)
    await database.close()


@dataclass(frozen=True)
class Pupil:
    """A pupil's ids; the records differ by version only."""

    transcript_id: str
    pupil_id: str


PUPILS = [Pupil(f"0b7e1f6e-7f5a-4d57-9a4e-{n:012d}", f"1c7e1f6e-7f5a-4d57-9a4e-{n:012d}") for n in range(4)]


def staged(archive: Archive, *documents: tuple[SignedDocument, bytes], school: str = SCHOOL, year: int = 2025) -> SignedClass:
    """A class whose pack lies in staging."""
    pack = build_pack({announced.file_name: data for announced, data in documents})
    name = f"{uuid.uuid4()}.zip"
    (archive.folder / "staging").mkdir(exist_ok=True)
    (archive.folder / "staging" / name).write_bytes(pack.data)
    return SignedClass(CLASS, school, "2025-01", year, str(uuid.uuid4()), name, tuple(item for item, _ in documents))


def unique(pupil: Pupil, version: int) -> tuple[SignedDocument, bytes]:
    """A genuine document whose record carries a public id of its own."""
    public_id = f"P{pupil.transcript_id[-4:]}V{version}"
    record = record_bytes(pupil.transcript_id, version)
    record = record.replace(b"AEBAGBAFAYDQQCIKBMGA2DQPCA", public_id.encode())
    data = signed_transcript(record)
    ref = TranscriptRef(pupil.transcript_id, pupil.pupil_id, version, digest(record), public_id)
    return SignedDocument(ref, digest(data), len(data), ()), data


async def test_class_is_admitted_announced_and_readable_byte_for_byte(archive: Archive) -> None:
    documents = [unique(pupil, 1) for pupil in PUPILS[:3]]
    assert await archive.admit(staged(archive, *documents)) == Admission(3, 0, 0)
    for announced, data in documents:
        entry, read = await archive.get(EVERYTHING, announced.ref.transcript_id, 0)
        assert read == data
        assert (entry.ref, entry.supersedes, entry.superseded_by) == (announced.ref, 0, 0)
    (event,) = await archive.events()
    assert isinstance(event, events_pb2.TranscriptsArchived)
    assert [item.register_index for item in event.transcripts] == [1, 2, 3]
    leaves = [await archive.catalogue.leaf(announced.ref.public_id) for announced, _ in documents]
    assert [Statement.read(leaf[0]).sha256 for leaf in leaves if leaf] == [announced.sha256 for announced, _ in documents]
    assert await archive.catalogue.leaf("unknown") is None


async def test_repeat_changes_nothing(archive: Archive) -> None:
    signed = staged(archive, unique(PUPILS[0], 1), (unique(PUPILS[1], 1)[0], forgeries.trailing_bytes(unique(PUPILS[1], 1)[1])))
    assert await archive.admit(signed) == Admission(1, 0, 1)
    before = await archive.state()
    assert await archive.admit(signed) == Admission(0, 2, 0)
    assert await archive.state() == before
    (archive.folder / "staging" / signed.pack).unlink()
    assert await archive.admit(signed) == Admission(0, 2, 0)


async def test_one_forgery_never_touches_its_classmates(archive: Archive) -> None:
    good, other = unique(PUPILS[0], 1), unique(PUPILS[1], 1)
    forged = forgeries.painted_field(other[1])
    bad = (replace(other[0], sha256=digest(forged), size=len(forged)), forged)
    lost = unique(PUPILS[2], 1)
    signed = staged(archive, good, bad)
    assert await archive.admit(replace(signed, documents=(*signed.documents, lost[0]))) == Admission(1, 0, 2)
    archived, rejected = await archive.events()
    assert isinstance(archived, events_pb2.TranscriptsArchived)
    assert isinstance(rejected, events_pb2.TranscriptsRejected)
    assert [(item.transcript.transcript_id, item.reason) for item in rejected.transcripts] == [
        (PUPILS[1].transcript_id, "field_unexpected"),
        (PUPILS[2].transcript_id, "document_missing"),
    ]
    shown = await archive.catalogue.rejected(EVERYTHING, Filter())
    assert [item.reason for item in shown] == ["field_unexpected", "document_missing"]
    with pytest.raises(NotFound):
        await archive.get(EVERYTHING, PUPILS[1].transcript_id, 0)


async def test_correction_supersedes_and_both_versions_stay(archive: Archive) -> None:
    first, second = unique(PUPILS[0], 1), unique(PUPILS[0], 3)
    await archive.admit(staged(archive, first))
    await archive.admit(staged(archive, second))
    latest, data = await archive.get(EVERYTHING, PUPILS[0].transcript_id, 0)
    earlier, old = await archive.get(EVERYTHING, PUPILS[0].transcript_id, 1)
    assert (latest.ref.version, latest.supersedes, data) == (3, 1, second[1])
    assert (earlier.superseded_by, old) == (3, first[1])
    async with archive.database.transaction() as connection:
        voids = await connection.fetch("SELECT version, before_version, reason FROM void_versions")
        statements = await connection.fetch("SELECT statement FROM leaves ORDER BY leaf_id")
    assert [tuple(row) for row in voids] == [(2, 3, "never_issued")]
    said = [Statement.read(row["statement"]) for row in statements]
    assert [(one.kind, one.previous) for one in said] == [(Kind.ISSUE, None), (Kind.SUPERSEDE, first[0].sha256)]
    status = GetStatus(archive.catalogue, SystemClock())
    found = [(await status(item[0].ref.public_id))[0] for item in (first, second)]
    assert [item.newer_public_id for item in found if item] == [second[0].ref.public_id, ""]
    assert (await status("unknown"))[0] is None


async def test_lower_or_contradicting_version_is_refused(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 3)))
    assert await archive.admit(staged(archive, unique(PUPILS[0], 2))) == Admission(0, 0, 1)
    other = unique(PUPILS[0], 3)
    contradicting = (replace(other[0], sha256=b"x" * 32), other[1])
    assert await archive.admit(staged(archive, contradicting)) == Admission(0, 0, 1)
    reasons = [item.reason for item in await archive.catalogue.rejected(EVERYTHING, Filter())]
    assert reasons == []  # Version 3 stands, so nothing waits for anybody.
    async with archive.database.transaction() as connection:
        rows = await connection.fetch("SELECT reason FROM rejected ORDER BY rejected_id")
    assert [row["reason"] for row in rows] == ["version_not_above", "version_contradicts"]


async def test_record_of_another_transcript_is_refused(archive: Archive) -> None:
    genuine = unique(PUPILS[0], 1)
    swapped = replace(genuine[0], ref=replace(genuine[0].ref, transcript_id=PUPILS[1].transcript_id))
    assert await archive.admit(staged(archive, (swapped, genuine[1]))) == Admission(0, 0, 1)
    assert [item.reason for item in await archive.catalogue.rejected(EVERYTHING, Filter())] == ["record_differs"]


async def test_pack_that_is_not_in_staging_is_nobodys_rejection(archive: Archive) -> None:
    signed = staged(archive, unique(PUPILS[0], 1))
    (archive.folder / "staging" / signed.pack).unlink()
    with pytest.raises(NotFound, match="staging has no pack"):
        await archive.admit(signed)
    assert await archive.catalogue.rejected(EVERYTHING, Filter()) == []


async def test_broken_pack_refuses_each_of_its_documents(archive: Archive) -> None:
    signed = staged(archive, unique(PUPILS[0], 1), unique(PUPILS[1], 1))
    (archive.folder / "staging" / signed.pack).write_bytes(b"PK\x03\x04 broken")
    assert await archive.admit(signed) == Admission(0, 0, 2)


async def test_refused_documents_are_admitted_after_the_cause_is_mended(archive: Archive) -> None:
    signed = staged(archive, unique(PUPILS[0], 1))
    strangers = archive.admission(make_pki().root.certificate)
    assert await strangers(signed) == Admission(0, 0, 1)
    assert await archive.admit(signed) == Admission(0, 1, 0)
    total, lost = await RetryRejected(PostgresAdmissions(archive.database), archive.admit, archive.admit_sheets, a_window(archive.database))()
    assert (total, lost) == (Admission(1, 0, 0), 0)
    assert await archive.catalogue.rejected(EVERYTHING, Filter()) == []


async def test_two_processes_admit_the_same_class_once(archive: Archive) -> None:
    signed = staged(archive, *(unique(pupil, 1) for pupil in PUPILS))

    async def until_done() -> Admission:
        while True:
            try:
                return await archive.admit(signed)
            except Exception as error:
                if type(error).__name__ != "Conflict":
                    raise

    results = await asyncio.gather(*(until_done() for _ in range(4)))
    assert sum(result.admitted for result in results) == 4
    async with archive.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM leaves") == 4
    assert len(await archive.events()) == 1


async def test_crash_after_the_pack_is_kept_is_healed_by_the_repeat(archive: Archive) -> None:
    signed = staged(archive, unique(PUPILS[0], 1))

    class Crashing(PostgresAdmissions):
        def transaction(self):  # type: ignore[no-untyped-def]  # It only raises.
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await replace(archive.admit, admissions=Crashing(archive.database))(signed)
    kept = list((archive.folder / "vault").rglob("*.zip"))
    assert len(kept) == 1
    assert await archive.admit(signed) == Admission(1, 0, 0)
    assert list((archive.folder / "vault").rglob("*.zip")) == kept


async def test_admitted_rows_cannot_be_changed_even_by_their_owner(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    owner = await asyncpg.connect(archive.owner_url)
    try:
        for table in ("packs", "leaves", "transcripts", "void_versions", "rejected"):
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(asyncpg.RestrictViolationError):
                    await owner.execute(statement)
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("UPDATE transcripts SET version = 9")
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("UPDATE leaves SET statement = 'another'")
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("UPDATE log_head SET epoch = -1")
    finally:
        await owner.close()
    async with archive.database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM transcripts")


async def test_damaged_store_gives_no_document_rather_than_a_wrong_one(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    (kept,) = (archive.folder / "vault").rglob("*.zip")
    data = bytearray(kept.read_bytes())
    data[500] ^= 1
    kept.write_bytes(data)
    with pytest.raises(Refused, match="damaged"):
        await archive.get(EVERYTHING, PUPILS[0].transcript_id, 0)


async def test_fsck_opens_every_document_and_finds_what_is_damaged_or_lost(archive: Archive) -> None:
    await archive.admit(staged(archive, *(unique(pupil, 1) for pupil in PUPILS[:2])))
    await archive.admit(staged(archive, unique(PUPILS[2], 1)))
    world = make_world(archive.database, archive.owner_url, archive.folder)
    await world.grow(0)
    found = await world.check(documents=True)
    assert (found.whole, found.leaves, found.documents) == (True, 3, 3), found.faults
    first, second = sorted((archive.folder / "vault").rglob("*.zip"), key=lambda path: -path.stat().st_size)
    data = bytearray(first.read_bytes())
    data[500] ^= 1
    first.write_bytes(data)
    second.unlink()
    found = await world.check(documents=True)
    assert [fault.code for fault in found.faults if first.name in fault.where] == ["object_differs", "archive_damaged"]
    assert [fault.code for fault in found.faults if second.name in fault.where] == ["object_missing"]
    # A leaf that names another document than the index, too.
    forge = "UPDATE transcripts SET sha256 = decode(repeat('ab', 32), 'hex') WHERE leaf_id = 2"
    await world.do_as_owner("SET hocba.scope = 'system'", "ALTER TABLE transcripts DISABLE TRIGGER USER", forge)
    assert (await world.check()).first_broken == 1
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_proof_of_an_admitted_document_holds_offline(archive: Archive) -> None:
    document, data = unique(PUPILS[0], 1)
    await archive.admit(staged(archive, (document, data)))
    world = make_world(archive.database, archive.owner_url, archive.folder)
    get = GetProof(archive.catalogue, world.tiles, world.state)
    assert await get(document.ref.public_id) is None, "admitted, and no checkpoint yet"
    await world.grow(300)
    found = await get(document.ref.public_id)
    assert found is not None
    leaf = check_proof(LogProof.read(found.encoded()), world.policy, verifier_of)
    assert (leaf.index, Statement.read(leaf.statement).sha256) == (0, digest(data))
    await archive.admit(staged(archive, unique(PUPILS[1], 1)))
    assert await get(unique(PUPILS[1], 1)[0].ref.public_id) is None, "its leaf waits for the next checkpoint"
    with pytest.raises(NotFound, match="no document has this public id"):
        await get("unknown")
    (archive.folder / "log" / "tile/0/001.p/45").write_bytes(bytes(45 * 32))
    with pytest.raises(Refused, match="fsck"):
        await get(document.ref.public_id)
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_viewers_see_their_own_rows_only(archive: Archive) -> None:
    other_school, tid = str(uuid.uuid4()), PUPILS[0].transcript_id
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    await archive.admit(staged(archive, unique(PUPILS[1], 1), school=other_school))
    for viewer, seen in (
        (Viewer(schools=(SCHOOL,)), 1),
        (Viewer(schools=(other_school,)), 1),
        (Viewer(province="2025-01"), 2),
        (Viewer(province="2025-79"), 0),
        (Viewer(classes=(CLASS,)), 2),
        (Viewer(classes=(str(uuid.uuid4()),)), 0),
        (Viewer(), 0),
    ):
        assert len(await archive.catalogue.entries(viewer, Filter(), 0, 100)) == seen, viewer
    assert await archive.catalogue.entry(Viewer(schools=(other_school,)), tid, 0) is None
