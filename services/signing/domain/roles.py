"""Who signs a transcript, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class SignatureRole(StrEnum):
    """One of the signatures on the page; the value is also the role's stable code."""

    HOMEROOM_TEACHER = "homeroom_teacher"
    PRINCIPAL = "principal"
    SCHOOL_SEAL = "school_seal"


# The order is policy (form data); this is the one the published guidance describes for both kinds of school.
DEFAULT_ORDER = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL, SignatureRole.SCHOOL_SEAL)

# Which offices may give a role's approval. A vice principal needs a recorded authority as well, which is checked apart.
OFFICES: dict[SignatureRole, tuple[str, ...]] = {
    SignatureRole.HOMEROOM_TEACHER: ("homeroom_teacher",),
    SignatureRole.PRINCIPAL: ("principal", "vice_principal"),
    SignatureRole.SCHOOL_SEAL: ("clerk",),
}


def next_role(order: Sequence[SignatureRole], signed: int) -> SignatureRole | None:
    """The role whose turn it is once `signed` signatures are on; None when the transcript is complete."""
    return order[signed] if signed < len(order) else None
