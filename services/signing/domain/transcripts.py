"""Transcripts and class-subject sheets on their way through signing: what arrives, and in which state each version is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.signing.domain.documents import DocumentKind


class TranscriptState(StrEnum):
    """Where one pupil's version stands. `signed` means that every signature is on and announced."""

    SEALED = "sealed"
    PREPARED = "prepared"
    SIGNED = "signed"
    HALTED = "halted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Ref:
    """One transcript in one version, or one class-subject sheet (whose id stands in `transcript_id`, and no pupil's)."""

    transcript_id: str
    pupil_id: str
    version: int
    content_digest: bytes
    public_id: str
    kind: DocumentKind = DocumentKind.TRANSCRIPT
    subject: str = ""

    @property
    def file_name(self) -> str:
        """Name of the document inside a pack."""
        return f"{self.transcript_id}-v{self.version}.pdf"


@dataclass(frozen=True, slots=True)
class Place:
    """A class and whose it is."""

    class_id: str
    school_id: str
    province_id: str


@dataclass(frozen=True, slots=True)
class SealedPupil:
    """A sealed record as grading sent it; `failure` says why it can't be printed, if it can't.

    `sheets` are the class-subject sheets that the record names (id, version): all of them are signed before the record is.
    """

    ref: Ref
    content: bytes
    corrections: int
    failure: str = ""
    sheets: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SealedSheet:
    """A sealed class-subject sheet as grading sent it, and who is to sign it."""

    ref: Ref
    content: bytes
    staff_id: str | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class SealedClass:
    """One part (0-based) of a class version with the pupils that were sealed in it."""

    place: Place
    school_year: int
    grade: int
    level: str
    class_version: int
    part: int
    parts: int
    sealed_at: datetime
    homeroom_staff_id: str | None
    pupils: tuple[SealedPupil, ...]
    sheets: tuple[SealedSheet, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldClass:
    """A class as stored, its row locked for the running transaction."""

    place: Place
    school_year: int
    class_version: int
    sealed_at: datetime
    homeroom_staff_id: str | None
    level: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transcript that waits for its next signature: which PDF it is now, and in which pack that lies."""

    ref: Ref
    template_version: str
    template_digest: bytes
    body_digest: bytes
    signed_roles: int
    current_digest: bytes
    current_pack: str
