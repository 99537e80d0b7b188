"""PKCS#12 files for tests of homes of keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

PASSWORD = b"only for this test"


def write_credential(folder: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """A key with a certificate of its own; gives the certificate (DER)."""
    subject, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(7)
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=2)).sign(key, hashes.SHA256())
    store = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, BestAvailableEncryption(PASSWORD))
    (folder / f"{name}.p12").write_bytes(store)
    (folder / "password").write_bytes(PASSWORD)
    return certificate.public_bytes(Encoding.DER)


def write_key(folder: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = PASSWORD) -> None:
    """`<folder>/<name>.p12`, and the password beside it."""
    (folder / f"{name}.p12").write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), key, None, None, BestAvailableEncryption(password)))
    (folder / "password").write_bytes(PASSWORD)
