"""A province's archived versions on their way to the national register: batch by batch, resumable anywhere, each version told once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from hocba.archive.v1 import events_pb2
from services.archive.adapters.admissions import queue_leaves
from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.submissions import PostgresSubmissions
from services.archive.adapters.vault import CIPHER
from services.archive.application.ports import Location
from services.archive.application.submission_ports import Acknowledged
from services.archive.application.submit_transcripts import Submitted, SubmitTranscripts
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.submission import Outcome, RegisterReceipt, read_manifest, read_record, write_results
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import OutcomeUnknown, Refused
from services.register.domain.judgement import decide, examine
from tests.integration.archive.log_world import LogWorld, make_world
from tests.support.postgres import DatabaseFactory

PROVINCE, OTHER = "2025-79", "2025-01"
SCHOOL, CLASSES = uuid.UUID(int=1), (uuid.UUID(int=2), uuid.UUID(int=3))


@dataclass
class Ministry:
    """Fulfils the port NationalRegister by the register's own checks, without its tables; `mood` is how it misbehaves."""

    world: LogWorld
    manifests: list[bytes] = field(default_factory=list)
    mood: str = ""

    async def submit(self, manifest: bytes, signature: bytes) -> Acknowledged:
        """The receipt; or, broken off, none although the batch was taken."""
        assert signature == b"signed " + hashlib.sha256(manifest).digest()
        if self.mood == "refuses":
            raise Refused("the certificate is revoked", code="certificate_revoked")
        self.manifests.append(manifest)
        if self.mood == "breaks off":
            raise OutcomeUnknown("no answer")
        batch = examine(manifest, self.world.policy, verifier_of)
        outcomes = decide(batch.records, {}, {})
        receipt = RegisterReceipt.of("register.example", PROVINCE, manifest, outcomes, datetime.now(UTC))
        return Acknowledged(receipt, b"note", write_results(outcomes), tuple(outcomes))


@dataclass
class Shelf:
    """Fulfils the ports Vault (as far as it reads), PupilNumbers and DepartmentKey."""

    damaged: set[bytes] = field(default_factory=set)

    async def read(self, place: Location) -> bytes:
        if place.sha256 in self.damaged:
            raise Refused("the stored bytes are damaged", code="archive_damaged")
        return place.sha256

    def of(self, document: bytes) -> Mapping[str, str | None]:
        return {"personal_number": f"{document[0]:012d}", "ministry_code": None}

    async def sign(self, manifest: bytes) -> bytes:
        return b"signed " + hashlib.sha256(manifest).digest()


@dataclass
class World:
    log: LogWorld
    ministry: Ministry
    shelf: Shelf

    @property
    def submissions(self) -> PostgresSubmissions:
        return PostgresSubmissions(self.log.database, self.log.state)

    def work(self, most: int = 100) -> SubmitTranscripts:
        shelf: object = self.shelf
        return SubmitTranscripts(self.submissions, shelf, self.log.tiles, self.shelf, self.shelf, self.ministry, SystemClock(), "https://a.example", most)  # type: ignore[arg-type]

    async def run(self, most: int = 100) -> Submitted:
        return await self.work(most)(PROVINCE, lambda done, total: None)

    async def admit(self, number: int, version: int = 1, province: str = PROVINCE) -> bytes:
        """An archived version, as the index and the log have it; its document's digest."""
        document = bytes([number, version]) * 16
        before = bytes([number, version - 1]) * 16 if version > 1 else None
        kind = Kind.SUPERSEDE if before else Kind.ISSUE
        told = Statement(kind, uuid.uuid4().hex, version, document, document, before, str(SCHOOL), datetime.now(UTC)).canonical()
        async with self.log.database.transaction() as connection:
            [leaf] = await queue_leaves(connection, [told])
            pack = hashlib.sha256(document).digest()
            await connection.execute("INSERT INTO packs VALUES ($1, $2, 1, 1, now(), $3)", pack, pack.hex(), CIPHER)
            await connection.execute(
                "INSERT INTO transcripts (transcript_id, version, pupil_id, school_year, class_id, school_id, province_id, public_id, content_digest, sha256,"
                " pack_digest, pack_offset, size, supersedes, leaf_id, level, school_name, manifest_id, admitted_at)"
                " VALUES ($1, $2, $3, 2025, $4, $5, $6, $7, $8, $8, $9, 1, 1, $10, $11, 'PRIMARY', 'Trường', $4, now())",
                *(uuid.UUID(int=number), version, uuid.UUID(int=1000 + number), CLASSES[number % 2], SCHOOL, province, uuid.uuid4().hex),
                *(document, pack, version - 1, leaf),
            )
        return document

    async def publish(self) -> None:
        await self.log.grow(1)

    async def events(self) -> list[events_pb2.TranscriptsSubmitted | events_pb2.TranscriptsAcknowledged]:
        async with self.log.database.transaction() as connection:
            rows = await connection.fetch("SELECT type, payload FROM hocba_outbox WHERE topic = 'hocba.archive.submission.v1'")
        kinds = {kind.DESCRIPTOR.full_name: kind for kind in (events_pb2.TranscriptsSubmitted, events_pb2.TranscriptsAcknowledged)}
        return [kinds[row["type"]].FromString(row["payload"]) for row in rows]

    async def told(self) -> tuple[list[int], list[int]]:
        """(pupils' numbers that were announced as submitted, as acknowledged), sorted."""
        events = await self.events()
        submitted = [uuid.UUID(one.transcript_id).int for event in events if isinstance(event, events_pb2.TranscriptsSubmitted) for one in event.transcripts]
        known = [
            uuid.UUID(one.transcript.transcript_id).int
            for event in events
            if isinstance(event, events_pb2.TranscriptsAcknowledged)
            for one in event.transcripts
        ]
        return sorted(submitted), sorted(known)


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[World]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=10)
    await database.open()
    log = make_world(database, databases.owner_url, tmp_path)
    yield World(log, Ministry(log), Shelf())
    for witnessing in log.witnesses.by_url.values():
        witnessing.ledger.close()
    await database.close()


