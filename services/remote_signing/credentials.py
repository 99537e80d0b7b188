"""Keys of the stand-in: PKCS#12 files that stay loaded once somebody has asked for them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

_HASHED = utils.Prehashed(hashes.SHA256())
RSA_SHA256 = "1.2.840.113549.1.1.11"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_P256 = "1.2.840.10045.3.1.7"


@dataclass(frozen=True, repr=False)
class Credential:
    """A key with its certificates."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificates: tuple[x509.Certificate, ...]

    @property
    def algorithm(self) -> str:
        return RSA_SHA256 if isinstance(self.key, rsa.RSAPrivateKey) else ECDSA_SHA256

    def sign(self, digests: Sequence[bytes]) -> list[bytes]:
        """As a provider's module does: ECDSA with fresh randomness, so never the same twice."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return [self.key.sign(digest, padding.PKCS1v15(), _HASHED) for digest in digests]
        return [self.key.sign(digest, ec.ECDSA(_HASHED)) for digest in digests]

    def described(self) -> dict[str, Any]:
        """`key` and `cert` of credentials/info."""
        elliptic = not isinstance(self.key, rsa.RSAPrivateKey)
        return {
            "key": {"status": "enabled", "algo": [self.algorithm], "len": self.key.key_size} | ({"curve": _P256} if elliptic else {}),
            "cert": {
                "status": "valid",
                "certificates": [base64.b64encode(c.public_bytes(Encoding.DER)).decode() for c in self.certificates],
                "subjectDN": self.certificates[0].subject.rfc4514_string(),
            },
        }


class Credentials:
    """The folder of PKCS#12 files; a credential's id is the file's name without its ending."""

    def __init__(self, folder: Path, password_file: Path) -> None:
        self._folder, self._password_file = folder, password_file
        self._loaded: dict[str, Credential] = {}

    @property
    def ids(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.p12"))

    def get(self, name: str) -> Credential | None:
        """The credential, or None."""
        if name not in self._loaded:
            if name not in self.ids:
                return None
            content = (self._folder / f"{name}.p12").read_bytes()
            key, certificate, others = pkcs12.load_key_and_certificates(content, self._password_file.read_bytes())
            if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or certificate is None:
                return None
            self._loaded[name] = Credential(key, (certificate, *others))
        return self._loaded[name]
