"""What is known of a certificate's revocation. Three answers: not knowing is one of its own and never as good as valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ON_HOLD = "certificate_hold"
"""The one reason for a revocation that may be taken back (RFC 5280 section 5.3.1)."""


@dataclass(frozen=True, slots=True)
class Good:
    """Its authority says that it isn't revoked."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Its authority has revoked it."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody who may say it has said it; `why` is for operators."""

    why: str


Revocation = Good | Revoked | Unknown
