"""Evidence of admitted documents: batches, time stamps from a real authority, records for each document, renewals, and the window."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.archive.adapters import evidence_records
from services.archive.adapters.evidence_ledger import PostgresEvidence
from services.archive.adapters.evidence_tokens import TrustedTokens, read_algorithms
from services.archive.adapters.time_authority import HTTPTimeAuthority
from services.archive.adapters.trust_store import TrustDirectory, trust_of
from services.archive.application.evidence_ports import Member, Token
from services.archive.application.evidence_window import LOOK_AGAIN, EvidenceWindow
from services.archive.application.get_evidence import BatchRecords, GetEvidence
from services.archive.application.renew_evidence import Renewed, RenewStamps, RenewTrees
from services.archive.application.stamp_batches import StampBatches
from services.archive.domain.evidence import verify
from services.archive.domain.statement import Kind, Statement
from services.archive.entrypoints.evidence import EvidenceKeeper
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import NotFound, Refused, Unavailable
from tests.integration.archive.test_admission import EVERYTHING, PUPILS, Archive, staged, unique
from tests.support.eventually import eventually
from tests.support.judges import bouncycastle
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.stamping import Root, Stamping, day
from tests.support.trust import Trust, trust_in

ROOT = Root.make(day("2026-01-01"), day("2100-01-01"))
BORN, LATER = day("2026-07-01"), day("2030-06-01")
POLICY = read_algorithms(Path())
TOKENS = TrustedTokens(lambda: trust_of([ROOT.identity.certificate]), lambda: POLICY)


@dataclass
class At:
    """A clock that stands where it is put."""

    time: datetime

    def now(self) -> datetime:
        return self.time


@dataclass
class Desk:
    """An authority in this process, whose clock is the test's; down while it is None."""

    clock: At
    authority: Stamping | None
    asked: list[bytes] = field(default_factory=list)

    async def stamp(self, algorithm: str, imprint: bytes) -> Token:
        if self.authority is None:
            raise Unavailable("the authority is down")
        self.asked.append(imprint)
        token = self.authority.token(algorithm, imprint, self.clock.now())
        return Token(token, self.clock.now(), TOKENS.good_until(token))


@dataclass
class World:
    """The use cases of evidence over one archive."""

    archive: Archive
    clock: At
    desk: Desk

    @property
    def ledger(self) -> PostgresEvidence:
        return PostgresEvidence(self.archive.database)

    @property
    def records(self) -> BatchRecords:
        return BatchRecords(self.ledger, evidence_records)

    @property
    def get(self) -> GetEvidence:
        return GetEvidence(self.archive.catalogue, self.ledger, self.records)

    def stamping(self, most: int = 10_000) -> StampBatches:
        return StampBatches(self.ledger, self.desk, self.clock, most, timedelta(minutes=10))

    async def add(self, number: int, at: datetime = BORN) -> list[bytes]:
        """Digests of documents that want evidence, as admission's trigger leaves them."""
        digests = [os.urandom(32) for _ in range(number)]
        async with self.archive.database.transaction() as connection:
            await connection.executemany("INSERT INTO evidence_documents (sha256, admitted_at) VALUES ($1, $2)", [(one, at) for one in digests])
        return digests

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.archive.database.transaction() as connection:
            return [tuple(row) for row in await connection.fetch(query)]


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[World]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    clock = At(BORN + timedelta(hours=1))
    yield World(Archive(database, databases.owner_url, tmp_path), clock, Desk(clock, ROOT.authority(day("2026-01-01"), day("2031-01-01"))))
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def trust() -> AsyncIterator[Trust]:
    with scratch_places("trust") as places, trust_in(places) as made:
        await made.start()
        yield made


async def test_each_admitted_document_gets_a_record_and_keeps_it_through_both_renewals(world: World) -> None:
    documents = [unique(pupil, 1) for pupil in PUPILS[:3]]
    await world.archive.admit(staged(world.archive, *documents))
    ids = [announced.ref.transcript_id for announced, _ in documents]
    _, pending = await world.get.of_transcript(EVERYTHING, ids[0], 0)
    assert (pending.record, pending.stamped_at, pending.good_until) == (b"", (), None)
    now = world.clock.time = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    assert await world.stamping(most=2)() == 2
    await check(world, documents, stamps=1)
    # The authority's successor stamps both batches at once; then SHA-256 is left behind, then stamped once more.
    world.clock.time = LATER
    world.desk.authority = ROOT.authority(day("2030-01-01"), day("2045-01-01"), "rsa2048")
    steps: list[tuple[int, int]] = []
    stamps, trees = RenewStamps(world.ledger, world.stamping(), world.clock), renewing_trees(world)
    assert await stamps(day("2031-06-01"), lambda done, total: steps.append((done, total))) == Renewed(2, 1)
    assert (await stamps(day("2031-06-01")), steps) == (Renewed(0, 0), [(2, 2)])
    await check(world, documents, stamps=2)
    world.clock.time = day("2038-01-01")
    assert await trees("sha512") == Renewed(2, 2)
    assert await trees("sha512") == Renewed(0, 0)
    await check(world, documents, stamps=3)
    world.clock.time = day("2044-01-01")
    world.desk.authority = ROOT.authority(day("2040-01-01"), day("2055-01-01"), "p384", "sha384")
    assert await stamps(day("2045-06-01")) == Renewed(2, 1)
    records = await check(world, documents, stamps=4, since=now)
    judged = [(record, [data]) for record, (_, data) in zip(records, documents, strict=True)]
    assert await asyncio.to_thread(bouncycastle.judge, judged, day("2044-06-01")) == [""] * 3
    with pytest.raises(NotFound):
        await world.get.of_transcript(EVERYTHING, "0b7e1f6e-7f5a-4d57-9a4e-999999999999", 0)
    async with world.ledger.database.transaction() as connection:
        tokens = [sha256(row["token"]).digest() for row in await connection.fetch("SELECT token FROM evidence_stamps")]
        leaves = [Statement.read(row["statement"]) for row in await connection.fetch("SELECT statement FROM leaves")]
    # Each time stamp is told to the log, once.
    assert sorted(leaf.sha256 for leaf in leaves if leaf.kind is Kind.EVIDENCE) == sorted(tokens)
    assert len(leaves) == len(tokens) + len(documents)


