"""Admission and the evidence role are killed before their first step, their second, and so on until they come to their end; each repeat makes it whole.

A step is a statement of the database; besides, admission leaves a pack that no index names, which the repeat uses or replaces. The log's
integrator is killed in the same way in test_transparency_log.py, both renewals of evidence in test_renewal_crash_points.py.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.serialization import Encoding

from services.archive.application.admit_transcripts import Admission
from services.archive.domain.statement import Kind, Statement
from services.chassis.database import Database
from tests.integration.archive import dying_admission
from tests.integration.archive.test_admission import EVERYTHING, PUPILS, Archive, archive, staged, unique
from tests.integration.archive.test_evidence_batches import World, world
from tests.support.signed_documents import shared_pki
from tests.support.stamping import day

__all__ = ["archive", "world"]
_STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


async def killed_at(step: int, database: Database, run: Callable[[Database], Awaitable[object]]) -> bool:
    """Whether a process of its own that runs this came to its `step`th step, where it is killed; else it came to its end."""

    def child() -> None:
        left = step

        def counted(function: Any) -> Any:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **named)

            return call

        async def main() -> None:
            own = Database(database._dsn, name="child", pool=2)
            await own.open()
            for name in _STATEMENTS:
                setattr(asyncpg.Connection, name, counted(getattr(asyncpg.Connection, name)))
            await run(own)

        asyncio.run(main())

    def forked() -> int:
        # A fork knows the keys of the tests' authorities. It is made by a thread, so that no event loop runs in it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
        if pid == 0:
            try:
                child()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    ended = await asyncio.to_thread(forked)
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


async def test_evidence_killed_at_every_step_stamps_each_document_once(world: World) -> None:
    step, documents = 0, []
    while True:
        step += 1
        documents += await world.add(3)
        world.clock.time += day("2026-07-02") - day("2026-07-01")
        killed = await killed_at(step, world.archive.database, lambda own: replace(world, archive=replace(world.archive, database=own)).stamping(most=2)())
        await world.stamping(most=2)()
        assert await world.stamping(most=2)() == 0
        if not killed:
            break
    assert step > 10, "the steps are counted"
    await all_is_stamped_once(world, documents)


async def all_is_stamped_once(world: World, documents: list[bytes]) -> None:
    """Each document in one batch, each batch's stamps each with one token, each token told to the log once."""
    placed = await world.rows("SELECT count(*), count(batch_id), count(DISTINCT (batch_id, place)) FROM evidence_documents")
    assert placed == [(len(documents),) * 3]
    assert await world.rows("SELECT count(*) FROM evidence_stamps WHERE token IS NULL") == [(0,)]
    told = [Statement.read(bytes(str(row[0]), "ascii")) for row in await world.rows("SELECT convert_from(statement, 'UTF8') FROM leaves")]
    tokens = [sha256(row[0]).digest() for row in await world.rows("SELECT token FROM evidence_stamps")]  # type: ignore[arg-type]
    assert sorted(one.sha256 for one in told if one.kind is Kind.EVIDENCE) == sorted(tokens)


async def test_admission_killed_at_every_step_admits_each_document_once(archive: Archive) -> None:
    documents = [unique(pupil, 1) for pupil in PUPILS[:3]]
    signed = staged(archive, *documents)
    (archive.folder / dying_admission.SIGNED).write_bytes(pickle.dumps(signed))
    (archive.folder / dying_admission.ROOT).write_bytes(shared_pki().root.certificate.public_bytes(Encoding.DER))
    step, ended, alone = 0, -signal.SIGKILL, await archive.state()
    while ended:
        step += 1
        assert await archive.state() == alone, "what was killed has left nothing in the database"
        command = (sys.executable, "-m", dying_admission.__name__, str(step), archive.database._dsn, str(archive.folder))
        dying = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, said = await dying.communicate()
        ended = dying.returncode or 0
        assert ended in (0, -signal.SIGKILL), said.decode()
        if ended and await archive.state() != alone:
            break  # Killed behind the commit: all is admitted.
    assert step > 5, "the steps are counted"
    whole = await archive.state()
    assert await archive.admit(signed) == Admission(0, 3, 0)
    assert await archive.state() == whole
    assert [len(event.transcripts) for event in await archive.events()] == [3]  # type: ignore[attr-defined]  # Of admitted ones.
    for announced, data in documents:
        assert (await archive.get(EVERYTHING, announced.ref.transcript_id, 0))[1] == data
    stored = {path.name for path in (archive.folder).rglob("*.zip")}
    assert len(stored) >= 2, "one pack in staging, and at least one in the store"
