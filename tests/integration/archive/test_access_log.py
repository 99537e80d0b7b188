"""The access log on a real database: no answer without its line, each school sees its own, nobody changes one, and the log is told."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from hocba.archive.v1 import archive_pb2
from services.archive.adapters import evidence_records
from services.archive.adapters.access_ledger import PostgresAccesses
from services.archive.adapters.copies import PostgresCopies, new_public_id
from services.archive.adapters.dossiers import PostgresDossiers
from services.archive.adapters.evidence_ledger import PostgresEvidence
from services.archive.adapters.object_stores import open_store
from services.archive.application.access_ports import AccessFilter
from services.archive.application.dossier_ports import Recipient
from services.archive.application.get_bundle import GetBundle
from services.archive.application.get_copy import GetCopy
from services.archive.application.get_dossier import GetDossier
from services.archive.application.get_evidence import BatchRecords, GetEvidence
from services.archive.application.get_proof import GetProof
from services.archive.application.list_accesses import ListAccesses
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.order_copy import OrderCopy
from services.archive.application.ports import Deposit, Location, Viewer
from services.archive.application.record_access import RecordAccess
from services.archive.application.revocation_ports import Caller
from services.archive.application.stamp_batches import StampBatches
from services.archive.domain.dossier import Dossier
from services.archive.domain.revocation import Person
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import SignedDocument, TranscriptRef
from services.archive.entrypoints.rpc import ArchiveRPC
from services.audit.checks import readings_are_on_record
from services.audit.stores import QUERIES
from services.chassis.clock import SystemClock
from services.chassis.errors import Malformed, NotFound, Unavailable
from services.chassis.identity import Actor, Role, set_current_actor
from tests.integration.archive.log_world import make_world
from tests.integration.archive.test_admission import PUPILS, SCHOOL, Archive, archive, staged, unique
from tests.integration.archive.test_evidence_batches import ROOT, At, Desk
from tests.support.proven import Proving
from tests.support.signed_documents import digest, record_bytes, signed_transcript
from tests.support.stamping import day
from tests.support.vaults import a_vault

__all__ = ["archive"]
OTHER_SCHOOL = str(uuid.uuid4())
PRINCIPAL = Actor("account-1", "person-1", (Role("principal", f"school:{SCHOOL}"),))
STRANGER = Actor("account-2", "person-2", (Role("principal", f"school:{OTHER_SCHOOL}"),))
OFFICER = Actor("account-3", "person-3", (Role("doet_officer", "province:2025-01"),))


@dataclass(frozen=True)
class Call:
    """A call's context as the handlers see it."""

    purpose: str = ""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("hocba-purpose", self.purpose),)


def door(archive: Archive) -> Any:
    """The RPC over this archive, with the parts that hand out documents and lists."""
    ledger = PostgresAccesses(archive.database)
    parts: dict[str, Any] = {part.name: None for part in fields(ArchiveRPC)}
    parts |= {"get_transcript": archive.get, "list_transcripts": ListTranscripts(archive.catalogue)}
    return ArchiveRPC(**parts | {"record_access": RecordAccess(ledger, SystemClock()), "list_accesses": ListAccesses(ledger)})


async def as_(actor: Actor, call: Callable[[Any, Any], Any], request: Any, purpose: str = "") -> Any:
    set_current_actor(actor)
    try:
        return await call(request, Call(purpose))
    finally:
        set_current_actor(None)


def wanted(number: int) -> archive_pb2.GetTranscriptRequest:
    return archive_pb2.GetTranscriptRequest(transcript_id=PUPILS[number].transcript_id)


@dataclass(frozen=True)
class AsStores:
    """What the audit reads, of this database alone."""

    archive: Archive

    async def rows(self, name: str) -> list[Any]:
        async with self.archive.database.transaction() as connection:
            return list(await connection.fetch(QUERIES[name]))


async def problems(archive: Archive) -> list[str]:
    return (await readings_are_on_record(AsStores(archive))).problems  # type: ignore[arg-type]  # Stands for Stores.


async def test_a_reading_is_on_record_for_its_school_and_province_and_nobody_else(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1), unique(PUPILS[1], 1)))
    rpc = door(archive)
    await as_(PRINCIPAL, rpc.GetTranscript, wanted(0), "transfer/17")
    await as_(OFFICER, rpc.ListTranscripts, archive_pb2.ListTranscriptsRequest(pupil_id=PUPILS[1].pupil_id))
    with pytest.raises(NotFound):
        await as_(STRANGER, rpc.GetTranscript, wanted(0))
    everything = archive_pb2.ListAccessesRequest()
    newest, oldest = (await as_(PRINCIPAL, rpc.ListAccesses, everything)).entries
    assert (oldest.account_id, oldest.person_id, list(oldest.roles)) == ("account-1", "person-1", [f"principal@school:{SCHOOL}"])
    assert (oldest.action, oldest.document_id, oldest.version, oldest.purpose) == ("transcript", PUPILS[0].transcript_id, 1, "transfer/17")
    assert (newest.action, newest.entries, newest.sought, newest.account_id) == ("transcripts", 1, f"pupil_id={PUPILS[1].pupil_id}", "account-3")
    assert len((await as_(OFFICER, rpc.ListAccesses, everything)).entries) == 2
    assert len((await as_(STRANGER, rpc.ListAccesses, everything)).entries) == 0
    of_one = archive_pb2.ListAccessesRequest(document_id=PUPILS[0].transcript_id)
    assert [entry.number for entry in (await as_(PRINCIPAL, rpc.ListAccesses, of_one)).entries] == [oldest.number]
    assert await problems(archive) == []