async def check(world: World, documents: list, stamps: int, since: datetime | None = None) -> list[bytes]:  # type: ignore[type-arg]
    """Every record proves its document and no other, as of the world's clock."""
    records = []
    for announced, data in documents:
        _, found = await world.get.of_transcript(EVERYTHING, announced.ref.transcript_id, 0)
        proof = await asyncio.to_thread(verify, evidence_records.decode(found.record), [data], TOKENS, POLICY, world.clock.time)
        assert (proof.whole, len(proof.stamps), proof.stamps) == (True, stamps, found.stamped_at), proof.findings
        assert since is None or proof.since == since
        assert not (await asyncio.to_thread(verify, evidence_records.decode(found.record), [data + b"\n"], TOKENS, POLICY, world.clock.time)).whole
        records.append(found.record)
    return records


def renewing_trees(world: World) -> RenewTrees:
    return RenewTrees(world.ledger, world.records, world.archive.get.vault, world.stamping(), world.clock)


async def test_a_tree_is_renewed_from_where_it_was_left_and_never_over_damaged_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [unique(pupil, 1) for pupil in PUPILS[:3]]
    await world.archive.admit(staged(world.archive, *documents))
    world.clock.time = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    await world.stamping()()
    monkeypatch.setattr("services.archive.application.renew_evidence.AT_ONCE", 2)
    world.desk.authority = None
    with pytest.raises(Unavailable):
        await renewing_trees(world)("sha512")
    assert await world.rows("SELECT count(*) FROM evidence_leaves") == [(3,)]
    # The time stamp is wanted; whoever comes next gets it, and reads no document again.
    world.desk.authority = ROOT.authority(day("2026-01-01"), day("2031-01-01"))
    assert await world.stamping()() == 1
    (file,) = (world.archive.folder / "vault").rglob("*.zip")
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"\x00", b"\x01"))
    await check(world, documents, stamps=2)
    with pytest.raises(Refused):
        await renewing_trees(world)("sha384")
    assert await world.rows("SELECT count(*) FROM evidence_leaves WHERE algorithm = 'sha384'") == [(0,)]


async def test_batches_are_cut_when_they_are_full_or_when_their_time_has_come(world: World) -> None:
    await world.add(25)
    world.clock.time = BORN + timedelta(minutes=9)
    assert await world.stamping(most=10)() == 2
    assert await world.rows("SELECT documents FROM evidence_batches ORDER BY batch_id") == [(10,), (10,)]
    world.clock.time = BORN + timedelta(minutes=10)
    assert await world.stamping(most=10)() == 1
    assert await world.rows("SELECT documents FROM evidence_batches WHERE documents < 10") == [(5,)]


async def test_ten_thousand_documents_share_one_time_stamp(world: World) -> None:
    digests = await world.add(10_000)
    assert await world.stamping()() == 1
    assert len(world.desk.asked) == 1
    found = await world.ledger.place_of(digests[5000])
    assert found is not None
    (chains,) = await world.records.chains(found[0], [found[1]])
    assert chains[0][0].lists[0] == (digests[5000],)
    assert len(evidence_records.encode(chains)) < 2048


async def test_many_at_once_put_each_document_into_one_batch_and_keep_the_first_token(world: World) -> None:
    await world.add(500)
    await asyncio.gather(*(world.stamping(most=100)() for _ in range(4)))
    assert await world.rows("SELECT count(*), count(DISTINCT (batch_id, place)) FROM evidence_documents WHERE batch_id IS NOT NULL") == [(500, 500)]
    assert await world.rows("SELECT count(*), count(token) FROM evidence_stamps") == await world.rows("SELECT count(*), count(*) FROM evidence_batches")
    (wanted,) = (await world.rows("SELECT stamp_id, token, algorithm, imprint FROM evidence_stamps ORDER BY stamp_id LIMIT 1"))[0:1]
    other = await world.desk.stamp("sha256", os.urandom(32))
    await world.ledger.keep(int(str(wanted[0])), other, world.clock.now())
    assert (await world.rows("SELECT stamp_id, token, algorithm, imprint FROM evidence_stamps ORDER BY stamp_id LIMIT 1"))[0] == wanted


