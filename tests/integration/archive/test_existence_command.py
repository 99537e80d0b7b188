"""`hocba verify` on documents whose certificates have ended or are revoked by now, with and without what proves their age."""

import functools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from typer.testing import CliRunner

from services.__main__ import build
from services.archive.adapters.evidence_records import encode
from services.archive.domain.copies import content_of
from services.archive.domain.dossier import Dossier
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.status_list import Mark
from services.archive.domain.transcript import TranscriptRef
from services.stack.signer_pki import SignerPki
from tests.support.packed_documents import Section, transcript
from tests.support.proven import Proving
from tests.support.records import canonical, example
from tests.support.signed_documents import ROLES, SIGNED_AT, digest, make_pki, record_bytes, shared_pki
from tests.support.signed_pages import an_office, document_of
from tests.support.stamping import Root, first_chains

ENDED, SIGNED = SIGNED_AT - timedelta(days=300), SIGNED_AT - timedelta(days=350)
OLD = make_pki(valid_from=SIGNED_AT - timedelta(days=400), valid_for=timedelta(days=100))
ROOT = Root.make(SIGNED_AT - timedelta(days=4000), SIGNED_AT + timedelta(days=4000))
ROOT_WITH_RSA = Root.make(SIGNED_AT - timedelta(days=5000), SIGNED_AT + timedelta(days=4000), "rsa2048")
STAMPING = ROOT.authority(SIGNED_AT - timedelta(days=3000), SIGNED_AT + timedelta(days=3000))
RECORD: dict[str, Any] = {
    "pupil": {"name": "Nguyễn Thị Hoa", "born_on": "2012-03-04", "personal_number": "001312000017"},
    "school_class": {"name": "3A", "grade": 3},
}


def days_ago(days: float) -> datetime:
    return SIGNED_AT - timedelta(days=days)


@functools.cache
def signed(at: datetime, *, by_old: bool = True) -> bytes:
    """A transcript that was signed then, by signers whose certificates have ended since or are in force."""

    def backdated(section: Section) -> None:
        now, then = (moment.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ").encode() for moment in (SIGNED_AT, at))
        section.objects = {number: body.replace(now, then) for number, body in section.objects.items()}

    return transcript(OLD if by_old else shared_pki(), record_bytes(**RECORD), **dict.fromkeys(ROLES, backdated))


@pytest.fixture
def proving(tmp_path: Path) -> Proving:
    return Proving(tmp_path)


@pytest.fixture
def trust(proving: Proving) -> Path:
    """The directory of trust anchors of somebody who trusts signers of then and of now, and the authorities of both."""
    folder = proving.trust
    ROOT.write(folder)
    (folder / "old.pem").write_bytes(OLD.root.certificate.public_bytes(serialization.Encoding.PEM))
    return folder


def evidence(folder: Path, data: bytes, at: datetime) -> Path:
    """An evidence record with a time stamp of then."""
    file = folder / f"{digest(data).hex()}-{at:%Y%m%d}.er"
    file.write_bytes(encode(first_chains([[data], [b"another"]], STAMPING, at)[0]))
    return file


def verify(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["verify", *map(str, arguments)])
    return done.exit_code, done.output


def told(*arguments: str | Path) -> tuple[int, Any]:
    code, out = verify(*arguments, "--json")
    return code, json.loads(out)


def reasons(report: Any) -> Sequence[str]:
    return [finding["reason"] for check in report["checks"] for finding in check["findings"]]


def test_while_certificates_are_in_force_the_report_says_whose_word_the_time_is(tmp_path: Path, trust: Path) -> None:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed(days_ago(5), by_old=False))
    code, words = verify(file, "--trust", trust)
    ends = shared_pki().people["principal"].certificate.not_valid_after_utc.isoformat()
    assert (code, "do người ký tự khai" in words, ends in words) == (0, True, True), words