def told(year: int, transcript_id: str, public_id: str) -> bytes:
    """A record of one and the same pupil."""
    pupil = {"name": "Nguyễn Thị Hoa", "born_on": "2012-03-04", "personal_number": "001312000017"}
    record = json.loads(record_bytes(transcript_id, school_year=f"{year}-{year + 1}", pupil=pupil, school_class={"name": "3A", "grade": year - 2018}))
    record["transcript"]["public_id"] = public_id
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


async def proven(archive: Archive) -> Any:
    """The RPC over an archive with a transcript of 2025 that has all its proofs, and one of 2023 that came from elsewhere."""
    record = told(2025, PUPILS[0].transcript_id, "HERE")
    data = signed_transcript(record)
    await archive.admit(staged(archive, (SignedDocument(TranscriptRef(*_ids(0), 1, digest(record), "HERE"), digest(data), len(data), ()), data)))
    now = At(datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    evidence, stamps = PostgresEvidence(archive.database), Desk(now, ROOT.authority(day("2026-01-01"), day("2100-01-01")))
    await StampBatches(evidence, stamps, now, 10, timedelta(minutes=10))()
    world = make_world(archive.database, archive.owner_url, archive.folder)
    await world.grow(0)
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()
    vault, dossiers = a_vault(archive.folder, archive.database), PostgresDossiers(archive.database)
    came = Dossier.of(Proving(archive.folder / "elsewhere").bundles([signed_transcript(told(2023, str(uuid.uuid4()), "THERE"))])).encoded()
    pack = await vault.keep("2025-01", 2023, [Deposit("dossier.zip", PUPILS[0].pupil_id, came)])
    place = pack.object_name(2023), pack.places["dossier.zip"].offset, len(came), digest(came), PUPILS[0].pupil_id, "2025-01"
    whose = Recipient(Caller(Person("registrar", "r"), Viewer(schools=(SCHOOL,))), SCHOOL, "2025-01", PUPILS[0].pupil_id)
    await dossiers.add(whose, Location(*place, encrypted=True), "{}", now.now())
    get_evidence = GetEvidence(archive.catalogue, PostgresCopies(archive.database), evidence, BatchRecords(evidence, evidence_records))
    get_bundle = GetBundle(archive.get, GetProof(archive.catalogue, world.tiles, world.state), get_evidence)
    parts = {"get_bundle": get_bundle, "get_evidence": get_evidence, "get_dossier": GetDossier(archive.catalogue, get_bundle, dossiers, vault)}
    return replace(door(archive), **parts, get_copy=GetCopy(PostgresCopies(archive.database), vault))


def _ids(number: int) -> tuple[str, str]:
    return PUPILS[number].transcript_id, PUPILS[number].pupil_id


async def test_bundle_dossier_and_copy_leave_a_line_for_each_transcript(archive: Archive) -> None:
    rpc, transcript_id, copy_id = await proven(archive), PUPILS[0].transcript_id, str(uuid.uuid4())
    assert (await as_(PRINCIPAL, rpc.GetBundle, archive_pb2.GetBundleRequest(transcript_id=transcript_id))).bundle
    handed = await as_(PRINCIPAL, rpc.GetDossier, archive_pb2.GetDossierRequest(pupil_id=PUPILS[0].pupil_id), "transfer/17")
    elsewhere = next(year.bundle.document for year in Dossier.read(handed.dossier).years if year.begins == 2023)
    order = OrderCopy(archive.get, PostgresCopies(archive.database), open_store(str(archive.folder / "staging")), new_public_id, SystemClock())
    await order(Caller(Person("clerk", "c"), Viewer(schools=(SCHOOL,))), copy_id, transcript_id, 0)
    await as_(PRINCIPAL, rpc.GetCopy, archive_pb2.GetCopyRequest(copy_id=copy_id))
    with pytest.raises(NotFound, match="waits for the school's seal"):
        await as_(PRINCIPAL, rpc.GetEvidence, archive_pb2.GetEvidenceRequest(copy_id=copy_id))
    with pytest.raises(Malformed):
        await as_(PRINCIPAL, rpc.GetEvidence, archive_pb2.GetEvidenceRequest(copy_id="no id"))
    lines = (await as_(PRINCIPAL, rpc.ListAccesses, archive_pb2.ListAccessesRequest())).entries
    assert sorted((line.action, line.document_id, line.version, line.entries, line.purpose) for line in lines) == sorted(
        [
            ("bundle", transcript_id, 1, 1, ""),
            ("dossier", transcript_id, 1, 1, "transfer/17"),
            ("dossier", hashlib.sha256(elsewhere).hexdigest(), 0, 1, "transfer/17"),
            ("copy", transcript_id, 1, 1, ""),
        ]
    )
    # Nobody else gets anything, nor leaves a line.
    for call, request in (
        (rpc.GetBundle, archive_pb2.GetBundleRequest(transcript_id=transcript_id)),
        (rpc.GetDossier, archive_pb2.GetDossierRequest(pupil_id=PUPILS[0].pupil_id)),
        (rpc.GetCopy, archive_pb2.GetCopyRequest(copy_id=copy_id)),
        (rpc.GetEvidence, archive_pb2.GetEvidenceRequest(copy_id=copy_id)),
    ):
        with pytest.raises(NotFound):
            await as_(STRANGER, call, request)
    assert len((await as_(OFFICER, rpc.ListAccesses, archive_pb2.ListAccessesRequest())).entries) == 4
    assert await problems(archive) == []


async def test_no_answer_goes_out_without_its_line(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    rpc = door(archive)
    owner = await asyncpg.connect(archive.owner_url)
    try:
        await owner.execute("REVOKE INSERT ON access_lines FROM hocba_archive")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
        await owner.execute("GRANT INSERT ON access_lines TO hocba_archive")
        async with owner.transaction():
            # The table is away for as long as this lasts: the caller is told to try again.
            await owner.execute("LOCK TABLE access_lines IN ACCESS EXCLUSIVE MODE")
            async with archive.database.connection() as connection:
                await connection.execute("SET lock_timeout = '200ms'")
            with pytest.raises(Unavailable):
                await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
    finally:
        await owner.close()
    await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
    assert await problems(archive) == []


async def test_readers_at_once_leave_one_chain_that_holds(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    one, other = door(archive), door(archive)
    await asyncio.gather(*(as_(PRINCIPAL, rpc.GetTranscript, wanted(0)) for rpc in (one, other) for _ in range(30)))
    lines = await PostgresAccesses(archive.database).accesses(Viewer(everything=True), AccessFilter(), None, 100)
    assert len(lines) == 60
    assert len({line.stream for line in lines}) == 2
    assert await problems(archive) == []


async def test_pages_go_on_where_the_one_before_ended(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    rpc = door(archive)
    for _ in range(5):
        await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
    monkeypatch.setattr("services.archive.application.list_accesses.PAGE", 2)
    seen, token = [], ""
    while True:
        page = await as_(PRINCIPAL, rpc.ListAccesses, archive_pb2.ListAccessesRequest(page_token=token))
        seen += [entry.number for entry in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert seen == [5, 4, 3, 2, 1]
    with pytest.raises(Malformed):
        await as_(PRINCIPAL, rpc.ListAccesses, archive_pb2.ListAccessesRequest(page_token="of another service"))


async def test_a_purpose_that_could_hold_personal_data_is_refused(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    with pytest.raises(Malformed):
        await as_(PRINCIPAL, door(archive).GetTranscript, wanted(0), "cho em Nguyễn Văn A")


async def test_lines_cannot_be_changed_and_are_erased_by_age_alone(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    await as_(PRINCIPAL, door(archive).GetTranscript, wanted(0))
    owner = await asyncpg.connect(archive.owner_url, server_settings={"hocba.scope": "system"})
    try:
        for statement in (
            "DELETE FROM access_lines",
            "TRUNCATE access_lines CASCADE",
            "UPDATE access_lines SET body = '{}'",
            "UPDATE access_lines SET body = NULL",
            "UPDATE access_lines SET school_id = gen_random_uuid()",
            "DELETE FROM access_streams",
        ):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(statement)
    finally:
        await owner.close()


async def test_the_transparency_log_is_told_once_and_shows_what_an_insider_does_later(archive: Archive) -> None:
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    rpc, ledger, now = door(archive), PostgresAccesses(archive.database), datetime.now(UTC)
    await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
    await as_(PRINCIPAL, rpc.GetTranscript, wanted(0))
    assert await ledger.anchor(now - timedelta(hours=1), now) == 0  # No line is old enough.
    assert sorted(await asyncio.gather(*(ledger.anchor(now + timedelta(hours=1), now) for _ in range(2)))) == [0, 1]
    assert await ledger.anchor(now + timedelta(hours=1), now) == 0
    [told] = [Statement.read(bytes(row["statement"])) for row in await AsStores(archive).rows("archive.leaves") if Kind.AUDIT_HEAD.encode() in row["statement"]]
    assert (told.version, told.previous) == (2, None)
    assert await problems(archive) == []
    # The last line is cut off by somebody who can switch triggers and keys off.
    owner = await asyncpg.connect(archive.owner_url, server_settings={"hocba.scope": "system"})
    try:
        await owner.execute("ALTER TABLE access_lines DISABLE TRIGGER USER")
        await owner.execute("ALTER TABLE access_anchors DROP CONSTRAINT access_anchors_stream_number_fkey")
        await owner.execute("DELETE FROM access_lines WHERE number = 2")
    finally:
        await owner.close()
    assert [problem.rpartition(": ")[2] for problem in await problems(archive)] == ["the transparency log knows it, and it is gone"]
