"""Rows of PostgreSQL turned into the domain's words, and back into columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.signing.domain.documents import DocumentKind
from services.signing.domain.people import Appointment, StaffMember
from services.signing.domain.transcripts import HeldClass, Place, Ref, Waiting

Row = Mapping[str, Any]


def ref_of(row: Row) -> Ref:
    """A transcript's reference."""
    return Ref(
        transcript_id=str(row["transcript_id"]),
        pupil_id=str(row["pupil_id"] or ""),
        version=row["version"],
        content_digest=bytes(row["content_digest"]),
        public_id=row["public_id"],
        kind=DocumentKind(row["kind"]),
        subject=row["subject"],
    )


def refs_of(rows: Iterable[Row]) -> tuple[Ref, ...]:
    """References in the rows' order."""
    return tuple(ref_of(row) for row in rows)


def keys_of(refs: Sequence[Ref]) -> tuple[list[str], list[int]]:
    """Two columns: transcript ids and versions."""
    return [ref.transcript_id for ref in refs], [ref.version for ref in refs]


def class_of(row: Row) -> HeldClass:
    """A class."""
    place = Place(str(row["class_id"]), str(row["school_id"]), row["province_id"])
    homeroom = str(row["homeroom_staff_id"]) if row["homeroom_staff_id"] else None
    return HeldClass(place, row["school_year"], row["class_version"], row["sealed_at"], homeroom, row["level"])


def waiting_of(row: Row) -> Waiting:
    """A transcript that waits for its next signature."""
    return Waiting(
        ref_of(row),
        row["template_version"],
        bytes(row["template_digest"]),
        bytes(row["body_digest"]),
        row["signed_roles"],
        bytes(row["current_digest"]),
        row["current_pack"],
    )


def staff_of(row: Row) -> StaffMember:
    """A member of staff."""
    appointments = tuple(Appointment(**held) for held in json.loads(row["appointments"]))
    return StaffMember(str(row["staff_id"]), str(row["school_id"]), row["version"], row["person_id"], row["full_name"], appointments)