def test_past_the_end_of_certificates_it_says_which_proof_is_missing(tmp_path: Path, trust: Path) -> None:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed(SIGNED))
    code, words = verify(file, "--trust", trust)
    assert (code, "KHÔNG HỢP LỆ" in words, words.count("không có gì chứng minh chữ ký đã có khi chứng thư số còn hiệu lực")) == (1, True, 3), words
    assert f"lập trước {ENDED.isoformat()}" in words
    code, words = verify(file, "--trust", trust, "--lang", "en")
    assert (code, "NOT VALID" in words, f"made before {ENDED.isoformat()}" in words, "claims" in words) == (1, True, True, False), words


@pytest.mark.parametrize(("stamped", "code", "reason"), [(days_ago(320), 0, None), (days_ago(200), 1, "existence_unproven")])
def test_evidence_from_before_their_end_makes_it_valid(tmp_path: Path, trust: Path, stamped: datetime, code: int, reason: str | None) -> None:
    data = signed(SIGNED)
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(data)
    found, report = told(file, "--trust", trust, "--evidence", evidence(tmp_path, data, stamped))
    assert (found, report["accepted"], report["reason"], report["proven_at"]) == (code, code == 0, reason, stamped.isoformat()), report
    assert (report["evidence"]["whole"], report["evidence"]["proven_since"]) == (True, stamped.isoformat())
    assert {signer["in_force_until"] for signer in report["signers"]} == {ENDED.isoformat()}


