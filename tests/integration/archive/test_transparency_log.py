"""The log on a real database and real files: it grows, survives every crash, signs nothing that is damaged, and never forks."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.tile_objects import open_tiles
from services.archive.application.extend_log import ExtendLog
from services.archive.application.get_proof import GetCheckpoint
from services.archive.application.log_ports import SignedCheckpoint
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof, check_checkpoint, check_proof, leads_to_root
from services.archive.domain.merkle import is_consistent, leaf_hash, root_of
from services.archive.domain.signed_note import read_note
from services.archive.domain.tiles import Tile, entries_of, tile_at
from services.archive.entrypoints.log import LogFiles, LogKeeper
from services.chassis.database import Database
from services.chassis.errors import Conflict, Refused, Unavailable
from tests.integration.archive.log_world import LogWorld, make_world
from tests.support.eventually import eventually
from tests.support.postgres import DatabaseFactory
from tests.support.s3 import S3


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[LogWorld]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=10)
    await database.open()
    made = make_world(database, databases.owner_url, tmp_path)
    yield made
    for witnessing in made.witnesses.by_url.values():
        witnessing.ledger.close()
    await database.close()


async def test_leaves_become_a_final_checkpoint_and_each_is_proven(world: LogWorld) -> None:
    assert (await world.grow(700)).published == 700
    entries = list(await world.state.statements(0, 700))
    final, head = await GetCheckpoint(world.state)()
    assert final is not None
    assert (head.sequenced, head.signed, head.published, head.waiting) == (700, 700, 700, 0)
    assert (final.size, final.root) == (700, root_of([leaf_hash(entry) for entry in entries]))
    assert final.note == await world.store.read("checkpoint")
    assert check_checkpoint(read_note(final.note), world.policy, verifier_of)[1] == ("W0", "W1", "W2")
    for index in (0, 255, 256, 511, 512, 699):
        proof = LogProof(entries[index], index, tuple(await world.tiles.inclusion(index, 700)), final.note)
        assert check_proof(LogProof.read(proof.encoded()), world.policy, verifier_of).index == index
    assert (await world.check()).whole


async def test_each_checkpoint_continues_all_before_it_and_partial_tiles_go_once_full(world: LogWorld) -> None:
    seen: list[SignedCheckpoint] = []
    for count in (1, 100, 154, 1, 1, 300, 3):
        await world.grow(count)
        final, _ = await GetCheckpoint(world.state)()
        assert final is not None
        for earlier in seen:
            path = await world.tiles.consistency(earlier.size, final.size)
            assert is_consistent(earlier.size, earlier.root, final.size, final.root, path)
        seen.append(final)
    names = world.files()
    assert seen[-1].size == 560
    assert {"tile/0/000", "tile/0/001", "tile/0/002.p/45", "tile/0/002.p/48", "tile/1/000.p/2", "tile/entries/001"} < set(names)
    assert not [name for name in names if name.startswith(("tile/0/000.p", "tile/entries/001.p"))]
    found = await world.check()
    assert (found.whole, found.checkpoints, found.leaves) == (True, 7, 560)


async def test_a_log_in_an_object_store_is_whole(world: LogWorld, s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    there = replace(world, elsewhere=open_tiles(f"{s3_server.url}/{uuid.uuid4()}"))
    for count in (3, 300, 1):
        await there.grow(count)
    found = await there.check()
    assert (found.whole, found.checkpoints, found.leaves, world.files()) == (True, 3, 304, {})


async def test_a_round_without_leaves_changes_nothing(world: LogWorld) -> None:
    await world.grow(3)
    before = world.files()
    extend = world.extend()
    assert await extend(await extend.take_over()) == 0
    assert (await world.publisher()()).published == 3
    assert world.files() == before


async def test_a_transaction_that_commits_late_is_not_passed_over(world: LogWorld) -> None:
    async with world.database.transaction() as connection:
        await connection.execute("INSERT INTO leaves (leaf_id, statement) VALUES (nextval('leaf_numbers'), 'late')")
        await world.grow(5)
    await world.grow(0)
    assert list(await world.state.statements(5, 9)) == [b"late"]


# --- crashes ---

_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from services.chassis.database import Database
from services.archive.adapters import tile_folder
from tests.integration.archive.log_world import make_world

calls = 0
def counted(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

async def main():
    database = Database(sys.argv[1], name="child", pool=4)
    await database.open()
    world = make_world(database, "", Path(sys.argv[2]))
    # Every step that leaves something behind: a file's bytes, its name, its folder's entry, and each statement of the database.
    os.link, os.replace, os.fsync = counted(os.link), counted(os.replace), counted(os.fsync)
    import asyncpg
    asyncpg.Connection.execute = counted(asyncpg.Connection.execute)
    extend, publish = world.extend(batch=int(sys.argv[4])), world.publisher()
    epoch = await extend.take_over()
    while await extend(epoch):
        await publish()
    await publish()
    await database.close()

asyncio.run(main())
"""


