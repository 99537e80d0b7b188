"""OpenSSL, which knows nothing of the stand-in's code, accepts its answers and notices when they are wrong."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.stack.signer_pki import KeyKind, Signer, SignerPki
from tests.support.places import scratch_places
from tests.support.trust import Trust, trust_in

TSA_KEYS = [KeyKind.RSA_2048, KeyKind.P_256]


def _openssl(*words: str | Path, cwd: Path) -> str:
    answer = subprocess.run(["openssl", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    return answer.stdout + answer.stderr


def _certificates(pki: SignerPki, folder: Path, name: str = "signer", kind: KeyKind = KeyKind.P_256) -> bytes:
    """A new signer's certificate, and everybody's as PEM in the folder."""
    (made,) = pki.make([Signer(name, "Nguyễn Thị Mẫu", "Trường Mẫu", "Thành phố Mẫu", key_kind=kind)])
    for file, der in (("signer", made.certificate), ("issuing", made.chain[0]), ("root", (pki.anchors / "root.cer").read_bytes())):
        (folder / f"{file}.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM))
    (folder / "chain.pem").write_bytes((folder / "root.pem").read_bytes() + (folder / "issuing.pem").read_bytes())
    return made.certificate


def _ocsp(trust: Trust, folder: Path, *more: str) -> str:
    words = ("ocsp", "-issuer", "issuing.pem", "-cert", "signer.pem", "-url", f"{trust.url}/ocsp", "-CAfile", "chain.pem", *more)
    return _openssl(*words, cwd=folder)


async def test_openssl_hears_good_and_then_revoked_with_reason(trust: Trust, tmp_path: Path) -> None:
    trust.behave()
    certificate = _certificates(trust.pki, tmp_path, "to-revoke")
    good = _ocsp(trust, tmp_path)
    assert "Response verify OK" in good
    assert "signer.pem: good" in good
    at = datetime.now(UTC) - timedelta(hours=3)
    trust.pki.revoke(certificate, at, x509.ReasonFlags.affiliation_changed)
    revoked = _ocsp(trust, tmp_path)
    assert "signer.pem: revoked" in revoked
    assert "Reason: affiliationChanged" in revoked
    listed = x509.load_der_x509_crl(trust.get("/crl/issuing.crl"))
    serial = x509.load_der_x509_certificate(certificate).serial_number
    found = listed.get_revoked_certificate_by_serial_number(serial)
    assert found is not None
    assert found.revocation_date_utc == at.replace(microsecond=0)
    (tmp_path / "issuing.crl").write_bytes(trust.get("/crl/issuing.crl"))
    assert "verify OK" in _openssl("crl", "-inform", "DER", "-in", "issuing.crl", "-CAfile", "chain.pem", "-noout", cwd=tmp_path)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("wrong_nonce", "Nonce Verify error"),
        ("unknown", "signer.pem: unknown"),
        ("stale", "Status times invalid"),
        ("stranger", "Response Verify Failure"),
        ("not_a_responder", "Response Verify Failure"),
        ("try_later", "trylater"),
    ],
)
async def test_openssl_notices_each_misbehaviour_of_ocsp(trust: Trust, tmp_path: Path, how: str, says: str) -> None:
    _certificates(trust.pki, tmp_path)
    trust.behave(ocsp=how)
    answer = _ocsp(trust, tmp_path)
    trust.behave()
    assert says in answer


async def test_certificate_of_another_authority_is_unauthorized(trust: Trust, tmp_path: Path) -> None:
    trust.behave()
    with scratch_places("other") as places:
        _certificates(SignerPki(places.keys / "signers"), tmp_path)
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Another CA")])
    assert issuer != x509.load_pem_x509_certificate((tmp_path / "issuing.pem").read_bytes()).subject
    assert "unknown" in _ocsp(trust, tmp_path), "the same name, but nobody here has issued it"


def _stamp(trust: Trust, folder: Path, *more: str) -> str:
    (folder / "data").write_bytes(b"hoc ba")
    _openssl("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query.tsq", *more, cwd=folder)
    answer = trust.get("/tsa", (folder / "query.tsq").read_bytes(), "application/timestamp-query")
    (folder / "answer.tsr").write_bytes(answer)
    return _openssl("ts", "-verify", "-queryfile", "query.tsq", "-in", "answer.tsr", "-CAfile", "root.pem", "-untrusted", "issuing.pem", cwd=folder)


@pytest.mark.parametrize("kind", TSA_KEYS)
async def test_openssl_verifies_time_stamps_of_either_key(tmp_path: Path, kind: KeyKind) -> None:
    with scratch_places("tsa") as places, trust_in(places, time_stamp_key=kind) as trust:
        await trust.start()
        _certificates(trust.pki, tmp_path)
        assert "Verification: OK" in _stamp(trust, tmp_path)
        assert "Verification: OK" in _stamp(trust, tmp_path, "-no_nonce")
        assert "Verification: OK" in _stamp(trust, tmp_path, "-sha512")
        token = tsp.TimeStampResp.load((tmp_path / "answer.tsr").read_bytes())["time_stamp_token"]
        info = token["content"]["encap_content_info"]["content"].parsed
        assert abs(info["gen_time"].native - datetime.now(UTC)) < timedelta(minutes=1)
        again = trust.get("/tsa", (tmp_path / "query.tsq").read_bytes(), "application/timestamp-query")
        other = tsp.TimeStampResp.load(again)["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
        assert other["serial_number"].native != info["serial_number"].native


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("wrong_nonce", "nonce mismatch"),
        ("no_nonce", "nonce not returned"),
        ("wrong_imprint", "message imprint mismatch"),
        ("expired", "certificate has expired"),
        ("stranger", "self-signed certificate"),
        ("wrong_usage", "unsuitable certificate purpose"),
        ("wrong_signature", "signature failure"),
        ("rejects", "the authority is closed today"),
    ],
)
async def test_openssl_notices_each_misbehaviour_of_the_time_stamp_authority(trust: Trust, tmp_path: Path, how: str, says: str) -> None:
    _certificates(trust.pki, tmp_path)
    trust.behave(tsa=how)
    answer = _stamp(trust, tmp_path)
    trust.behave()
    assert "Verification: OK" not in answer
    assert says in answer


async def test_certificates_name_the_services_and_are_made_anew_when_these_move(tmp_path: Path) -> None:
    signer = Signer("mover", "Trần Văn Mẫu", "Trường Mẫu", "Thành phố Mẫu", key_kind=KeyKind.P_256)
    with scratch_places("moving") as places:
        folder = places.keys / "signers"
        (silent,) = SignerPki(folder).make([signer])
        (first,) = SignerPki(folder, services="http://127.0.0.1:1").make([signer])
        (kept,) = SignerPki(folder).make([signer])
        (moved,) = SignerPki(folder, services="http://127.0.0.1:2").make([signer])
    assert kept.certificate == first.certificate
    assert len({silent.certificate, first.certificate, moved.certificate}) == 3
    places_of = x509.load_der_x509_certificate(moved.certificate).extensions
    points = places_of.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [str(name.value) for point in points for name in point.full_name or []] == ["http://127.0.0.1:2/crl/issuing.crl"]
    access = places_of.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [str(one.access_location.value) for one in access] == ["http://127.0.0.1:2/ca/issuing.cer", "http://127.0.0.1:2/ocsp"]
    before, after = (x509.load_der_x509_certificate(one.chain[0]) for one in (first, moved))
    assert before != after
    assert before.public_key() == after.public_key(), "the same authority: what it signed before still leads to it"