@pytest.mark.parametrize(("stamped", "code"), [(None, 1), (12, 0), (8, 1)])
def test_a_revocation_list_at_hand_asks_for_a_proof_from_before_it(tmp_path: Path, trust: Path, stamped: int | None, code: int) -> None:
    pki, data = shared_pki(), signed(days_ago(20), by_old=False)
    serial = pki.people["principal"].certificate.serial_number
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(days_ago(10)).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(pki.issuing.certificate.subject).last_update(days_ago(1)).next_update(days_ago(-9))
    (trust / "list.crl").write_bytes(builder.add_revoked_certificate(entry).sign(pki.issuing.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(data)
    proof: list[str | Path] = ["--evidence", evidence(tmp_path, data, days_ago(stamped))] if stamped else []
    found, report = told(file, "--trust", trust, *proof)
    assert (found, reasons(report)) == (code, ["existence_unproven"] * code), report


def test_the_end_of_an_algorithm_in_the_directory_of_trust_asks_for_a_proof_as_well(tmp_path: Path, trust: Path) -> None:
    """The signers' certificates are in force for months to come; their kind of key was broken two days ago."""
    file, ended = tmp_path / "hoc-ba.pdf", days_ago(2).date()
    file.write_bytes(signed(days_ago(7), by_old=False))
    assert verify(file, "--trust", trust)[0] == 0
    digests = "".join(f'[[digest]]\nname = "{name}"\n' for name in ("sha256", "sha512"))
    (trust / "algorithms.toml").write_text(f'{digests}[[key]]\nkind = "ec"\nbits = 256\nuntil = {ended}\n[[key]]\nkind = "rsa"\nbits = 2048\n')
    code, report = told(file, "--trust", trust)
    assert (code, reasons(report)) == (1, ["existence_unproven"] * 3), report
    assert {signer["in_force_until"] for signer in report["signers"]} == {f"{ended}T00:00:00+00:00"}
    stamping = ROOT_WITH_RSA.authority(SIGNED_AT - timedelta(days=300), SIGNED_AT + timedelta(days=3000), "rsa2048")
    ROOT_WITH_RSA.write(trust)
    record = tmp_path / "rsa.er"
    record.write_bytes(encode(first_chains([[file.read_bytes()], [b"another"]], stamping, days_ago(6))[0]))
    assert told(file, "--trust", trust, "--evidence", record)[0] == 0


def test_bundles_and_dossiers_prove_it_by_their_evidence(tmp_path: Path, proving: Proving, trust: Path) -> None:
    """The evidence in these is of yesterday: early enough for who signed a week ago, too late for whose certificates have ended."""
    good, late = proving.bundles([signed(days_ago(7), by_old=False), signed(SIGNED)])
    for name, file, code in (("good.asice", good.encoded(), 0), ("late.asice", late.encoded(), 1), ("late.zip", Dossier.of([late]).encoded(), 1)):
        (tmp_path / name).write_bytes(file)
        found, report = told(tmp_path / name, "--trust", trust)
        assert (found, report["reason"]) == (code, "existence_unproven" if code else None), report


def test_what_is_told_beside_a_bundle_takes_the_place_of_what_is_in_it(tmp_path: Path, proving: Proving, trust: Path) -> None:
    """Who has got a renewed record or a newer proof since needs no other bundle for it."""
    data = signed(SIGNED)
    [late] = proving.bundles([data])
    file, dossier = tmp_path / "late.asice", tmp_path / "late.zip"
    file.write_bytes(late.encoded())
    dossier.write_bytes(Dossier.of([late]).encoded())
    good = evidence(tmp_path, data, days_ago(320))
    code, report = told(file, "--trust", trust, "--evidence", good)
    assert (code, report["accepted"], report["evidence"]["proven_since"]) == (0, True, days_ago(320).isoformat()), report
    code, report = told(file, "--trust", trust, "--evidence", evidence(tmp_path, b"another", days_ago(320)))
    assert (code, report["evidence"]["findings"][0]["reason"]) == (1, "document_not_covered"), report
    # The log has said since that it is revoked.
    [_, revoked] = proving.bundles([signed(days_ago(7), by_old=False), data], {1: Mark.REVOKED})
    for name in ("proof", "status"):
        (tmp_path / name).write_bytes(getattr(revoked, name))
    code, report = told(file, "--trust", trust, "--evidence", good, "--proof", tmp_path / "proof", "--status", tmp_path / "status")
    assert (code, report["reason"], report["log"]["standing"]) == (1, "revoked", "revoked"), report
    # What can't be used is refused, and never left aside in silence.
    assert told(file, "--trust", trust, "--evidence", good, "--statement", tmp_path / "proof")[1]["later"]["problems"][0]["problem"].startswith("the statement")
    unused: list[list[str | Path]] = [[file, "--sha256", digest(data).hex()], [dossier, "--evidence", good], [dossier, "--statement", tmp_path / "proof"]]
    for arguments in unused:
        code, words = verify(*arguments, "--trust", trust)
        assert (code, str(arguments[1]) in words, "ZIP" in words) == (2, True, True), words
    code, words = verify(file, "--trust", trust, "--original-evidence", good)
    assert (code, "holds no original" in words) == (2, True), words


def test_a_certified_copys_original_needs_a_proof_of_its_own(tmp_path: Path, trust: Path) -> None:
    """The seal of the copy is in force, the signatures below it no longer are; that the school says so is no proof of them."""
    original = signed(SIGNED)
    office = an_office(SignerPki(tmp_path / "keys"))
    for anchor in office.pki.anchors.iterdir():
        (trust / anchor.name).write_bytes(anchor.read_bytes())
    version = IssuedVersion(TranscriptRef("t", "p", 1, bytes(32), "PUBLIC"), digest(original), "class", "school", "2025-01", 2025)
    content = content_of("copy", "COPYID", "1/2026/SY", version, canonical(example()))
    copy = office.sign(office.renderer.render(document_of(content), original=original).pdf, content)
    file = tmp_path / "sao-y.pdf"
    file.write_bytes(copy)
    code, report = told(file, "--trust", trust)
    assert (code, reasons(report), reasons(report["original"])) == (1, [], ["existence_unproven"] * 3), report
    old = evidence(tmp_path, original, days_ago(320))
    code, report = told(file, "--trust", trust, "--original-evidence", old)
    assert (code, report["original"]["accepted"], report["original"]["evidence"]["whole"]) == (0, True, True), report
    # Evidence of the copy is evidence of what is in it, and here it is too young.
    code, report = told(file, "--trust", trust, "--evidence", evidence(tmp_path, copy, days_ago(1)))
    assert (code, report["evidence"]["whole"], report["original"]["proven_at"]) == (1, True, days_ago(1).isoformat()), report
    # The copy's record is about another file than its original.
    code, report = told(file, "--trust", trust, "--original-evidence", evidence(tmp_path, copy, days_ago(320)))
    assert (code, report["original"]["evidence"]["findings"][0]["reason"]) == (1, "document_not_covered")
    file.write_bytes(original)
    assert verify(file, "--trust", trust, "--original-evidence", old)[0] == 2
