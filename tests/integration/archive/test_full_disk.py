"""A disk that is really full: admission and the log stop with an error that says so, lose nothing, and go on by themselves once there is room."""

import asyncio
import os
import sys
from pathlib import Path

from tests.integration.archive import on_a_small_disk
from tests.support.postgres import DatabaseFactory

# A file system of its own in a mount namespace of its own: nobody else sees it, and it goes with the last process in it.
_NAMESPACE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
_MOUNTED = 'mount -t tmpfs -o size=4m,nr_inodes=1000 tmpfs "$0" && exec "$@"'


async def test_full_disk_costs_time_and_nothing_else(make_database: DatabaseFactory, tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk", tmp_path / "elsewhere"
    disk.mkdir()
    folder.mkdir()
    command = (
        *_NAMESPACE,
        "sh",
        "-c",
        _MOUNTED,
        str(disk),
        sys.executable,
        "-m",
        on_a_small_disk.__name__,
        make_database("archive").url,
        str(disk),
        str(folder),
    )
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, (
        f"{said.decode()}\nThis test mounts a small tmpfs: it needs root with CAP_SYS_ADMIN, or a kernel that lets users make namespaces."
    )
    assert not any(disk.iterdir()), "the test ran on a disk of its own"
