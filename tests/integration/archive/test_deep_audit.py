"""The deep audit on a real database and a real folder: a range is judged, cut off, resumed; harm done to the store behind everybody's back is found."""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from services.archive.adapters.vault import EncryptedVault
from services.archive.application.ports import Deposit, Location, Vault
from services.archive.domain.pack import Pack
from services.archive.domain.transcript import SignedDocument
from services.audit import deep
from services.audit.deep import Range, Report
from services.chassis.errors import Malformed, Unavailable
from tests.integration.archive.test_admission import CLASS, PUPILS, SCHOOL, Archive, archive, staged, unique
from tests.support.signed_documents import digest, make_pki, shared_pki
from tests.support.vaults import a_vault

__all__ = ["archive"]


@dataclass(frozen=True)
class Harmed:
    """A store in which something is wrong with one document, by its SHA-256."""

    vault: Vault
    sha256: bytes
    harm: Callable[[bytes], bytes]

    async def keep(self, province_id: str, school_year: int, deposits: Sequence[Deposit]) -> Pack:
        return await self.vault.keep(province_id, school_year, deposits)

    async def read(self, place: Location) -> bytes:
        data = await self.vault.read(place)
        return self.harm(data) if place.sha256 == self.sha256 else data


def away(_: bytes) -> bytes:
    raise Unavailable("the disk does not answer", code="vault_down")


def changed(data: bytes) -> bytes:
    at = data.index(b"/MediaBox") + 14
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    return folder


async def audited(archive: Archive, trust: Path, wanted: Range = Range(), vault: Vault | None = None, resume: Path | None = None) -> tuple[Report, list[int]]:
    """The report, and by how much the progress moved each time."""
    steps: list[int] = []
    report = await deep.audit(archive.database, vault or store(archive), deep.Law(trust), wanted, 1, resume, steps.append)
    return report, steps


def store(archive: Archive) -> EncryptedVault:
    return a_vault(archive.folder, archive.database)


async def four_admitted(archive: Archive) -> list[tuple[SignedDocument, bytes]]:
    documents = [unique(pupil, 1) for pupil in PUPILS]
    await archive.admit(staged(archive, *documents))
    return documents


async def test_a_range_is_judged_by_both_and_found_good(archive: Archive, trust: Path) -> None:
    documents = await four_admitted(archive)
    report, steps = await audited(archive, trust)
    assert (report.checked, report.faulty, report.unread, report.through, steps) == (4, 0, {}, 4, [0, 4])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    nowhere = [Range(province="2025-02"), Range(school=str(uuid.uuid4())), Range(class_id=str(uuid.uuid4())), Range(since=tomorrow), Range(share=0)]
    assert [await deep.count(archive.database, wanted) for wanted in nowhere] == [0] * 5
    here = Range(province="2025-01", school=SCHOOL, class_id=CLASS, until=tomorrow)
    assert await deep.count(archive.database, here) == 4
    # Half of them by lot: the same half each time, and for some other word another one.
    drawn = {seed: {announced.sha256 for announced, _ in documents if lot(announced.sha256, seed) < 0.5} for seed in ("", "a", "b", "c", "d")}
    assert [await deep.count(archive.database, Range(share=0.5, seed=seed)) for seed in drawn] == [len(found) for found in drawn.values()]


def lot(sha256: bytes, seed: str) -> float:
    return int.from_bytes(digest(sha256 + seed.encode())[:4]) / 2**32


async def test_harm_to_the_store_is_found_and_its_neighbours_stay_good(archive: Archive, trust: Path) -> None:
    documents = await four_admitted(archive)
    harmed = documents[1][0]
    report, _ = await audited(archive, trust, vault=Harmed(store(archive), harmed.sha256, changed))
    assert (report.checked, report.faulty) == (4, 1)
    (found,) = report.listed
    assert found.document == f"transcript {PUPILS[1].transcript_id} v1"
    assert report.by_finding["sha256_differs"] == 1
    assert any(code.startswith("pyhanko_") for code in report.by_finding)
    (pack,) = (archive.folder / "vault").rglob("*.zip")
    whole, offset = pack.read_bytes(), await offset_of(archive, 2)
    pack.chmod(0o600)
    pack.write_bytes(whole[: offset + 100] + bytes((whole[offset + 100] ^ 1,)) + whole[offset + 101 :])
    report, _ = await audited(archive, trust)
    assert (report.checked, report.faulty, dict(report.by_finding)) == (4, 1, {"archive_damaged": 1})
    pack.unlink()
    report, _ = await audited(archive, trust)
    assert (report.faulty, dict(report.by_finding)) == (4, {"object_missing": 4})


async def offset_of(archive: Archive, index: int) -> int:
    async with archive.database.transaction() as connection:
        return int(await connection.fetchval("SELECT pack_offset FROM transcripts WHERE leaf_id = $1", index))


async def test_who_is_not_trusted_is_found_by_both(archive: Archive, trust: Path) -> None:
    await four_admitted(archive)
    (trust / "root.pem").write_bytes(shared_pki().people["principal"].certificate.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ValueError, match="no self-signed certificate"):
        await audited(archive, trust)
    (trust / "root.pem").write_bytes(make_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    report, _ = await audited(archive, trust)
    assert report.faulty == 4
    assert report.by_finding == {"signer_untrusted": 4, "pyhanko_signature_invalid": 4}


async def test_what_cannot_be_read_is_no_verdict_and_a_resumed_audit_reads_it_again(archive: Archive, trust: Path, tmp_path: Path) -> None:
    documents = await four_admitted(archive)
    kept = tmp_path / "audit.jsonl"
    report, _ = await audited(archive, trust, vault=Harmed(store(archive), documents[1][0].sha256, away), resume=kept)
    assert (report.checked, report.faulty, list(report.unread)) == (3, 0, [2])
    report, steps = await audited(archive, trust, resume=kept)
    assert (report.checked, report.unread, steps) == (4, {}, [3, 1])
    # All is told by the file now; a line that was cut off in the writing is judged again.
    assert (await audited(archive, trust, resume=kept))[1] == [4]
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    assert (await audited(archive, trust, resume=kept))[1] == [3, 1]
    assert [len(json.loads(line)) for line in kept.read_bytes().splitlines()[1:]] == [4, 1]
    with pytest.raises(Malformed, match="another range"):
        await audited(archive, trust, replace(Range(), school=SCHOOL), resume=kept)
    kept.write_bytes(b"words\n")
    with pytest.raises(Malformed, match="no file of a deep audit"):
        await audited(archive, trust, resume=kept)