async def test_a_batch_is_renewed_once_even_by_an_authority_that_ends_too_early(world: World) -> None:
    class Eager(PostgresEvidence):
        """Another process gets each time stamp as soon as it is wanted."""

        async def want(self, algorithm: str, imprint: bytes, members: Sequence[Member], at: datetime) -> bool:
            done = await super().want(algorithm, imprint, members, at)
            await world.stamping().stamp_wanted()
            return done

    await world.add(3)
    await world.stamping()()
    world.clock.time += timedelta(days=1)
    renew = RenewStamps(Eager(world.archive.database), world.stamping(), world.clock)
    assert await renew(day("2040-01-01")) == Renewed(1, 0)
    assert await world.rows("SELECT count(*) FROM evidence_members") == [(2,)]


async def test_nothing_of_it_can_be_changed_by_the_service(world: World) -> None:
    await world.add(3)
    await world.stamping()()
    for statement in (
        "UPDATE evidence_documents SET batch_id = NULL, place = NULL",
        "UPDATE evidence_stamps SET token = '\\x00'",
        "UPDATE evidence_members SET leaf = '\\x00'",
        "DELETE FROM evidence_documents",
        "DELETE FROM evidence_stamps",
        "TRUNCATE evidence_leaves",
    ):
        for url in (world.archive.owner_url, None):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
                await _run(world, statement, url)


async def _run(world: World, statement: str, url: str | None) -> None:
    if url is None:
        async with world.archive.database.transaction() as connection:
            await connection.execute(statement)
        return
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


async def test_past_the_window_admission_stops_and_goes_on_by_itself(world: World) -> None:
    window = EvidenceWindow(world.ledger, world.clock, timedelta(hours=4))
    await window.check()
    await world.add(2)
    desk, world.desk.authority = world.desk.authority, None
    world.clock.time = BORN + timedelta(hours=4)
    await window.check()
    with pytest.raises(Unavailable):
        await world.stamping()()
    world.clock.time += timedelta(seconds=1)
    with pytest.raises(Unavailable, match="2026-07-01"):
        await window.check()
    world.desk.authority = desk
    assert await world.stamping()() == 1
    world.clock.time += LOOK_AGAIN
    await window.check()


async def test_the_role_stamps_by_a_real_authority_and_comes_back_when_it_does(world: World, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.archive.entrypoints.evidence.RETRY_SECONDS", 0.1)
    await world.add(2, datetime.now(UTC) - timedelta(hours=1))
    trust.behave(tsa="down")
    tokens = TrustedTokens(TrustDirectory(trust.pki.anchors), lambda: POLICY)
    authority = HTTPTimeAuthority(trust.tsa, tokens, SystemClock())
    keeper, stop = EvidenceKeeper(StampBatches(world.ledger, authority, SystemClock())), asyncio.Event()
    running = asyncio.create_task(keeper.run(stop))

    async def stamped() -> bool:
        return await world.rows("SELECT count(token) FROM evidence_stamps") == [(1,)]

    async def wanted() -> bool:
        return await world.rows("SELECT count(*) FROM evidence_stamps") == [(1,)]

    await eventually(wanted, what="a batch")
    assert not await stamped()
    trust.behave()
    await eventually(stamped, what="a time stamp")
    stop.set()
    await running


@pytest.mark.parametrize(
    "how", ["wrong_nonce", "no_nonce", "wrong_imprint", "wrong_signature", "expired", "stranger", "wrong_usage", "wrong_policy", "early", "rejects", "garbage"]
)
async def test_no_wrong_answer_of_an_authority_is_believed(trust: Trust, how: str) -> None:
    tokens = TrustedTokens(TrustDirectory(trust.pki.anchors), lambda: POLICY)
    authority = HTTPTimeAuthority(trust.tsa, tokens, SystemClock(), policy="1.3.6.1.4.1.32473.1.3161")
    trust.behave()
    token = await authority.stamp("sha512", bytes(64))
    assert tokens.read(token.der).imprint == bytes(64)
    assert datetime.now(UTC) < token.good_until
    trust.behave(tsa=how)
    with pytest.raises(Refused):
        await authority.stamp("sha512", bytes(64))


@pytest.mark.parametrize("how", ["down", "slow"])
async def test_an_authority_that_doesnt_answer_is_asked_again_later(trust: Trust, how: str) -> None:
    tokens = TrustedTokens(TrustDirectory(trust.pki.anchors), lambda: POLICY)
    trust.behave(tsa=how)
    with pytest.raises(Unavailable):
        await HTTPTimeAuthority(trust.tsa, tokens, SystemClock(), seconds=0.3).stamp("sha256", bytes(32))
    with pytest.raises(Unavailable, match="HOCBA_ARCHIVE_TSA_URL"):
        await HTTPTimeAuthority("", tokens, SystemClock()).stamp("sha256", bytes(32))
