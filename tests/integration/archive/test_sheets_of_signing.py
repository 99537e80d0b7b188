"""Class-subject sheets across the boundary: what signing really makes is admitted, transcripts wait for their sheets, changes are refused."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from hocba.archive.v1 import events_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import app, contracts
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.object_stores import open_staging
from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.get_sheet import GetSheet, ListSheets
from services.archive.application.get_status import GetStatus
from services.archive.application.ports import Filter, Viewer
from services.archive.application.retry_rejected import RetryRejected
from services.archive.domain.document import CLASS_SHEET, TRANSCRIPT
from services.archive.domain.findings import Reason
from services.archive.domain.pack import build_pack, read_pack
from services.archive.domain.transcript import SignedClass, SignedSheets
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.stack.signer_pki import SignerPki
from tests.integration.signing.world import CLASS, SCHOOL, a_world
from tests.support import forgeries
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust, trust_in
from tests.support.vaults import a_vault, a_window

EVERYTHING = Viewer(everything=True)


@dataclass
class Boundary:
    """What signing announced of one class with two sheets and a correction, and an archive that trusts its signers."""

    database: Database
    folder: Path
    anchors: Path
    sheets: list[SignedSheets]
    classes: list[SignedClass]
    documents: dict[tuple[str, int], bytes]

    @property
    def admit(self) -> AdmitTranscripts:
        stores = open_staging(str(self.folder / "staging")), a_vault(self.folder, self.database)
        return AdmitTranscripts(*stores, PostgresAdmissions(self.database), app.document_check(self.anchors, TRANSCRIPT), SystemClock())

    @property
    def admit_sheets(self) -> AdmitSheets:
        one = self.admit
        return AdmitSheets(one.staging, one.vault, one.admissions, app.document_check(self.anchors, CLASS_SHEET), one.clock, one)

    async def told(self) -> list[str]:
        async with self.database.transaction() as connection:
            return [row["type"].rsplit(".", 1)[1] for row in await connection.fetch("SELECT type FROM hocba_outbox ORDER BY id")]

    async def open_reasons(self) -> list[str]:
        return [item.reason for item in await PostgresCatalogue(self.database).rejected(EVERYTHING, Filter())]

    def forged(self, signed: SignedSheets, data: bytes) -> SignedSheets:
        """The sheet with other bytes, announced as if they were right."""
        document = replace(signed.documents[0], sha256=sha256(data).digest(), size=len(data))
        name = f"forged-{document.sha256.hex()}.zip"
        (self.folder / "staging" / name).write_bytes(build_pack({document.file_name: data}).data)
        return replace(signed, pack=name, documents=(document,))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signers() -> AsyncIterator[Trust]:
    with scratch_places("archive-sheet-signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture
async def boundary(make_database: DatabaseFactory, signers: Trust, tmp_path: Path) -> AsyncIterator[Boundary]:
    async with a_world(make_database("signing"), tmp_path, signers) as world:
        first = [("toan", 1, world.pupils), ("ngu_van", 1, world.pupils)]
        await world.seal(sheets=first)
        await world.work()
        await world.approve_all()
        await world.work()
        wrong = world.pupils[0]
        await world.seal(2, versions={wrong: 2}, comments={wrong: "Đã sửa điểm."}, sheets=[*first, ("toan", 2, [wrong])])
        await world.work()
        await world.approve_all()
        await world.work()
        sheets = [contracts.signed_sheets(event) for event in await world.told(signing_pb2.SheetsSigned)]
        classes = [contracts.signed_class(event) for event in await world.told(signing_pb2.TranscriptsSigned)]
        documents = await world.issued()
    database = Database(make_database("archive").url, name="archive-test", pool=4)
    await database.open()
    yield Boundary(database, tmp_path, signers.pki.anchors, sheets, classes, documents)
    await database.close()


async def test_sheets_are_admitted_and_then_their_transcripts(boundary: Boundary) -> None:
    for signed in boundary.sheets:
        assert await boundary.admit_sheets(signed) == Admission(1, 0, 0)
    assert [await boundary.admit(signed) for signed in boundary.classes] == [Admission(3, 0, 0), Admission(1, 0, 0)]
    assert await boundary.told() == ["SheetsArchived"] * 3 + ["TranscriptsArchived"] * 2
    for signed in boundary.sheets:
        assert await boundary.admit_sheets(signed) == Admission(0, 1, 0)
    assert len(await boundary.told()) == 5
    async with boundary.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM leaves") == 7


async def test_a_later_version_may_come_first_and_replaces_nothing(boundary: Boundary) -> None:
    for signed in reversed(boundary.sheets):
        assert await boundary.admit_sheets(signed) == Admission(1, 0, 0)
    catalogue = PostgresCatalogue(boundary.database)
    entries, token = await ListSheets(catalogue)(EVERYTHING, Filter(class_id=CLASS), "")
    assert (sorted((entry.ref.subject, entry.ref.version, entry.rows) for entry in entries), token) == ([("ngu_van", 1, 3), ("toan", 1, 3), ("toan", 2, 1)], "")
    get = GetSheet(catalogue, a_vault(boundary.folder, boundary.database))
    for entry in entries:
        again, data = await get(Viewer(schools=(SCHOOL,)), entry.ref.sheet_id, entry.ref.version)
        assert (again, data) == (entry, boundary.documents[entry.ref.sheet_id, entry.ref.version])
        status, _ = await GetStatus(catalogue, SystemClock())(entry.ref.public_id)
        assert status is not None
        assert (status.kind, status.newer_public_id) == ("sheet", "")
    for nobody in (Viewer(), Viewer(schools=("00000000-0000-0000-0000-000000000000",))):
        with pytest.raises(NotFound):
            await get(nobody, entries[0].ref.sheet_id, 1)


async def test_transcripts_wait_for_their_sheet_and_come_in_with_it(boundary: Boundary) -> None:
    first, second, correction = boundary.sheets
    assert await boundary.admit_sheets(first) == Admission(1, 0, 0)
    assert await boundary.admit(boundary.classes[0]) == Admission(0, 0, 3)
    assert await boundary.open_reasons() == [Reason.WAITING_FOR_SHEET] * 3
    assert await boundary.told() == ["SheetsArchived"], "nobody is told that they were refused, for they weren't"
    assert await boundary.admit(boundary.classes[0]) == Admission(0, 3, 0)
    assert await boundary.admit_sheets(second) == Admission(1, 0, 0)
    assert await boundary.open_reasons() == []
    assert await boundary.told() == ["SheetsArchived", "SheetsArchived", "TranscriptsArchived"]
    assert await boundary.admit_sheets(correction) == Admission(1, 0, 0)
    assert await boundary.admit(boundary.classes[1]) == Admission(1, 0, 0)


async def test_who_died_between_sheet_and_waiting_transcripts_finds_them_on_the_repeat(boundary: Boundary) -> None:
    assert await boundary.admit(boundary.classes[0]) == Admission(0, 0, 3)
    for signed in boundary.sheets:
        sleeping = boundary.admit_sheets
        assert (await sleeping._admit(signed, False)).admitted == 1
    assert await boundary.open_reasons() == [Reason.WAITING_FOR_SHEET] * 3
    assert await boundary.admit_sheets(boundary.sheets[0]) == Admission(0, 1, 0)
    assert await boundary.open_reasons() == []


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (forgeries.trailing_bytes, Reason.TRAILING_BYTES),
        (forgeries.cut_short, Reason.TRUNCATED),
        (forgeries.flipped_bit, Reason.SIGNED_BYTES_DIFFER),
        (forgeries.empty_update, Reason.REVISION_UNSIGNED),
        (forgeries.zeroed_signature, Reason.SIGNATURE_INVALID),
    ],
)
async def test_changed_sheets_are_refused_and_their_transcripts_wait(boundary: Boundary, forge: object, reason: Reason) -> None:
    good = boundary.sheets[0]
    data = boundary.documents[good.documents[0].ref.sheet_id, 1]
    forged = boundary.forged(good, forge(data))  # type: ignore[operator]  # A function from bytes to bytes.
    assert await boundary.admit_sheets(forged) == Admission(0, 0, 1)
    assert await boundary.open_reasons() == [reason]
    assert await boundary.told() == ["SheetsRejected"]
    await boundary.admit(boundary.classes[0])
    assert await boundary.open_reasons() == [reason, *[Reason.WAITING_FOR_SHEET] * 3]
    for signed in boundary.sheets:
        await boundary.admit_sheets(signed)
    assert await boundary.open_reasons() == []


async def test_a_transcript_is_no_sheet_and_a_sheet_no_transcript(boundary: Boundary) -> None:
    sheet, transcript = boundary.sheets[0].documents[0], boundary.classes[0].documents[0]
    page = boundary.documents[transcript.ref.transcript_id, 1]
    assert await boundary.admit_sheets(boundary.forged(boundary.sheets[0], page)) == Admission(0, 0, 1)
    assert not app.document_check(boundary.anchors, TRANSCRIPT)(boundary.documents[sheet.ref.sheet_id, 1]).accepted


async def test_an_operator_retries_refused_sheets_and_who_waits(boundary: Boundary) -> None:
    strangers = SignerPki(boundary.folder / "strangers").anchors
    one = boundary.admit_sheets
    distrusting = replace(one, check=app.document_check(strangers, CLASS_SHEET))
    for signed in boundary.sheets:
        assert await distrusting(signed) == Admission(0, 0, 1)
    for waiting in boundary.classes:
        await boundary.admit(waiting)
    total, lost = await RetryRejected(PostgresAdmissions(boundary.database), boundary.admit, one, a_window(boundary.database))()
    assert (lost, await boundary.open_reasons()) == (0, [])
    assert total.admitted >= 3
    assert set(await boundary.told()) == {"SheetsRejected", "SheetsArchived", "TranscriptsArchived"}


async def test_what_was_admitted_is_written_once(boundary: Boundary) -> None:
    await boundary.admit_sheets(boundary.sheets[0])
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        async with boundary.database.transaction() as connection:
            await connection.execute("UPDATE sheets SET subject = 'x'")
    other = boundary.forged(boundary.sheets[0], boundary.documents[boundary.sheets[0].documents[0].ref.sheet_id, 1] + b"\n")
    assert await boundary.admit_sheets(other) == Admission(0, 0, 1)
    assert await boundary.open_reasons() == []
    entries, _ = await ListSheets(PostgresCatalogue(boundary.database))(EVERYTHING, Filter(), "")
    assert [entry.sha256 for entry in entries] == [boundary.sheets[0].documents[0].sha256]


async def test_hocba_verify_judges_sheets_and_proofs_offline(boundary: Boundary) -> None:
    sheet = next(signed.documents[0] for signed in boundary.sheets if (signed.documents[0].ref.subject, signed.documents[0].ref.version) == ("toan", 1))
    transcript = boundary.classes[0].documents[0]
    good, row = boundary.folder / "sheet.pdf", boundary.folder / "transcript.pdf"
    good.write_bytes(boundary.documents[sheet.ref.sheet_id, 1])
    row.write_bytes(boundary.documents[transcript.ref.transcript_id, 1])
    of_sheet, of_transcript = json.loads(verified(good, row, "--trust", boundary.anchors, "--json"))
    assert (of_sheet["record"]["subject"], of_sheet["record"]["rows"], of_sheet["signers"][0]["role"]) == ("Toán", 3, "subject_teacher")
    for report in (of_sheet, of_transcript):
        assert {"check": "sheets", "state": "passed", "findings": []} in report["checks"]
    assert "bảng điểm môn" in verified(good, row, "--trust", boundary.anchors)


def verified(*arguments: str | Path) -> str:
    """What `hocba verify` says; it must be content."""
    return subprocess.run([sys.executable, "-m", "services", "verify", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


async def test_an_announced_pack_holds_what_it_says(boundary: Boundary) -> None:
    for signed in boundary.sheets:
        files = read_pack((boundary.folder / "staging" / signed.pack).read_bytes())
        assert {name: sha256(data).digest() for name, data in files.items()} == {d.file_name: d.sha256 for d in signed.documents}
    assert events_pb2.SheetsArchived.DESCRIPTOR.full_name == "hocba.archive.v1.SheetsArchived"
