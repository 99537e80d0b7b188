"""Retention on a real database and folder: what has had its time goes and is told, what is held or needed stays, and nothing else can be deleted."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest

from services.archive.adapters.access_ledger import PostgresAccesses
from services.archive.adapters.object_stores import open_staging
from services.archive.adapters.retention import ObjectPacks, PostgresRetention, holds_in
from services.archive.application.access_ports import AccessFilter
from services.archive.application.apply_retention import ApplyRetention
from services.archive.application.ports import Viewer
from services.archive.application.record_access import RecordAccess
from services.archive.domain.access_line import Access, AccessLine
from services.archive.domain.pack import build_pack
from services.archive.domain.retention import RETENTION, Kind
from services.archive.entrypoints.retention import RetentionKeeper
from services.chassis.clock import SystemClock
from services.chassis.errors import Conflict, Malformed, Unavailable
from tests.integration.archive.test_access_log import problems
from tests.integration.archive.test_admission import PUPILS, SCHOOL, Archive, archive, staged, unique
from tests.integration.archive.test_evidence_batches import At
from tests.support.eventually import eventually
from tests.support.s3 import S3

__all__ = ["archive"]
OTHER_SCHOOL = str(uuid.uuid4())
NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=1000)
PERIODS = {Kind.ACCESS_LINES: timedelta(days=800), Kind.STAGED_PACKS: timedelta(days=30)}


def reading(school: str, document_id: str = "") -> Access:
    return Access("account", "person", (), "transcript", document_id, 1, 1, "", school, "2025-01", "", "")


@dataclass(frozen=True)
class Office:
    """An archive, and what applies retention in it."""

    archive: Archive

    def apply(self, periods: Mapping[Kind, timedelta] = PERIODS) -> ApplyRetention:
        ledger, record = PostgresRetention(self.archive.database), RecordAccess(PostgresAccesses(self.archive.database), SystemClock())
        return ApplyRetention(ledger, ObjectPacks(open_staging(str(self.staging)).store), record, periods, lambda: holds_in(self.list_of_holds), SystemClock())

    @property
    def list_of_holds(self) -> Path:
        file = self.archive.folder / "holds"
        file.touch()
        return file

    @property
    def staging(self) -> Path:
        folder = self.archive.folder / "staging"
        folder.mkdir(exist_ok=True)
        return folder

    def names(self) -> set[str]:
        return {path.relative_to(self.staging).as_posix() for path in self.staging.rglob("*") if path.is_file()}

    async def read_at(self, at: datetime, *accesses: Access) -> None:
        await RecordAccess(PostgresAccesses(self.archive.database), At(at))(accesses)

    async def lines(self) -> list[AccessLine]:
        """Lines that have their bodies."""
        return [*await PostgresAccesses(self.archive.database).accesses(Viewer(everything=True), AccessFilter(), None, 1000)]

    async def told(self) -> list[tuple[str, str, int]]:
        """(kind, school, count) of what retention has told."""
        bodies = [json.loads(line.body or "") for line in await self.lines()]
        return sorted((body["sought"].split()[0], body["school_id"], body["entries"]) for body in bodies if body["action"] == RETENTION)


def aged(*files: Path) -> None:
    for file in files:
        os.utime(file, (time.time() - 40 * 86_400,) * 2)


async def test_old_lines_lose_what_is_personal_and_the_chain_tells_how_many(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(archive)
    await office.read_at(OLD, *[reading(SCHOOL)] * 5, reading(OTHER_SCHOOL))
    await office.read_at(NOW - timedelta(days=799), reading(SCHOOL))
    [dry] = (await office.apply({Kind.ACCESS_LINES: PERIODS[Kind.ACCESS_LINES]})(dry_run=True)).outcomes
    assert (dry.deleted, len(await office.lines())) == (6, 7)
    monkeypatch.setattr("services.archive.application.apply_retention.LINES_AT_A_TIME", 4)
    seen: list[tuple[int, int | None]] = []
    lines, packs = (await office.apply()(lambda kind, done, total: seen.append((done, total)))).outcomes
    assert (lines.deleted, lines.held, packs.deleted, seen) == (6, 0, 0, [(4, 6), (6, 6)])
    assert sum(count for _, school, count in await office.told() if school == SCHOOL) == 5
    assert {(kind, school) for kind, school, _ in await office.told()} == {("access_lines", SCHOOL), ("access_lines", OTHER_SCHOOL)}
    assert await problems(archive) == []
    # A repeat finds nothing, and what retention has told is never erased however old it is.
    assert (await office.apply()()).outcomes[0].deleted == 0
    later = replace(office.apply(), clock=At(NOW + timedelta(days=5000)))
    assert (await later(dry_run=True)).outcomes[0].deleted == 1


async def test_erasing_that_nobody_told_shows_in_the_audit(archive: Archive) -> None:
    office = Office(archive)
    await office.read_at(OLD, reading(SCHOOL))
    async with archive.database.transaction() as connection:
        await connection.execute("UPDATE access_lines SET body = NULL")
    assert await problems(archive) == [f"access log of school {SCHOOL}: 1 lines are erased, and retention has told 0"]


async def test_a_hold_keeps_all_of_the_pupils_schools_and_a_strange_id_is_named(archive: Archive) -> None:
    office, nobody = Office(archive), str(uuid.uuid4())
    await archive.admit(staged(archive, unique(PUPILS[0], 1)))
    aged(*office.staging.iterdir())
    await office.read_at(OLD, reading(SCHOOL), reading(OTHER_SCHOOL))
    for held in (PUPILS[0].pupil_id, PUPILS[0].transcript_id):
        office.list_of_holds.write_text(f"{held}  # Công văn 12/TAND\n{nobody}\n")
        applied = await office.apply()(dry_run=True)
        assert (set(applied.holds.schools), set(applied.holds.unknown)) == ({SCHOOL}, {nobody})
    lines, packs = (await office.apply()()).outcomes
    assert (lines.deleted, lines.held, packs.deleted, packs.held) == (1, 1, 0, 1)
    office.list_of_holds.write_text("")
    lines, packs = (await office.apply()()).outcomes
    assert (lines.deleted, lines.held, packs.deleted, packs.held) == (1, 0, 1, 0)
    assert await problems(archive) == []


async def test_a_list_of_holds_that_can_not_be_read_stops_everything(archive: Archive) -> None:
    office = Office(archive)
    await office.read_at(OLD, reading(SCHOOL))
    office.list_of_holds.write_text("em A")
    with pytest.raises(Malformed, match="line 1: 'em A' is no UUID"):
        await office.apply()()
    office.list_of_holds.unlink()
    with pytest.raises(Malformed, match="nothing is deleted"):
        await replace(office.apply(), holds=lambda: holds_in(archive.folder / "lost"))()
    assert len(await office.lines()) == 1


async def test_a_staged_pack_goes_once_the_archive_has_issued_all_that_it_holds(archive: Archive) -> None:
    office = Office(archive)
    first, second = unique(PUPILS[0], 1), unique(PUPILS[0], 2)
    for document in (first, second):
        await archive.admit(staged(archive, document))
    admitted = office.names()
    # An older page of the transcript, one that was never issued beside one that was, an order of a copy, and no pack at all.
    packs = {
        f"{SCHOOL}/pages-1.zip": {f"{PUPILS[0].transcript_id}-v1.pdf": b"page"},
        f"{SCHOOL}/pages-2.zip": {f"{PUPILS[0].transcript_id}-v1.pdf": b"page", f"{PUPILS[1].transcript_id}-v1.pdf": b"page"},
        f"{SCHOOL}/pages-3.zip": {f"{PUPILS[0].transcript_id}-v3.pdf": b"page"},
        "copies/order.zip": {f"{uuid.uuid4()}-v1.pdf": b"original"},
    }
    for name, documents in packs.items():
        (office.staging / name).parent.mkdir(exist_ok=True)
        (office.staging / name).write_bytes(build_pack(documents).data)
    (office.staging / "notes.txt").write_text("not ours")
    assert (await office.apply()()).outcomes[1].deleted == 0, "nothing is old enough"
    aged(*(office.staging / name for name in office.names()))
    young = staged(archive, unique(PUPILS[0], 1)).pack
    before = office.names()
    dry = (await office.apply()(dry_run=True)).outcomes[1]
    assert ((dry.deleted, dry.needed), office.names()) == ((3, 4), before)
    done = (await office.apply()()).outcomes[1]
    assert (done.deleted, done.held, done.needed) == (3, 0, 4)
    assert before - office.names() == admitted | {f"{SCHOOL}/pages-1.zip"}
    assert young in office.names()
    assert await office.told() == [("staged_packs", SCHOOL, 3)]
    # Its document stays where it is, and its event may come again.
    assert (await archive.get(Viewer(everything=True), PUPILS[0].transcript_id, 1))[1] == first[1]
    assert await problems(archive) == []


async def test_staging_on_s3_is_swept_by_the_same_rules(archive: Archive, s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store notes when an object came and can't be told otherwise, so it is the archive's clock that goes on."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    first, second = unique(PUPILS[0], 1), unique(PUPILS[1], 1)
    await archive.admit(staged(archive, first, second))
    ours = f"{s3_server.url}/{uuid.uuid4()}"
    staging, neighbours = open_staging(f"{ours}/staging").store, open_staging(f"{ours}/staging-of-others").store
    settled = build_pack({announced.file_name: data for announced, data in (first, second)}).data
    needed = build_pack({f"{PUPILS[2].transcript_id}-v1.pdf": b"page"}).data
    for store, name, data in (
        (staging, f"{SCHOOL}/settled.zip", settled),
        (staging, f"{SCHOOL}/needed.zip", needed),
        (staging, "notes.txt", b"not ours"),
        (neighbours, f"{SCHOOL}/settled.zip", settled),
    ):
        await obstore.put_async(store, name, data)

    async def names(store: Any) -> set[str]:
        return {found["path"] async for batch in obstore.list(store) for found in batch}

    office, packs = Office(archive), ObjectPacks(staging)
    apply = replace(office.apply({Kind.STAGED_PACKS: timedelta(days=30)}), packs=packs, clock=At(NOW + timedelta(days=29)))
    assert (await apply()).outcomes[0].deleted == 0, "nothing is old enough"
    apply = replace(apply, clock=At(datetime.now(UTC) + timedelta(days=31)))
    [dry] = (await apply(dry_run=True)).outcomes
    assert ((dry.deleted, dry.needed), len(await names(staging))) == ((1, 2), 3)
    office.list_of_holds.write_text(PUPILS[1].pupil_id)
    [held] = (await apply()).outcomes
    assert ((held.deleted, held.held), len(await names(staging))) == ((0, 1), 3)
    office.list_of_holds.write_text("")
    assert [(await apply()).outcomes[0].deleted for _ in range(2)] == [1, 0]
    assert await names(staging) == {f"{SCHOOL}/needed.zip", "notes.txt"}
    assert await names(neighbours) == {f"{SCHOOL}/settled.zip"}
    assert await office.told() == [("staged_packs", SCHOOL, 1)]
    assert await problems(archive) == []
    # A store that doesn't answer stops the sweep and takes nothing for swept.
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(Unavailable, match="staging can't be listed"):
        await replace(apply, packs=ObjectPacks(open_staging(f"{ours}/staging").store))()


async def test_one_process_deletes_at_a_time(archive: Archive) -> None:
    office = Office(archive)
    async with PostgresRetention(archive.database).alone() as mine:
        assert mine
        with pytest.raises(Conflict, match="another process"):
            await office.apply()()
    await office.apply()()


async def test_the_service_applies_it_and_goes_on_after_what_is_in_the_way(archive: Archive) -> None:
    office, stop = Office(archive), asyncio.Event()
    office.list_of_holds.write_text("em A")
    await office.read_at(OLD, reading(SCHOOL))

    def mended_after_the_first_look() -> frozenset[str]:
        try:
            return holds_in(office.list_of_holds)
        finally:
            office.list_of_holds.write_text("")

    keeper = asyncio.create_task(RetentionKeeper(replace(office.apply(), holds=mended_after_the_first_look), 0.01).run(stop))
    await eventually(office.told)
    stop.set()
    await keeper
    assert await office.told() == [("access_lines", SCHOOL, 1)]
