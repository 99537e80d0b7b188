"""Admission and the log on a disk that is full again and again: `python -m tests.integration.archive.on_a_small_disk DATABASE DISK FOLDER`.

DISK is a file system of a few megabytes with the archive's store and the log's files; FOLDER, on another one, has all else. Its own process, since
only that sees the disk (see test_full_disk.py).
"""

import asyncio
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.archive.adapters.tile_folder import open_folder
from services.archive.application.admit_transcripts import Admission
from services.archive.application.extend_log import ExtendLog
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from tests.integration.archive.log_world import LogWorld, make_world
from tests.integration.archive.test_admission import EVERYTHING, Archive, Pupil, staged, unique

PAGE = os.sysconf("SC_PAGE_SIZE")
ROOMS = (0, PAGE, 10 * PAGE, 20 * PAGE, 30 * PAGE)
"""Bytes that are left: less than a class's pack has, and less than the files of LEAVES leaves, so that each is cut off somewhere else."""
LEAVES = 700


@contextmanager
def full_but_for(disk: Path, room: int) -> Iterator[None]:
    """No more than `room` bytes are free."""
    filler = disk / "filler"
    state = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - room)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (disk / "more").write_bytes(bytes(room + PAGE))
    (disk / "more").unlink()
    yield
    filler.unlink()


@contextmanager
def without_names(disk: Path) -> Iterator[None]:
    """Bytes are free, and no file can be made."""
    fillers = disk / "fillers"
    fillers.mkdir()
    for number in range(os.statvfs(disk).f_ffree):
        (fillers / str(number)).touch()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (disk / "more").touch()
    yield
    for filler in fillers.iterdir():
        filler.unlink()
    fillers.rmdir()


def written(disk: Path) -> dict[str, bytes]:
    """Every file that admission and the log have made."""
    return {str(path.relative_to(disk)): path.read_bytes() for part in ("vault", "log") for path in (disk / part).rglob("*") if path.is_file()}


async def main(url: str, disk: Path, folder: Path) -> None:
    """A class and LEAVES leaves for each way of being full, and one before; every one is admitted and logged in the end."""
    database = Database(url, name="small", pool=4)
    await database.open()
    (folder / "staging").mkdir()
    (disk / "staging").symlink_to(folder / "staging")
    archive, log = Archive(database, "", disk), make_world(database, "", folder)
    log = LogWorld(database, "", folder, log.signer, log.policy, log.witnesses, open_folder(disk / "log"))
    ways = [None, *(full_but_for(disk, room) for room in ROOMS), without_names(disk)]
    leaves = 0
    for turn, full in enumerate(ways):
        numbers = range(10 * turn, 10 * turn + 3)
        documents = [unique(Pupil(f"0b7e1f6e-7f5a-4d57-9a4e-{n:012d}", f"1c7e1f6e-7f5a-4d57-9a4e-{n:012d}"), 1) for n in numbers]
        signed = staged(archive, *documents)
        await log.queue(LEAVES)
        extend = log.extend()
        epoch = await extend.take_over()
        if full is not None:
            before, files, signed_before = await archive.state(), written(disk), (await log.state.head()).signed
            with full:
                with pytest.raises(Unavailable, match="the archive's store can't be written"):
                    await archive.admit(signed)
                assert await archive.state() == before, "nothing is half admitted"
                assert {name for name in written(disk) if name.startswith("vault")} == {name for name in files if name.startswith("vault")}
                with pytest.raises(Unavailable, match="the log's folder can't be written"):
                    await extend(epoch)
                assert (await log.state.head()).signed == signed_before, "nothing is signed"
                now = written(disk)
                assert {name: now.get(name) for name in files} == files, "what was there has its bytes"
                assert not [name for name in now if "/." in name], "no draft is left"
        assert await archive.admit(signed) == Admission(3, 0, 0)
        assert await archive.admit(signed) == Admission(0, 3, 0)
        leaves += LEAVES + 3
        assert (await log.grow(0)).published == leaves
        for announced, data in documents:
            assert (await archive.get(EVERYTHING, announced.ref.transcript_id, 0))[1] == data
    assert len(list((disk / "vault").rglob("*.zip"))) == len(ways), "one pack a class"
    # The log as one that never met a full disk writes it.
    await ExtendLog(log.state, open_folder(folder / "again"), log.signer, SystemClock(), leaves).integrate(0, leaves)
    again = {str(path.relative_to(folder / "again")): path.read_bytes() for path in (folder / "again").rglob("*") if path.is_file()}
    here = {str(path.relative_to(disk / "log")): path.read_bytes() for path in (disk / "log").rglob("*") if path.is_file()}
    assert len(again) > leaves // 256
    assert {name: here.get(name) for name in again} == again, "tiles are byte-identical"
    for witnessing in log.witnesses.by_url.values():
        witnessing.ledger.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
