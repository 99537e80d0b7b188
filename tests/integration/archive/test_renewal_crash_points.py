"""Both renewals of evidence are killed before their first step, their second, and so on until they come to their end.

A step is a statement of the database. Each time another batch is due, so that every kill meets the same beginning; the redo must give all of them one
and the same end.
"""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing import get_context

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.archive.application import renew_evidence
from services.archive.application.renew_evidence import Renewed
from services.archive.domain.statement import Kind, Statement
from tests.integration.archive import dying_renewal
from tests.integration.archive.test_admission import Pupil, staged, unique
from tests.integration.archive.test_evidence_batches import LATER, ROOT, World, check, world
from tests.support.stamping import day

__all__ = ["world"]
_IN_A_BATCH = 2


@pytest.mark.parametrize("what", ["stamps", "sha512"])
async def test_renewal_killed_at_every_step_comes_to_one_and_the_same_end(world: World, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(renew_evidence, "AT_ONCE", 1)
    forks = get_context("forkserver")
    forks.set_forkserver_preload([dying_renewal.__name__])
    first, second = ROOT.authority(day("2026-01-01"), day("2031-01-01")), ROOT.authority(day("2030-01-01"), day("2045-01-01"))
    folder = world.archive.folder
    (folder / f"{dying_renewal.AUTHORITY}.cer").write_bytes(second.identity.der)
    key = second.identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{dying_renewal.AUTHORITY}.key").write_bytes(key)
    born = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    documents, ends, step, ended = [], [], 0, -signal.SIGKILL
    while ended:
        step += 1
        assert step < 100, "it never came to its end"
        added = [unique(Pupil(f"0b7e1f6e-7f5a-4d57-9a4e-{n:012d}", f"1c7e1f6e-7f5a-4d57-9a4e-{n:012d}"), 1) for n in range(10 * step, 10 * step + _IN_A_BATCH)]
        await world.archive.admit(staged(world.archive, *added))
        documents += added
        world.clock.time, world.desk.authority = born, first
        assert await world.stamping(most=_IN_A_BATCH)() == 1
        world.clock.time, world.desk.authority = LATER, second
        dying = forks.Process(target=dying_renewal.renew, args=(step, world.archive.database._dsn, folder, what, LATER))
        dying.start()
        await asyncio.to_thread(dying.join)
        ended = dying.exitcode or 0
        assert ended in (0, -signal.SIGKILL)
        await dying_renewal.renewed(world, what)
        assert await dying_renewal.renewed(world, what) == Renewed(0, 0), "there is nothing left to do"
        ends.append(await end_of_the_last_batch(world))
    assert step > 15, "the steps are counted"
    assert ends == [ends[-1]] * step, "whatever step it was killed at, it ends as if it had not been"
    await check(world, documents, stamps=2)
    # Each token is told to the log, once.
    told = [Statement.read(bytes(str(row[0]), "ascii")) for row in await world.rows("SELECT convert_from(statement, 'UTF8') FROM leaves")]
    tokens = [sha256(row[0]).digest() for row in await world.rows("SELECT token FROM evidence_stamps")]  # type: ignore[arg-type]
    assert len(tokens) == 2 * step
    assert sorted(one.sha256 for one in told if one.kind is Kind.EVIDENCE) == sorted(tokens)


async def end_of_the_last_batch(world: World) -> list[tuple[object, ...]]:
    """Its time stamps by their place in its chains, with the leaves that each is over and what it waits for."""
    return await world.rows(
        "SELECT m.chain, m.position, m.place, s.algorithm, s.token IS NULL, s.stamped_at,"
        " (SELECT count(*) FROM evidence_members o WHERE o.stamp_id = m.stamp_id),"
        " (SELECT array_agg(l.place || l.algorithm ORDER BY l.place) FROM evidence_leaves l WHERE l.batch_id = m.batch_id)"
        " FROM evidence_members m JOIN evidence_stamps s USING (stamp_id)"
        " WHERE m.batch_id = (SELECT max(batch_id) FROM evidence_batches) ORDER BY m.chain, m.position"
    )
