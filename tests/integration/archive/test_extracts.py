"""An extract from its order to the log: what is chosen, numbered with the copies, sealed, checked again, issued, judged, and compared with its original."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

import pikepdf
import pytest
import pytest_asyncio

from hocba.archive.v1 import events_pb2
from services.archive import app
from services.archive.adapters.object_stores import open_staging
from services.archive.domain.copies import SignedCopies
from services.archive.domain.document import EXTRACT
from services.archive.domain.extracts import content_of_extract, part_of
from services.archive.domain.findings import Check, Reason
from services.archive.domain.pack import build_pack
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import TranscriptRef
from services.audit import deep
from services.audit.checks import each_version_is_one_leaf, nothing_lost, one_document_per_version
from services.audit.stores import QUERIES
from services.chassis.errors import Conflict, Malformed, NotFound, Refused
from services.stack.postgresql import Server
from tests.integration.archive.copy_office import CLERK, OFFICER, Office, an_office
from tests.integration.archive.log_world import make_world
from tests.integration.archive.test_deep_audit import Harmed
from tests.integration.signing.world import PROVINCE, SCHOOL
from tests.support import forgeries
from tests.support.judges import dss, openssl, pdfsig, pyhanko, qpdf, verapdf
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.printed_text import printed
from tests.support.records import canonical, example, with_sheet
from tests.support.signed_pages import an_office as a_school
from tests.support.signed_pages import document_of
from tests.support.trust import Trust, trust_in

PARTS = ["results", "subjects.toan"]


@dataclass(frozen=True)
class AsStores:
    """The stores of an office for the audit's checks; that grading has sealed what signing was told of is not this test's matter."""

    office: Office

    async def rows(self, name: str) -> list[Any]:
        if name == "grading.sealed_versions":
            ordered = {row["id"] for row in await self.rows("archive.ordered_copies")}
            return [row for row in await self.rows("signing.transcripts") if row["id"] not in ordered]
        database = self.office.world.database if name.startswith("signing.") else self.office.database
        async with database.transaction() as connection:
            return list(await connection.fetch(QUERIES[name]))

    async def parked_keys(self) -> dict[str, set[str]]:
        return {}

    async def problems(self) -> list[str]:
        found = [await check(self) for check in (nothing_lost, one_document_per_version, each_version_is_one_leaf)]  # type: ignore[arg-type]  # Stands for Stores.
        return [problem for finding in found for problem in finding.problems]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signers() -> AsyncIterator[Trust]:
    with scratch_places("archive-extract-signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(postgres: Server, database_template: DatabaseFactory, signers: Trust, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """One for all tests of this module, which follow each other."""
    templates = {service: database_template(service).name for service in ("archive", "signing")}
    databases = [postgres.copy(service, name, f"{name}_extracts") for service, name in templates.items()]
    async with an_office(databases[0], databases[1], tmp_path_factory.mktemp("extracts"), signers) as made:
        yield made
    for name in templates.values():
        postgres.drop(f"{name}_extracts")


async def test_an_extract_is_chosen_numbered_sealed_issued_and_logged(office: Office) -> None:
    transcript_id, (_, original) = next(iter(office.issued.items()))
    extract_id = str(uuid.uuid4())
    for wanted, why in ((["subjects.hoa_hoc"], r"no subjects\.hoa_hoc; choose among .*subjects\.toan"), ([], "at least one part")):
        with pytest.raises(Malformed, match=why):
            await office.order(CLERK, extract_id, transcript_id, 0, wanted)
    copied = await office.order(CLERK, str(uuid.uuid4()), transcript_id, 0)
    ordered = await office.order(CLERK, extract_id, transcript_id, 0, PARTS)
    assert (copied.number_text, ordered.number_text) == (f"1/{ordered.year}/SY", f"2/{ordered.year}/TrS"), "one row of numbers, none for a refusal"
    assert await office.order(CLERK, extract_id, transcript_id, 0, [*reversed(PARTS), "results"]) == ordered, "a repeat is the same extract"
    for other in (None, ["results"]):
        with pytest.raises(Conflict, match="other parts"):
            await office.order(CLERK, extract_id, transcript_id, 0, other)
    with pytest.raises(NotFound):
        await office.order(replace(CLERK, viewer=replace(CLERK.viewer, schools=(str(uuid.uuid4()),))), str(uuid.uuid4()), transcript_id, 0, PARTS)
    # Nothing of the pupil travels by Kafka.
    async with office.database.transaction() as connection:
        rows = await connection.fetch("SELECT payload FROM hocba_outbox WHERE type = $1", events_pb2.CopyOrdered.DESCRIPTOR.full_name)
    name = example()["pupil"]["name"]
    assert [row for row in rows if name.encode() in bytes(row["payload"])] == []
    signed = await office.sealed()
    assert [row["failure"] for row in await office.world.rows("SELECT failure FROM transcript WHERE kind = 'copy' AND failure <> ''")] == []
    assert sorted([await office.admit(one) for one in [*signed, *signed]]) == [0, 0, 1, 1]
    extract, data = await office.get(CLERK.viewer, extract_id)
    assert (extract.parts, extract.sha256) == (("subjects.toan", "results"), sha256(data).digest())
    assert [one.number_text for one in await office.list(OFFICER.viewer, SCHOOL, 0)] == [copied.number_text, ordered.number_text]
    status = await office.status(extract.ref.public_id)
    assert status is not None
    assert status.kind == "extract"
    leaf = await office.catalogue.leaf(extract.ref.public_id)
    assert leaf is not None
    said = Statement.read(leaf[0])
    assert (said.kind, said.sha256, said.previous, said.content_digest) == (Kind.EXTRACT, extract.sha256, sha256(original).digest(), extract.ref.content_digest)
    file = office.folder / "trich-sao.pdf"
    file.write_bytes(data)
    with pikepdf.open(file) as document:
        assert list(document.attachments) == ["trich-sao.json", "tu-ban-goc.json"]
        part = json.loads(document.attachments["tu-ban-goc.json"].get_file().read_bytes())
    assert ([row["code"] for row in part["subjects"]], "comments" in part, sorted(part["pupil"])) == (["toan"], False, ["born_on", "name"])
    page = await asyncio.to_thread(printed, data)
    wanted_texts = ("TRÍCH SAO", f"Số: {ordered.number_text}", sha256(original).hexdigest(), name.upper(), "Toán", "6,0", "Phần không trích")
    assert [text for text in wanted_texts if page.find(text) is None] == []
    assert [text for text in ("Ngữ văn", "NHẬN XÉT CỦA GIÁO VIÊN CHỦ NHIỆM") if page.find(text) is not None] == []
    # fsck accounts for its leaf and opens it.
    world = make_world(office.database, office.owner_url, office.folder)
    await world.grow(0)
    found = await world.check(documents=True)
    assert (found.whole, found.documents) == (True, len(office.issued) + 2), found.faults
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_what_is_no_extract_of_what_was_ordered_is_refused(office: Office) -> None:
    first, second = list(office.issued)[:2]
    await office.order(CLERK, str(uuid.uuid4()), first, 0, PARTS)
    await office.order(CLERK, str(uuid.uuid4()), second, 0)
    by_form = {(await office.get(CLERK.viewer, one.documents[0].ref.copy_id))[0].is_extract: one for one in await office.sealed()}
    (document,), (copied,) = by_form[True].documents, by_form[False].documents
    pdf, whole = [await _signed_pdf(office, by_form[is_extract]) for is_extract in (True, False)]
    for number, (forged, code) in enumerate(((forgeries.flipped_bit(pdf), "signed_bytes_differ"), (whole, "record_missing"))):
        (office.folder / "staging" / f"lie-{number}.zip").write_bytes(build_pack({document.file_name: forged}).data)
        lied = replace(document, sha256=sha256(forged).digest(), size=len(forged))
        with pytest.raises(Refused) as refused:
            await office.admit(SignedCopies(f"lie-{number}.zip", (lied,)))
        assert refused.value.code == code
    # One announcement with both: each is checked as what it is.
    (office.folder / "staging" / "both.zip").write_bytes(build_pack({document.file_name: pdf, copied.file_name: whole}).data)
    assert await office.admit(SignedCopies("both.zip", (document, copied))) == 2


async def _signed_pdf(office: Office, signed: SignedCopies) -> bytes:
    data = await open_staging(str(office.folder / "staging")).read(signed.pack)
    return data[data.index(b"%PDF-") : data.rindex(b"%%EOF") + 6]


def test_a_seal_around_another_part_is_no_extract(signers: Trust) -> None:
    """What a school that has its own key could make without us."""
    school = a_school(signers.pki)
    [record], _ = with_sheet([canonical(example())], "toan")
    told = json.loads(record)["transcript"]
    ref = TranscriptRef(told["id"], "p", told["version"], sha256(record).digest(), told["public_id"])
    version = IssuedVersion(ref, sha256(b"%PDF the original").digest(), "class", SCHOOL, PROVINCE, 2025)
    check = app.document_check(signers.pki.anchors, EXTRACT)
    part = part_of(record, PARTS, "copy")
    better = json.loads(part)
    better["subjects"][0]["year"] = "9.9"
    forged = canonical(better)
    honest = content_of_extract("copy", "COPYID", "1/2026/TrS", version, record, PARTS)
    lying = json.loads(honest)
    lying["part"]["sha256"] = sha256(forged).hexdigest()
    for content, attached, reason in (
        (honest, part, None),
        (honest, forged, Reason.RECORD_DIFFERS),
        # The seal alone makes no teacher's mark.
        (canonical(lying), forged, Reason.ROW_UNPROVEN),
    ):
        sealed = school.sign(school.renderer.render(document_of(content), original=attached).pdf, content)
        verdict = check(sealed)
        assert (verdict.first.reason if verdict.first else None) == reason
        assert Check.SHEETS not in verdict.skipped


async def test_judges_and_the_offline_check_accept_an_extract_and_compare_it_with_its_original(office: Office) -> None:
    transcript_id, (_, original) = list(office.issued.items())[-1]
    _, data = await office.copy(transcript_id, PARTS)
    file, source, other = (office.folder / f"{name}.pdf" for name in ("extract", "original", "other"))
    file.write_bytes(data)
    source.write_bytes(original)
    other.write_bytes(next(iter(office.issued.values()))[1])
    anchors = [anchor.read_bytes() for anchor in office.world.pki.anchors.iterdir() if anchor.suffix != ".crl"]
    for judge in (pyhanko.judge, pdfsig.judge, openssl.judge, qpdf.judge, verapdf.judge, dss.judge):
        (report,) = await asyncio.to_thread(judge, [file], anchors)
        assert report.accepts, report.lines()
    (listened,) = await asyncio.to_thread(partial(verapdf.judge, [file], flavour="ua1"))
    assert (listened.problems, listened.conforms_to) == ((), "ua1")

    async def verified(*more: str) -> tuple[int, dict[str, object]]:
        command = [sys.executable, "-m", "services", "verify", str(file), "--trust", str(office.world.pki.anchors), "--json", *more]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    code, told = await verified()
    assert (code, told["accepted"], "original" in told) == (0, True, False)
    assert told["record"]["parts"] == ["subjects.toan", "results"]  # type: ignore[index]
    code, told = await verified("--original", str(source))
    assert (code, told["accepted"], told["compared"], told["original"]["accepted"]) == (0, True, {"problem": None}, True)  # type: ignore[index]
    code, told = await verified("--original", str(other))
    assert (code, told["accepted"], told["compared"]) == (1, False, {"problem": "it is an extract of another file"})


async def test_audits_visit_copies_and_extracts(office: Office, signers: Trust) -> None:
    transcript_id = next(iter(office.issued))
    (copy_id, _), (extract_id, extract) = await office.copy(transcript_id), await office.copy(transcript_id, PARTS)
    law, ids = deep.Law(signers.pki.anchors), {copy_id, extract_id}
    before = len(office.issued) + len([copy for copy in await office.list(OFFICER.viewer, SCHOOL, 0) if copy.issued_at])
    report = await deep.audit(office.database, office.vault, law, deep.Range(), 1, None, lambda _: None)
    assert (report.checked, report.faulty) == (before, 0), report.listed
    assert await deep.count(office.database, deep.Range(school=SCHOOL)) == before
    harmed = Harmed(office.vault, sha256(extract).digest(), forgeries.flipped_bit)
    report = await deep.audit(office.database, harmed, law, deep.Range(), 1, None, lambda _: None)
    assert [verdict.document for verdict in report.listed] == [f"extract {extract_id} v1"]
    assert report.by_finding["sha256_differs"] == 1
    # Each step of a copy's way is asked for.
    stores, next_id = AsStores(office), str(uuid.uuid4())
    assert await stores.problems() == []
    assert ids <= {row["id"] for row in await stores.rows("archive.leaves")}
    await office.order(CLERK, next_id, transcript_id, 0)
    assert await stores.problems() == [f"sealed {next_id} v1 is unknown to signing"]
    signed = await office.sealed()
    assert await stores.problems() == [f"signed {next_id} v1 is neither archived nor rejected"]
    for one in signed:
        await office.admit(one)
    assert await stores.problems() == []
