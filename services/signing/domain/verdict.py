"""What is asked of a signed transcript before anybody hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.signing.domain.roles import SignatureRole


class NotAsIntended(ValueError):
    """A document isn't exactly what its intent says; the message says where. It must never be announced."""


@dataclass(frozen=True, slots=True)
class ExpectedSignature:
    """One signature that must be on: its field, its certificate by SHA-256, and the time that the intent fixed."""

    role: SignatureRole
    field: str
    certificate_sha256: bytes
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Expectation:
    """Everything that the finished bytes must agree with, taken from manifest and intents and from nowhere else."""

    body_digest: bytes
    content_digest: bytes
    signatures: Sequence[ExpectedSignature]
    order: Sequence[SignatureRole]
    fields: Sequence[str]