async def test_kill_9_at_every_step_leaves_the_same_bytes(world: LogWorld) -> None:
    """Kill the integrator at its first step, its second, and so on until it comes to its end; each redo finds and makes the same."""
    await world.grow(200)
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()  # The children take their turn with them.
    database_url = world.database._dsn
    kills, at, turn = 0, 1, 0
    rng = random.Random(20261125)
    queued = 200
    while True:
        count = rng.choice((1, 60, 300))
        await world.queue(count)
        queued += count
        before = world.files()
        command = [sys.executable, "-c", _CHILD, database_url, str(world.folder), str(at), "256"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "protos:."})
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        after = world.files()
        changed = [name for name in before if name in after and after[name] != before[name] and name != "checkpoint"]
        assert not changed, "a file that was there has other bytes"
        kills += done.returncode != 0
        turn += 1
        if done.returncode == 0:
            break
        # Fine steps at first, then wider ones: every third of the later steps, which repeat the earlier ones for the next batch.
        at += 1 if at < 40 else 3
    assert kills >= 30, kills
    reopened = make_world(world.database, world.owner_url, world.folder)
    found = await reopened.check()
    assert (found.whole, found.leaves) == (True, queued)
    final, _ = await GetCheckpoint(world.state)()
    assert final is not None
    assert final.size == queued
    for witnessing in reopened.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_second_integrator_signs_nothing_and_the_first_neither_once_overtaken(world: LogWorld) -> None:
    first, second = world.extend(), world.extend()
    await world.queue(10)
    old_epoch = await first.take_over()
    await world.state.sequence(old_epoch, 10)
    await first.integrate(0, 10)
    slow = first.signed(await first.check(0, 10))
    new_epoch = await second.take_over()
    await world.queue(5)
    assert await second(new_epoch) == 15
    # The first one wakes up with a checkpoint of its own in its hands, then tries a whole round.
    with pytest.raises(Conflict, match="taken the log over"):
        await world.state.sign(old_epoch, 0, slow, first.clock.now())
    with pytest.raises(Conflict, match="taken the log over"):
        await first(old_epoch)
    with pytest.raises(Conflict):
        # Not even the holder of the epoch signs twice from one size.
        await world.state.sign(new_epoch, 0, SignedCheckpoint(15, bytes(32), b"fork"), first.clock.now())
    found = await world.check()
    assert (found.whole, found.checkpoints, found.leaves) == (True, 1, 15)


