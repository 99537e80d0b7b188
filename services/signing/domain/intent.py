"""What will be signed, fixed before any key is used (design, decision 5).

The signing time, the certificate and the appearance are part of the intent, and nothing else varies in the bytes; so the
same intent always yields the same document, and a worker that died may simply do it again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from services.signing.domain.roles import SignatureRole

_NAMESPACE = uuid.UUID("5a0c2f7e-6b1c-5d7f-9a55-8d2f0d5f1c11")


@dataclass(frozen=True, slots=True)
class Intent:
    """One signature that is about to be made.

    `before_digest` is SHA-256 of the PDF as it stands before this signature, `to_be_signed` SHA-256 of the CMS signed
    attributes: the 32 bytes that the key will see. `signed_at` is UTC with whole seconds. `image_digest` names the picture
    in the appearance; empty: there is none.
    """

    manifest_id: str
    transcript_id: str
    version: int
    role: SignatureRole
    template_digest: bytes
    before_digest: bytes
    to_be_signed: bytes
    certificate_sha256: bytes
    certificate_serial: str
    signed_at: datetime
    attempt: int = 0
    image_digest: bytes = b""

    @property
    def intent_id(self) -> str:
        """Named by what it is for, so that a repeat finds the first one instead of making a second."""
        name = f"{self.manifest_id}/{self.transcript_id}/{self.version}/{self.role.value}/{self.attempt}"
        return str(uuid.uuid5(_NAMESPACE, name))