async def test_everything_below_the_final_checkpoint_is_submitted_once(world: World) -> None:
    for number in range(1, 6):
        await world.admit(number)
    await world.admit(9, province=OTHER)
    await world.admit(1, 2)
    assert await world.run() == Submitted(0, 0, 0, 0), "nothing is final yet"
    await world.publish()
    assert await world.submissions.waiting(PROVINCE) == 6
    assert await world.run(most=4) == Submitted(2, 6, 0, 0)
    assert await world.told() == ([1, 1, 2, 3, 4, 5], [1, 1, 2, 3, 4, 5])
    assert await world.run() == Submitted(0, 0, 0, 0)
    await world.admit(6)
    await world.publish()
    assert await world.run() == Submitted(1, 1, 0, 0)
    sizes = [len(read_manifest(manifest).records) for manifest in world.ministry.manifests]
    assert sizes == [4, 2, 1]
    assert [one["applied"] for one in await world.submissions.receipts(PROVINCE)] == [4, 2, 1]
    assert {event.class_id for event in await world.events()} == {str(one) for one in CLASSES}


async def test_revisions_rise_with_versions(world: World) -> None:
    await world.admit(1)
    await world.admit(1, 2)
    await world.publish()
    await world.run()
    manifest = read_manifest(world.ministry.manifests[0])
    first, second = (read_record(one, manifest.hashes) for one in manifest.records)
    assert second.revision > first.revision
    assert (first.operation, second.operation) == ("NEW", "UPDATE")


@pytest.mark.parametrize("mood", ["breaks off", "refuses"])
async def test_run_that_is_cut_off_makes_the_same_manifest_again(world: World, mood: str) -> None:
    await world.admit(1)
    await world.publish()
    world.ministry.mood = mood
    with pytest.raises((OutcomeUnknown, Refused)):
        await world.run()
    assert await world.told() == ([1], [])
    await world.admit(2)
    await world.publish()
    world.ministry.mood = ""
    assert (await world.run()).batches == 2
    if mood == "breaks off":
        first, again, _ = world.ministry.manifests
        assert first == again, "what the register has taken already must be recognised"
    assert await world.told() == ([1, 2], [1, 2])


async def test_receipt_that_comes_twice_is_told_once(world: World) -> None:
    await world.admit(1)
    await world.publish()
    batch = await world.submissions.open(PROVINCE, 10, datetime.now(UTC))
    assert batch is not None
    records = await world.submissions.records(batch)
    results, answer = await world.work()._sent(batch, records, lambda done: None)
    await world.submissions.acknowledge(batch, results, answer)
    await world.submissions.acknowledge(batch, results, replace(answer, note=b"another"))
    assert await world.told() == ([1], [1])
    assert [one["receipt"] for one in await world.submissions.receipts(PROVINCE)] == [b"note"]


async def test_document_that_cannot_be_read_stays_behind_alone(world: World) -> None:
    world.shelf.damaged.add(await world.admit(1))
    await world.admit(2)
    await world.publish()
    assert await world.run() == Submitted(1, 1, 0, 1)
    results: dict[int, Outcome | tuple[str, str]] = {
        uuid.UUID(one.transcript.transcript_id).int: (one.result, one.reason)
        for event in await world.events()
        if isinstance(event, events_pb2.TranscriptsAcknowledged)
        for one in event.transcripts
    }
    assert results == {1: ("rejected", "archive_damaged"), 2: ("applied", "")}


async def test_revocation_is_submitted_as_cancel(world: World) -> None:
    document = await world.admit(1)
    await world.publish()
    await world.run()
    told = Statement(Kind.REVOKE, uuid.uuid4().hex, 1, document, bytes(32), None, str(SCHOOL), datetime.now(UTC)).canonical()
    request, transcript = uuid.uuid4(), uuid.UUID(int=1)
    async with world.log.database.transaction() as connection:
        [leaf] = await queue_leaves(connection, [told])
        await connection.execute(
            "INSERT INTO revocation_requests VALUES ($1, $2, 1, $3, $4, 'why', '1', '2026-07-01', $5, 'a', 'a', now())",
            *(request, transcript, SCHOOL, PROVINCE, bytes(32)),
        )
        await connection.execute("INSERT INTO revocations VALUES ($1, 1, $2, $3, $4, 'b', 'b', $5, now())", transcript, SCHOOL, PROVINCE, request, leaf)
    await world.publish()
    assert (await world.run()).batches == 1
    manifest = read_manifest(world.ministry.manifests[1])
    [record] = (read_record(one, manifest.hashes) for one in manifest.records)
    assert (record.operation, record.revision) == ("CANCEL", leaf)
    event = (await world.events())[-1]
    assert isinstance(event, events_pb2.TranscriptsAcknowledged)
    assert [one.operation for one in event.transcripts] == ["CANCEL"]
