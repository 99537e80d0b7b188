"""Which certificate may sign for whom: the checks before a batch starts, each with a reason that says the cure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.signing.domain.roles import SignatureRole


class UntrustedCertificate(ValueError):
    """A certificate can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says of itself; `staff_id` is empty for an organisation's seal."""

    sha256: bytes
    serial: str
    common_name: str
    organisation: str
    issuer: str
    staff_id: str
    not_before: datetime
    not_after: datetime
    may_sign: bool


def unfit(facts: CertificateFacts, role: SignatureRole, staff_id: str, at: datetime, lasts: timedelta) -> str | None:
    """Why this certificate may not sign in this role now, or None when it may.

    `lasts` is how long the batch may take: a certificate that ends before the batch does is refused at the start.
    """
    if not facts.may_sign:
        return f"certificate {facts.serial} has no key usage for signing; ask the authority for a signing certificate"
    if at < facts.not_before:
        return f"certificate {facts.serial} is valid only from {facts.not_before.isoformat()}"
    if at + lasts > facts.not_after:
        return f"certificate {facts.serial} ends at {facts.not_after.isoformat()}, before the batch would; renew it first"
    if role is SignatureRole.SCHOOL_SEAL:
        return None if not facts.staff_id else f"certificate {facts.serial} is a person's; the seal needs the school's own"
    if facts.staff_id and facts.staff_id != staff_id:
        return f"certificate {facts.serial} names another person than the one who approved"
    return None
