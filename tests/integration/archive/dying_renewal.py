"""Renewal of evidence in a process that kills itself before its nth statement of the database.

For a fork server that has imported this module: a fork of the tests' own process has no threads of the object store.
"""

import asyncio
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.archive.application import renew_evidence
from services.chassis.database import Database
from services.trust_services.authority import Identity
from tests.integration.archive.test_admission import Archive
from tests.integration.archive.test_evidence_batches import At, Desk, World, renewing_trees
from tests.support.stamping import Stamping, day

AUTHORITY = "renewing"
"""Name of the authority's files in the folder."""
ENDS = day("2035-01-01")
"""Time stamps that end before are renewed."""
_STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


async def renewed(world: World, what: str) -> renew_evidence.Renewed:
    """Renew what is due: `stamps`, or else the trees, by the algorithm `what`."""
    if what == "stamps":
        return await renew_evidence.RenewStamps(world.ledger, world.stamping(), world.clock)(ENDS)
    return await renewing_trees(world)(what)


def renew(step: int, url: str, folder: Path, what: str, at: datetime) -> None:
    """Renew, and be killed at a step."""
    asyncio.run(_renew(step, url, folder, what, at))


async def _renew(step: int, url: str, folder: Path, what: str, at: datetime) -> None:
    # Each document of a batch is a step of its own.
    renew_evidence.AT_ONCE = 1
    database = Database(url, name="dying", pool=2)
    await database.open()
    left = step

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    for name in _STATEMENTS:
        setattr(asyncpg.Connection, name, counted(getattr(asyncpg.Connection, name)))
    clock = At(at)
    await renewed(World(Archive(database, "", folder), clock, Desk(clock, Stamping(Identity.from_files(folder, AUTHORITY)))), what)
    await database.close()
