"""Who signs which document, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from services.signing.domain.documents import DocumentKind


class SignatureRole(StrEnum):
    """One of the signatures on a page; the value is also the role's stable code."""

    SUBJECT_TEACHER = "subject_teacher"
    HOMEROOM_TEACHER = "homeroom_teacher"
    PRINCIPAL = "principal"
    SCHOOL_SEAL = "school_seal"


# The order on a transcript is policy (form data); this is the one the published guidance describes for both kinds of school.
DEFAULT_ORDER = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL, SignatureRole.SCHOOL_SEAL)
SHEET_ORDER = (SignatureRole.SUBJECT_TEACHER,)

# Which offices may give a role's approval. A vice principal needs a recorded authority as well, which is checked apart.
OFFICES: dict[SignatureRole, tuple[str, ...]] = {
    SignatureRole.SUBJECT_TEACHER: ("subject_teacher",),
    SignatureRole.HOMEROOM_TEACHER: ("homeroom_teacher",),
    SignatureRole.PRINCIPAL: ("principal", "vice_principal"),
    SignatureRole.SCHOOL_SEAL: ("clerk",),
}


def roles_for(kind: DocumentKind, on_transcripts: tuple[SignatureRole, ...]) -> tuple[SignatureRole, ...]:
    """The roles that sign a document of this kind, in their order; a sheet has one, whatever the policy for transcripts."""
    return SHEET_ORDER if kind is DocumentKind.SHEET else on_transcripts


def next_role(order: Sequence[SignatureRole], signed: int) -> SignatureRole | None:
    """The role whose turn it is once `signed` signatures are on; None when the transcript is complete."""
    return order[signed] if signed < len(order) else None
