"""What the test PKI keeps in its folder: the authorities' keys, what they have issued, and what they have revoked.

`services.stack.signer_pki` writes the folder and this process reads it, so a certificate that is revoked there is told of here
with the next answer. The keys are loaded once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and its certificate."""

    key: PrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @classmethod
    def from_files(cls, folder: Path, name: str) -> Identity:
        """`<name>.key` (PKCS#8) and `<name>.cer`, both DER."""
        key = serialization.load_der_private_key((folder / f"{name}.key").read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return cls(key, x509.load_der_x509_certificate((folder / f"{name}.cer").read_bytes()))


@dataclass(frozen=True, slots=True)
class Revocation:
    """Since when a certificate is revoked, and why."""

    at: datetime
    reason: x509.ReasonFlags


@dataclass
class Authority:
    """The root, the issuing authority below it, and those who answer in their name."""

    folder: Path
    root: Identity
    issuing: Identity
    responder: Identity
    time_stamps: Identity
    _revoked: dict[int, Revocation] = field(default_factory=dict)
    _issued: set[int] = field(default_factory=set)
    _seen: tuple[int, int] = (-1, -1)

    @classmethod
    def from_folder(cls, folder: Path) -> Authority:
        """The authority whose files lie in a folder; its keys stay loaded."""
        root, issuing, responder, time_stamps = (Identity.from_files(folder, name) for name in ("root", "issuing", "ocsp", "tsa"))
        return cls(folder, root, issuing, responder, time_stamps)

    @property
    def state(self) -> tuple[int, int]:
        """Changes whenever something is issued or revoked."""
        return _changed(self.folder / "issued"), _changed(self.folder / "revoked.json")

    @property
    def revoked(self) -> dict[int, Revocation]:
        """By serial number."""
        self._refresh()
        return self._revoked

    @property
    def issued(self) -> set[int]:
        """The serial numbers of every certificate of the issuing authority."""
        self._refresh()
        return self._issued

    def _refresh(self) -> None:
        state = self.state
        if state == self._seen:
            return
        issued, revoked = self.folder / "issued", self.folder / "revoked.json"
        self._issued = {int(line, 16) for line in issued.read_text().split()} if issued.exists() else set()
        told = json.loads(revoked.read_text()) if revoked.exists() else {}
        self._revoked = {int(serial, 16): Revocation(datetime.fromisoformat(one["at"]), x509.ReasonFlags(one["reason"])) for serial, one in told.items()}
        self._seen = state


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
