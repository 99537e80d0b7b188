"""What proves that no certificate of a batch was revoked when its documents were stamped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class ValidationData:
    """Certificates between signers and anchors, OCSP responses and revocation lists: DER, each once, sorted."""

    certificates: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    crls: tuple[bytes, ...]

    @cached_property
    def name(self) -> bytes:
        """SHA-256 over all of it."""
        parts = (*self.certificates, b"", *self.ocsps, b"", *self.crls)
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