async def test_many_integrators_at_once_make_one_log(world: LogWorld) -> None:
    async def integrate(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(6):
            await world.queue(rng.randint(1, 90))
            extend = ExtendLog(world.state, world.store, world.signer, world.extend().clock, rng.choice((7, 100, 256)))
            try:
                epoch = await extend.take_over()
                await extend(epoch)
                await world.publisher()()
            except (Conflict, Unavailable):
                continue  # Somebody else has taken over in between, or removed the folder of a partial tile: the next round looks again.

    await asyncio.gather(*(integrate(seed) for seed in range(4)))
    await world.grow(1)
    found = await world.check()
    assert found.whole, found.faults
    final, head = await GetCheckpoint(world.state)()
    assert final is not None
    assert (final.size, head.waiting) == (head.sequenced, 0)


async def test_an_older_checkpoint_never_takes_a_newer_ones_place(world: LogWorld) -> None:
    await world.grow(10)
    async with world.state.publishing(9) as ours:
        assert not ours
    final, head = await GetCheckpoint(world.state)()
    assert final is not None
    assert (final.size, head.published) == (10, 10)


# --- damage ---


@pytest.mark.parametrize("where", ["tile/entries/001.p/44", "tile/0/001.p/44", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"])
async def test_flipped_bit_is_never_signed(world: LogWorld, where: str) -> None:
    await world.queue(300)
    extend = world.extend()
    epoch = await extend.take_over()
    await world.state.sequence(epoch, 300)
    await extend.integrate(0, 300)
    file = world.folder / "log" / where
    flip(file, random.Random(where).randrange(file.stat().st_size))
    with pytest.raises(Refused, match=r"log's file|don't continue"):
        await extend.check(0, 300)
    # A whole round meets it when it writes what is there already, and signs nothing either.
    with pytest.raises(Conflict, match="holds other bytes"):
        await extend(epoch)
    assert (await world.state.head()).signed == 0


async def test_flipped_bit_in_an_old_tile_is_never_signed(world: LogWorld) -> None:
    await world.grow(300)
    await world.queue(10)
    extend = world.extend()
    epoch = await extend.take_over()
    flip(world.folder / "log" / "tile/0/001.p/44", 5)
    with pytest.raises(Refused, match=r"don't continue|not made of"):
        await extend(epoch)
    assert (await world.state.head()).signed == 300


@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/000", "tile/1/000.p/2", "tile/0/002.p/88", "tile/entries/002.p/88"])
async def test_fsck_finds_a_flipped_bit_and_mends_it(world: LogWorld, name: str) -> None:
    await world.grow(600)
    whole = world.files()
    flip(world.folder / "log" / name, 33)
    found = await world.check()
    assert {(fault.code, fault.where) for fault in found.faults} >= {("tile_differs", name)}
    assert found.root_database == found.root_signed
    mended = await world.check(mend=True)
    assert (mended.whole, mended.mended) == (True, [name])
    assert world.files() == whole


async def test_lost_tiles_are_made_again_to_the_same_root(world: LogWorld) -> None:
    await world.grow(700)
    await world.grow(20)
    before = world.files()
    shutil.rmtree(world.folder / "log" / "tile")
    found = await world.check()
    assert {fault.code for fault in found.faults} == {"tile_missing", "tiles_root_differs"}
    assert found.root_tiles is None
    mended = await world.check(mend=True)
    assert mended.whole
    assert mended.root_tiles == mended.root_signed == found.root_signed
    after = world.files()
    assert {name: before[name] for name in after} == after
    assert (await world.grow(50)).published == 770


async def test_fsck_finds_what_was_changed_behind_the_services_back(world: LogWorld) -> None:
    await world.grow(300)
    await world.do_as_owner("ALTER TABLE leaves DISABLE TRIGGER USER", "UPDATE leaves SET statement = 'forged' WHERE log_index = 7")
    found = await world.check(mend=True)
    assert {fault.code for fault in found.faults} == {"checkpoint_differs", "tile_differs"}
    assert found.root_tiles == found.root_signed != found.root_database
    assert found.mended == [], "tiles are never made to fit a database that isn't what was signed"
    await world.do_as_owner("DELETE FROM leaves WHERE log_index = 7")
    found = await world.check()
    assert found.first_broken == 7
    assert [fault.code for fault in found.faults] == ["leaf_missing"]


async def test_fsck_finds_checkpoints_that_were_changed(world: LogWorld) -> None:
    await world.grow(5)
    await world.grow(5)
    await world.do_as_owner("ALTER TABLE checkpoints DISABLE TRIGGER USER", "UPDATE checkpoints SET root = decode(repeat('00', 32), 'hex') WHERE size = 5")
    assert [(fault.code, fault.where) for fault in (await world.check()).faults] == [("checkpoint_differs", "5")]


@pytest.mark.parametrize(
    ("content", "code"), [(None, "checkpoint_missing"), (b"", "checkpoint_unreadable"), (b"<html>\n\nmaintenance", "checkpoint_unreadable")]
)
async def test_lost_checkpoint_file_is_put_back(world: LogWorld, content: bytes | None, code: str) -> None:
    await world.grow(5)
    file = world.folder / "log" / "checkpoint"
    whole = file.read_bytes()
    file.unlink()
    if content is not None:
        file.write_bytes(content)
        # Nobody goes on beside a file that can't be read: it may have said that this database is an old one.
        with pytest.raises(Refused, match="no checkpoint"):
            await world.extend().take_over()
    assert [(fault.code, fault.where) for fault in (await world.check()).faults] == [(code, "checkpoint")]
    mended = await world.check(mend=True)
    assert (mended.whole, mended.mended, file.read_bytes()) == (True, ["checkpoint"], whole)


async def test_old_backup_of_the_database_forks_nothing(world: LogWorld, make_database: DatabaseFactory) -> None:
    await world.grow(20)
    restored = Database(make_database("archive").url, name="restored", pool=2)
    await restored.open()
    try:
        elsewhere = LogWorld(restored, "", world.folder, world.signer, world.policy, world.witnesses)
        await elsewhere.queue(5)
        with pytest.raises(Refused, match="never signed by this database"):
            await elsewhere.extend().take_over()
        # Even with the published checkpoint lost as well, no witness cosigns it.
        shutil.rmtree(world.folder / "log")
        extend = elsewhere.extend()
        assert await extend(await extend.take_over()) == 5
        told = await elsewhere.publisher()()
        assert told.published == 0
        assert all("has seen 20 leaves, the log has 5" in trouble for trouble in told.trouble)
    finally:
        await restored.close()


# --- witnesses ---


async def test_one_witness_may_fail_and_two_are_one_too_many(world: LogWorld) -> None:
    moods = world.witnesses.moods
    for number, mood in enumerate(("down", "broken", "forges", "garbage")):
        moods.clear()
        moods["http://witness-1"] = mood
        told = await world.grow(3)
        assert told.published == 3 * (number + 1), mood
        assert [trouble.partition(":")[0] for trouble in told.trouble] == ["W1"]
    moods["http://witness-0"] = "down"
    told = await world.grow(3)
    assert told.published == 12
    final, head = await GetCheckpoint(world.state)()
    assert final is not None
    assert (final.size, head.signed) == (12, 15), "the log goes on, its last checkpoint isn't final"
    moods.clear()
    assert (await world.grow(1)).published == 16


async def test_witness_who_was_away_catches_up(world: LogWorld) -> None:
    world.witnesses.moods["http://witness-2"] = "down"
    await world.grow(300)
    publish, extend = world.publisher(), world.extend()
    epoch = await extend.take_over()
    for _ in range(3):
        await world.queue(100)
        await extend(epoch)
        assert (await publish()).trouble == ("W2: no answer",), "told in each round, also while it isn't asked"
    assert (await publish()).trouble == ("W2: no answer",), "and while nothing grows"
    world.witnesses.moods.clear()
    await world.grow(10)
    assert ("http://witness-2", 200) in world.witnesses.asked
    final, _ = await GetCheckpoint(world.state)()
    assert final is not None
    assert check_checkpoint(read_note(final.note), world.policy, verifier_of)[1] == ("W0", "W1", "W2")


# --- over HTTP, and everything at once ---


async def test_files_over_http(world: LogWorld) -> None:
    await world.grow(300)
    async with serving(world) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/checkpoint") as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
            assert "max-age=1" in answer.headers["Cache-Control"]
            assert await answer.read() == await world.store.read("checkpoint")
        async with session.get(f"{url}/tile/0/000") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            assert len(await answer.read()) == 8192
        for name in ("tile/0/009", "tile/0/1", "lock", "tile/entries/..%2f..%2fcheckpoint", ""):
            async with session.get(f"{url}/{name}") as answer:
                assert answer.status == 404, name
                assert "immutable" not in answer.headers.get("Cache-Control", "")


async def test_hammer(world: LogWorld) -> None:
    """Writers, full readers and random readers, all of them verifying against one published checkpoint after the other."""
    stop, ending = asyncio.Event(), time.monotonic() + 8
    written = 0
    checked = {"full": 0, "random": 0, "consistent": 0}

    async def write(seed: int) -> None:
        nonlocal written
        rng = random.Random(seed)
        while time.monotonic() < ending:
            added = len(await world.queue(rng.randint(1, 60)))
            written += added

    async def follow(session: aiohttp.ClientSession, url: str) -> Checkpoint | None:
        async with session.get(f"{url}/checkpoint") as answer:
            if answer.status == 404:
                return None
            return check_checkpoint(read_note(await answer.read()), world.policy, verifier_of)[0]

    async def read_tile(session: aiohttp.ClientSession, url: str, tile: Tile, *, entries: bool = False) -> bytes:
        names = [tile.entries_name, tile.whole.entries_name] if entries else [tile.name, tile.whole.name]
        for name in names:
            async with session.get(f"{url}/{name}") as answer:
                if answer.status == 200:
                    return await answer.read()
        raise AssertionError(f"{names} are published and not there")

    async def read_all(session: aiohttp.ClientSession, url: str) -> None:
        last: Checkpoint | None = None
        while not stop.is_set():
            head = await follow(session, url)
            if head is None or head == last:
                await asyncio.sleep(0.01)
                continue
            leaves: list[bytes] = []
            for index in range(-(-head.size // 256)):
                tile = tile_at(0, index, head.size)
                data = await read_tile(session, url, tile)
                leaves += [data[at : at + 32] for at in range(0, tile.width * 32, 32)]
            assert root_of(leaves) == head.root
            if last is not None:
                assert root_of(leaves[: last.size]) == last.root
                checked["consistent"] += 1
            last = head
            checked["full"] += 1

    async def read_some(session: aiohttp.ClientSession, url: str, seed: int) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            head = await follow(session, url)
            if head is None:
                await asyncio.sleep(0.01)
                continue
            index = rng.randrange(head.size)
            bundle = await read_tile(session, url, tile_at(0, index // 256, head.size), entries=True)
            entry = entries_of(bundle)[index % 256]
            path = await world.tiles.inclusion(index, head.size)
            assert leads_to_root(entry, index, head, path)
            checked["random"] += 1

    keeper = LogKeeper(world.extend(), world.publisher(), alone=always, interval_seconds=0.05)
    async with serving(world) as url, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        keeping = group.create_task(keeper.run(stop))
        readers = [group.create_task(read_all(session, url)) for _ in range(2)]
        readers += [group.create_task(read_some(session, url, seed)) for seed in range(4)]
        await asyncio.gather(*(write(seed) for seed in range(3)))

        async def all_published() -> bool:
            head = await world.state.head()
            return head.published == written and not head.waiting

        await eventually(all_published, within=30)
        stop.set()
        await asyncio.gather(keeping, *readers)
    assert checked["full"] >= 3, checked
    assert checked["random"] >= 50, checked
    assert checked["consistent"] >= 2, checked
    found = await world.check()
    assert (found.whole, found.leaves) == (True, written)


def flip(file: Path, at: int) -> None:
    """Change one bit of a file."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << at % 8
    file.write_bytes(data)


@asynccontextmanager
async def always() -> AsyncIterator[bool]:
    """Nobody else extends this log."""
    yield True


@asynccontextmanager
async def serving(world: LogWorld) -> AsyncIterator[str]:
    """The log's files over HTTP for the length of a block."""
    runner = web.AppRunner(LogFiles(world.store).application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
