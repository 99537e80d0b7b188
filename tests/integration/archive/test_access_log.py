"""The access log on a real database: no answer without its line, each school sees its own, nobody changes one, and the log is told."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from hocba.archive.v1 import archive_pb2
from services.archive.adapters.access_ledger import PostgresAccesses
from services.archive.application.access_ports import AccessFilter
from services.archive.application.list_accesses import ListAccesses
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.ports import Viewer
from services.archive.application.record_access import RecordAccess
from services.archive.domain.statement import Kind, Statement
from services.archive.entrypoints.rpc import ArchiveRPC
from services.audit.checks import readings_are_on_record
from services.audit.stores import QUERIES
from services.chassis.clock import SystemClock
from services.chassis.errors import Malformed, NotFound, Unavailable
from services.chassis.identity import Actor, Role, set_current_actor
from tests.integration.archive.test_admission import PUPILS, SCHOOL, Archive, archive, staged, unique

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
