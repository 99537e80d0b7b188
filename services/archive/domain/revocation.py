"""
Revocation (thu hồi): a decision withdraws an issued version, which stays readable and says from then on that it was withdrawn.

Two persons make one: whoever asks for it on the ground of a signed decision, and an officer of the department who confirms it.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import TranscriptRef

FORM = "hocba/revocation/1"
_NUMBER = re.compile(r"[0-9]{1,6}(/[0-9]{4})?/[^\W_][\w.&-]{1,39}")


class RevocationReason(StrEnum):
    """Why a version is withdrawn. Codes are never renamed."""

    CONTENT_WRONG = "content_wrong"
    """Its results aren't those that the pupil earned."""
    IDENTITY_WRONG = "identity_wrong"
    """It is not about the person it names."""
    ISSUED_IN_ERROR = "issued_in_error"
    """It should not have been issued, or not by this school."""
    FRAUD = "fraud"
    """It came about by deceit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The signed document that withdraws a version. Number and date are public; of the file only its digest is kept."""

    reason: RevocationReason
    number: str
    """Such as 123/QĐ-SGDĐT."""
    day: date
    sha256: bytes

    def fault(self, today: date) -> str:
        """What is wrong with it, and how to mend that; empty when nothing is."""
        if not _NUMBER.fullmatch(self.number):
            # Everybody sees the number, so nothing that could hold a name gets through.
            return f"decision_number {self.number!r} is no number of a document; write it like 123/QĐ-SGDĐT"
        if len(self.sha256) != hashlib.sha256().digest_size:
            return "decision_sha256 is no SHA-256; send the 32 bytes of the decision's file"
        return f"decision_date {self.day} lies in the future; correct it" if self.day > today else ""

    def digest(self, public_id: str, version: int) -> bytes:
        """SHA-256 of the decision about this version, in the one way it is written: seven lines of UTF-8, each ended."""
        lines = (FORM, public_id, str(version), self.reason, self.number, self.day.isoformat(), self.sha256.hex())
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).digest()


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: an account, and the human behind it, who is the same behind all his or her accounts."""

    account_id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class IssuedVersion:
    """The version that is to be withdrawn."""

    ref: TranscriptRef
    sha256: bytes
    class_id: str
    school_id: str
    province_id: str
    school_year: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation that was asked for; it holds from `revoked_at` on, once another person has confirmed it."""

    revocation_id: str
    version: IssuedVersion
    decision: Decision
    requester: Person
    requested_at: datetime
    confirmer: Person | None = None
    revoked_at: datetime | None = None


def revoking(version: IssuedVersion, decision: Decision, at: datetime) -> bytes:
    """The leaf that withdraws a version."""
    ref = version.ref
    digest = decision.digest(ref.public_id, ref.version)
    return Statement(Kind.REVOKE, ref.public_id, ref.version, version.sha256, digest, None, version.school_id, at).canonical()
