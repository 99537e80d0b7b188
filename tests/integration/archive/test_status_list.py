"""The status list on a real database and real files: it grows with the log, is signed only as it follows from leaves, and fsck sees what differs."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.archive.adapters.admissions import queue_leaves
from services.archive.application.log_status import LogStatus
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.signed_note import read_note
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.status_list import EMPTY_CHUNK, NAME, Mark, StatusList, status_root
from services.chassis.database import SYSTEM, Database
from services.chassis.errors import Refused
from tests.integration.archive.log_world import SCHOOL, LogWorld, make_world
from tests.support.postgres import DatabaseFactory

_PACK = (
    "INSERT INTO packs (digest, object_name, size, documents, stored_at) VALUES (decode(repeat('00', 32), 'hex'), 'test', 1, 1, now()) ON CONFLICT DO NOTHING"
)
_ROW = """
INSERT INTO transcripts (transcript_id, version, pupil_id, school_year, class_id, school_id, province_id, public_id, content_digest, sha256,
    pack_digest, pack_offset, size, supersedes, leaf_id, level, school_name, manifest_id, admitted_at)
VALUES ($1, 1, $1, 2025, $1, $1, '01', $2, $3, $3, decode(repeat('00', 32), 'hex'), 1, 1, 0, $4, 'PRIMARY', 'test', $1, now())
"""


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[LogWorld]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=5)
    await database.open()
    made = make_world(database, databases.owner_url, tmp_path)
    yield made
    for witnessing in made.witnesses.by_url.values():
        witnessing.ledger.close()
    await database.close()


async def say(world: LogWorld, *statements: tuple[Kind, bytes, bytes | None]) -> None:
    """Queue statements; those that bring a document get its row in the index, as admission writes it."""
    told = [Statement(kind, uuid.uuid4().hex, 1, sha256, sha256, previous, SCHOOL, datetime.now(UTC)).canonical() for kind, sha256, previous in statements]
    async with world.database.transaction(SYSTEM) as connection:
        await connection.execute(_PACK)
        for (kind, sha256, _), leaf_id in zip(statements, await queue_leaves(connection, told), strict=True):
            if kind in (Kind.ISSUE, Kind.SUPERSEDE):
                await connection.execute(_ROW, uuid.uuid4(), uuid.uuid4().hex, sha256, leaf_id)


async def faults(world: LogWorld, *, mend: bool = False) -> list[tuple[str, str]]:
    """What fsck finds; that no row of the database stands behind these revocations is not this test's matter."""
    found = await world.check(mend=mend)
    return [(fault.code, fault.where) for fault in found.faults if fault.code != "revocation_differs"]


