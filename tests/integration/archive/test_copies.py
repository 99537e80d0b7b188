"""A certified copy from its order to the log: numbered, sealed by signing, checked again, issued, and judged by programs that had no part in it."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import asyncpg
import pikepdf
import pytest
import pytest_asyncio

from services.archive import app
from services.archive.adapters import evidence_records
from services.archive.adapters.evidence_ledger import PostgresEvidence
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.object_stores import open_staging
from services.archive.adapters.revocations import PostgresRevocations
from services.archive.adapters.trust_store import read_algorithms, trust_of
from services.archive.adapters.trusted_proofs import evidence_proof
from services.archive.application.confirm_revocation import ConfirmRevocation
from services.archive.application.evidence_ports import Token
from services.archive.application.get_evidence import BatchRecords, GetEvidence
from services.archive.application.ports import Viewer
from services.archive.application.request_revocation import RequestRevocation
from services.archive.application.revocation_ports import Caller
from services.archive.domain.copies import SignedCopies, content_of, year_of
from services.archive.domain.document import COPY
from services.archive.domain.findings import Reason
from services.archive.domain.pack import build_pack
from services.archive.domain.revocation import Decision, IssuedVersion, Person, RevocationReason
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import TranscriptRef
from services.chassis.clock import SystemClock
from services.chassis.errors import Conflict, NotFound, Refused
from tests.integration.archive.copy_office import CLERK, OFFICER, Office, an_office
from tests.integration.archive.log_world import make_world
from tests.integration.signing.world import PROVINCE, SCHOOL
from tests.support import forgeries
from tests.support.judges import dss, openssl, pdfsig, pyhanko, qpdf, verapdf
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.printed_text import printed
from tests.support.records import canonical, example
from tests.support.signed_pages import an_office as a_school
from tests.support.signed_pages import document_of
from tests.support.stamping import Root
from tests.support.trust import Trust, trust_in

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
ROOT = Root.make(NOW - timedelta(days=9), NOW + timedelta(days=99))
STAMPING = ROOT.authority(NOW - timedelta(days=9), NOW + timedelta(days=9))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signers() -> AsyncIterator[Trust]:
    with scratch_places("archive-copy-signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture
async def office(make_database: DatabaseFactory, signers: Trust, tmp_path: Path) -> AsyncIterator[Office]:
    async with an_office(make_database("archive"), make_database("signing"), tmp_path, signers) as made:
        yield made


async def test_a_copy_is_numbered_sealed_issued_and_logged(office: Office, tmp_path: Path) -> None:
    transcript_id, (public_id, original) = next(iter(office.issued.items()))
    copy_id = str(uuid.uuid4())
    ordered = await office.order(CLERK, copy_id, transcript_id, 0)
    assert await office.order(CLERK, copy_id, transcript_id, 0) == ordered, "a repeat is the same copy"
    assert await office.status(ordered.ref.public_id) is None, "nobody sees a copy before it is issued"
    assert await office.get(CLERK.viewer, copy_id) == (ordered, b"")
    ledger = PostgresEvidence(office.database)
    evidence = GetEvidence(office.catalogue, office.copies, ledger, BatchRecords(ledger, evidence_records))
    with pytest.raises(NotFound, match="waits for the school's seal"):
        await evidence.of_copy(CLERK.viewer, copy_id)
    with pytest.raises(NotFound, match="that you may see"):
        await evidence.of_copy(Viewer(schools=(str(uuid.uuid4()),)), copy_id)
    (signed,) = await office.sealed()
    assert [await office.admit(signed) for _ in range(2)] == [1, 0]
    assert await office.sealed() == [], "the same order again makes nothing"
    copy, data = await office.get(CLERK.viewer, copy_id)
    assert (copy.number, copy.sha256) == (1, sha256(data).digest())
    status = await office.status(copy.ref.public_id)
    assert status is not None
    assert (status.kind, status.newer_public_id, status.revoked_at) == ("copy", "", None)
    leaf = await office.catalogue.leaf(copy.ref.public_id)
    assert leaf is not None
    said = Statement.read(leaf[0])
    assert (said.kind, said.sha256, said.previous, said.content_digest) == (Kind.COPY, copy.sha256, sha256(original).digest(), copy.ref.content_digest)
    # The original is in it, byte for byte; nothing else in it tells whose it is.
    file = tmp_path / "sao-y.pdf"
    file.write_bytes(data)
    with pikepdf.open(file) as document:
        assert list(document.attachments) == ["sao-y.json", "tep-goc.pdf"]
        assert document.attachments["tep-goc.pdf"].get_file().read_bytes() == original
    page = await asyncio.to_thread(printed, data)
    assert [text for text in ("SAO Y", f"Số: 1/{copy.year}/SY", sha256(original).hexdigest()) if page.find(text) is None] == []
    # A copy of a document is worth what the document is worth.
    decision = Decision(RevocationReason.FRAUD, "9/QĐ-SGDĐT", date(2026, 5, 30), bytes(32))
    revocations = PostgresRevocations(office.database)
    asked = await RequestRevocation(revocations, SystemClock())(CLERK, str(uuid.uuid4()), transcript_id, 1, decision)
    await ConfirmRevocation(revocations, SystemClock())(OFFICER, asked.revocation_id)
    for each in (copy.ref.public_id, public_id):
        status = await office.status(each)
        assert status is not None
        assert status.decision_number == "9/QĐ-SGDĐT"
    with pytest.raises(Refused, match="revoked"):
        await office.order(CLERK, str(uuid.uuid4()), transcript_id, 0)
    # Evidence is over it as over every document, and finds it again when a hash tree is renewed.
    assert (await evidence.of_copy(CLERK.viewer, copy_id))[1].record == b"", "it waits for its time stamp"
    assert await ledger.cut("sha256", 100, SystemClock().now()) == len(office.issued) + 1
    [wanted] = await ledger.unstamped(10)
    await ledger.keep(wanted.stamp_id, Token(STAMPING.token("sha256", wanted.imprint, NOW), NOW, NOW + timedelta(days=9)), NOW)
    entry, proven = await evidence.of_copy(CLERK.viewer, copy_id)
    assert (entry, proven.sha256, proven.stamped_at) == (copy, copy.sha256, (NOW,))
    algorithms = read_algorithms(Path())
    tokens = TrustedTokens(lambda: trust_of([ROOT.identity.certificate]), lambda: algorithms)
    for file_of, whole in ((data, True), (original, False)):
        assert (await asyncio.to_thread(evidence_proof, proven.record, file_of, tokens, NOW)).whole is whole
    places = await ledger.locations(1, 0, 100)
    assert copy.sha256 in [place.sha256 for place in places if place.owner_id == copy.source.ref.pupil_id]
    assert [sha256(await office.vault.read(place)).digest() for place in places] == [place.sha256 for place in places]
    # fsck counts and opens it.
    world = make_world(office.database, office.owner_url, office.folder)
    await world.grow(0)
    found = await world.check(documents=True)
    assert (found.whole, found.documents, found.leaves) == (True, len(office.issued) + 1, len(office.issued) + 3), found.faults
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_numbers_have_no_gap_whoever_orders_at_once(office: Office) -> None:
    ids = [str(uuid.uuid4()) for _ in range(8)]
    transcripts = list(office.issued)
    stranger = Caller(Person("x", "x"), Viewer(schools=(str(uuid.uuid4()),)))
    orders = [office.order(CLERK, copy_id, transcripts[place % len(transcripts)], 0) for place, copy_id in enumerate(ids)]
    wrong = [office.order(stranger, str(uuid.uuid4()), transcripts[0], 0), office.order(CLERK, str(uuid.uuid4()), str(uuid.uuid4()), 0)]
    results = await asyncio.gather(*orders, *wrong, return_exceptions=True)
    assert [type(result) for result in results[len(ids) :]] == [NotFound, NotFound]
    # A transaction that dies after it has taken its number gives it back.
    async with office.copies.transaction(CLERK.viewer) as work:
        source = await work.issued(transcripts[0], 1)
    assert source is not None
    with pytest.raises(RuntimeError):
        await _killed(office, source.school_id)
    register = await office.list(OFFICER.viewer, SCHOOL, 0)
    assert [copy.number for copy in register] == list(range(1, len(ids) + 1))
    assert {copy.ref.copy_id for copy in register} == set(ids)
    with pytest.raises(Conflict, match="another original"):
        await office.order(CLERK, register[0].ref.copy_id, next(one for one in transcripts if one != register[0].source.ref.transcript_id), 0)
    owner = await asyncpg.connect(office.owner_url)
    try:
        await owner.execute("SET hocba.scope = 'system'")
        for change in ("UPDATE copy_counters SET last = last - 1", "DELETE FROM copy_counters", "UPDATE copies SET number = 99", "DELETE FROM copies"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(change)
    finally:
        await owner.close()


async def _killed(office: Office, school_id: str) -> None:
    """Dies with a number in its hand."""
    async with office.copies.transaction(CLERK.viewer) as work:
        await work.next_number(school_id, PROVINCE, year_of(SystemClock().now()))
        raise RuntimeError("killed")


async def test_what_is_no_copy_of_what_was_ordered_is_refused_and_parked(office: Office) -> None:
    first, second = list(office.issued)[:2]
    await office.order(CLERK, str(uuid.uuid4()), first, 0)
    await office.order(CLERK, str(uuid.uuid4()), second, 0)
    one, other = await office.sealed()
    (document,) = one.documents
    with pytest.raises(NotFound, match="never ordered"):
        await office.admit(replace(one, documents=(replace(document, ref=replace(document.ref, copy_id=str(uuid.uuid4()))),)))
    with pytest.raises(Refused, match="other words"):
        await office.admit(replace(one, documents=(replace(document, ref=replace(document.ref, public_id=other.documents[0].ref.public_id)),)))
    data = await open_staging(str(office.folder / "staging")).read(one.pack)
    pdf = data[data.index(b"%PDF-") : data.rindex(b"%%EOF") + 6]
    for change, code in (
        (forgeries.empty_update, "revision_unsigned"),
        (forgeries.flipped_bit, "signed_bytes_differ"),
        (forgeries.trailing_bytes, "trailing_bytes"),
    ):
        forged = change(pdf)
        pack = build_pack({document.file_name: forged})
        (office.folder / "staging" / f"{code}.zip").write_bytes(pack.data)
        lied = replace(document, sha256=sha256(forged).digest(), size=len(forged))
        with pytest.raises(Refused) as refused:
            await office.admit(SignedCopies(f"{code}.zip", (lied,)))
        assert refused.value.code == code
    assert await office.admit(one) == 1


def test_a_seal_around_another_original_is_no_copy(signers: Trust) -> None:
    """What a school that has its own key could make without us."""
    school = a_school(signers.pki)
    version = IssuedVersion(TranscriptRef("t", "p", 1, bytes(32), "PUBLIC"), sha256(b"%PDF the original").digest(), "class", SCHOOL, PROVINCE, 2025)
    content = content_of("copy", "COPYID", "1/2026/SY", version, canonical(example()))
    check = app.document_check(signers.pki.anchors, COPY)
    for original, reason in ((b"%PDF the original", None), (b"%PDF another", Reason.RECORD_DIFFERS)):
        sealed = school.sign(school.renderer.render(document_of(content), original=original).pdf, content)
        found = check(sealed).first
        assert (found.reason if found else None) == reason
    # The original under the seal of a copy is one file, and a transcript is none.
    transcript = school.sign(school.renderer.render(document_of(canonical(example()))).pdf, canonical(example()))
    assert not check(transcript).accepted


async def test_a_copy_whose_original_left_staging_comes_back_by_ordering_it_again(office: Office) -> None:
    copy_id = str(uuid.uuid4())
    await office.order(CLERK, copy_id, next(iter(office.issued)), 0)
    staged = office.folder / "staging" / "copies" / f"{copy_id}.zip"
    staged.unlink()
    assert await office.sealed() == []
    (row,) = await office.world.rows("SELECT failure FROM transcript WHERE kind = 'copy'")
    assert row["failure"].startswith("original_lost")
    await office.order(CLERK, copy_id, next(iter(office.issued)), 0)
    assert staged.is_file()


async def test_judges_and_the_offline_check_accept_a_copy_and_its_original(office: Office, tmp_path: Path) -> None:
    _, data = await office.copy(next(iter(office.issued)))
    file = tmp_path / "sao-y.pdf"
    file.write_bytes(data)
    anchors = [anchor.read_bytes() for anchor in office.world.pki.anchors.iterdir() if anchor.suffix != ".crl"]
    for judge in (pyhanko.judge, pdfsig.judge, openssl.judge, qpdf.judge, verapdf.judge, dss.judge):
        (report,) = await asyncio.to_thread(judge, [file], anchors)
        assert report.accepts, report.lines()
    (listened,) = await asyncio.to_thread(partial(verapdf.judge, [file], flavour="ua1"))
    assert (listened.problems, listened.conforms_to) == ((), "ua1")
    command = [sys.executable, "-m", "services", "verify", str(file), "--trust", str(office.world.pki.anchors), "--json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["accepted"], told["original"]["accepted"]) == (0, True, True), done.stdout + done.stderr
    assert told["record"]["number"].endswith("/SY")
    file.write_bytes(forgeries.trailing_bytes(data))
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (1, "trailing_bytes")
