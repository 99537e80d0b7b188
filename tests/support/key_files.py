"""PKCS#12 files with a key alone, for tests of homes of keys."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

PASSWORD = b"only for this test"


def write_key(folder: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = PASSWORD) -> None:
    """`<folder>/<name>.p12`, and the password beside it."""
    (folder / f"{name}.p12").write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), key, None, None, BestAvailableEncryption(password)))
    (folder / "password").write_bytes(PASSWORD)