def document(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


async def marks(world: LogWorld, size: int) -> list[int]:
    """Each leaf's mark, as a holder of proofs sees it below the final checkpoint."""
    final = await world.state.final()
    assert final is not None
    checkpoint = Checkpoint.read(read_note(final.note).text)
    found = []
    for index in range(size):
        proof = await LogStatus(world.state, world.store).proof(checkpoint, index)
        assert proof is not None
        found.append(int(proof.mark(index, checkpoint)))
    return found


async def test_later_statements_mark_what_they_name_and_fsck_agrees(world: LogWorld) -> None:
    a, b, c, d = (document(name) for name in "abcd")
    await say(world, (Kind.ISSUE, a, None), (Kind.ISSUE, b, None), (Kind.ISSUE, c, None))
    await world.grow(2)
    assert await marks(world, 5) == [0, 0, 0, 0, 0]
    await say(world, (Kind.SUPERSEDE, d, a), (Kind.REVOKE, b, None))
    await world.grow(0)
    assert await marks(world, 7) == [Mark.SUPERSEDED, Mark.REVOKED, 0, 0, 0, 0, 0]
    await say(world, (Kind.REVOKE, a, None), (Kind.SUPERSEDE, document("e"), d), (Kind.REVOKE, document("never issued"), None))
    await world.grow(1)
    assert await marks(world, 7) == [Mark.SUPERSEDED | Mark.REVOKED, Mark.REVOKED, 0, 0, 0, Mark.SUPERSEDED, 0]
    assert await faults(world) == []


async def test_the_same_leaves_give_the_same_files_whatever_the_batches(world: LogWorld) -> None:
    documents = [document(str(number)) for number in range(40)]
    await say(world, *((Kind.ISSUE, each, None) for each in documents), *((Kind.REVOKE, each, None) for each in documents[::3]))
    await world.grow(0, batch=7)
    stepwise = await marks(world, 40)
    assert stepwise == [Mark.REVOKED if number % 3 == 0 else 0 for number in range(40)]
    final = await world.state.final()
    assert final is not None
    checkpoint = Checkpoint.read(read_note(final.note).text)
    at_once, _ = await LogStatus(world.state, world.store).grown(0, await world.state.statements(0, final.size))
    assert at_once.root == status_root(checkpoint)
    assert all(NAME.fullmatch(name) for name in world.files() if name.startswith("status/"))  # What is served over HTTP.
    assert await faults(world) == []


async def test_a_log_from_before_the_list_gets_it_with_its_next_checkpoint(world: LogWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(world, (Kind.ISSUE, document("a"), None), (Kind.REVOKE, document("a"), None))
    with monkeypatch.context() as patch:
        extend = type(world.extend())
        signed = extend.signed
        patch.setattr(extend, "signed", lambda self, checkpoint: signed(self, replace(checkpoint, extensions=())))
        await world.grow(0)
    assert await faults(world) == []
    await world.grow(1)
    assert await marks(world, 3) == [Mark.REVOKED, 0, 0]
    assert await faults(world) == []


async def test_nothing_is_signed_over_a_list_that_is_damaged_and_fsck_mends_it(world: LogWorld) -> None:
    await say(world, (Kind.ISSUE, document("a"), None), (Kind.REVOKE, document("a"), None))
    await world.grow(0)
    whole = world.files()
    names = [name for name in whole if name.startswith("status/")]
    assert len(names) == 2
    for name in names:
        path = world.folder / "log" / name
        for broken in (bytes([whole[name][0] ^ 1]) + whole[name][1:], whole[name][:-1], None):
            path.unlink() if broken is None else path.write_bytes(broken)
            await say(world, (Kind.ISSUE, uuid.uuid4().bytes * 2, None), (Kind.REVOKE, document("a"), None))
            with pytest.raises(Refused, match="fsck --mend"):
                await world.grow(0)
            assert await faults(world) == [("tile_missing" if broken is None else "tile_differs", name)]
            assert (await faults(world, mend=True), path.read_bytes()) == ([], whole[name])
    await world.grow(0)
    assert (await marks(world, 1)) == [Mark.REVOKED]


async def test_a_signed_list_that_does_not_follow_from_the_leaves_is_found(world: LogWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(world, (Kind.ISSUE, document("a"), None), (Kind.REVOKE, document("a"), None))
    extend = type(world.extend())
    lie = StatusList().grown(2, {})
    await world.store.keep({lie.name: lie.encoded()})
    signed = extend.signed
    # What an archive would sign that hides a revocation.
    monkeypatch.setattr(extend, "signed", lambda self, checkpoint: signed(self, replace(checkpoint, extensions=(lie.line,))))
    await world.grow(0)
    assert await marks(world, 1) == [0]
    assert await faults(world) == [("status_differs", "2")]


async def test_an_empty_chunk_needs_no_file(world: LogWorld) -> None:
    await world.grow(3)
    assert [name.split("/")[1] for name in world.files() if name.startswith("status/")] == ["list"]
    assert await LogStatus(world.state, world.store).chunk(StatusList().grown(1, {}).chunks[0]) == EMPTY_CHUNK
