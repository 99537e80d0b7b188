"""Who signs which document, and in which order."""

from __future__ import annotations

from enum import StrEnum


class SignatureRole(StrEnum):
    """One of the signatures on a page; the value is also the role's stable code."""

    SUBJECT_TEACHER = "subject_teacher"
    HOMEROOM_TEACHER = "homeroom_teacher"
    PRINCIPAL = "principal"
    SCHOOL_SEAL = "school_seal"


# The order on a transcript is policy (domain/policy.py); this is the one the published guidance describes for both kinds of school.
DEFAULT_ORDER = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL, SignatureRole.SCHOOL_SEAL)
# Whose block every official form prints (TT 27/2020, TT 22/2021): without their signature it would stay empty.
PRINTED = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL)
SHEET_ORDER = (SignatureRole.SUBJECT_TEACHER,)
COPY_ORDER = (SignatureRole.SCHOOL_SEAL,)

# Which offices may give a role's approval. A vice principal needs a recorded authority as well, which is checked apart.
OFFICES: dict[SignatureRole, tuple[str, ...]] = {
    SignatureRole.SUBJECT_TEACHER: ("subject_teacher",),
    SignatureRole.HOMEROOM_TEACHER: ("homeroom_teacher",),
    SignatureRole.PRINCIPAL: ("principal", "vice_principal"),
    SignatureRole.SCHOOL_SEAL: ("clerk",),
}
