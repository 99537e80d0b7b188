"""What signing announces: a class of signed documents, transcripts or class-subject sheets, by ids, versions and digests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TranscriptRef:
    """One transcript in one version; ids and digests only."""

    transcript_id: str
    pupil_id: str
    version: int
    content_digest: bytes
    public_id: str


@dataclass(frozen=True, slots=True)
class SheetRef:
    """One class-subject sheet in one version."""

    sheet_id: str
    version: int
    subject: str
    content_digest: bytes
    public_id: str


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A transcript that signing finished, as announced."""

    ref: TranscriptRef
    sha256: bytes
    size: int
    serials: tuple[tuple[str, str], ...]
    """(role, certificate serial in lower-case hexadecimal) of each signature."""

    @property
    def file_name(self) -> str:
        """Its name inside a pack."""
        return f"{self.ref.transcript_id}-v{self.ref.version}.pdf"


@dataclass(frozen=True, slots=True)
class SignedSheet:
    """A class-subject sheet that signing finished, as announced."""

    ref: SheetRef
    sha256: bytes
    size: int
    serials: tuple[tuple[str, str], ...]

    @property
    def file_name(self) -> str:
        """Its name inside a pack."""
        return f"{self.ref.sheet_id}-v{self.ref.version}.pdf"


@dataclass(frozen=True, slots=True)
class SignedSheets:
    """One class's finished sheets and the pack in staging that holds them."""

    class_id: str
    school_id: str
    province_id: str
    school_year: int
    manifest_id: str
    pack: str
    documents: tuple[SignedSheet, ...]


@dataclass(frozen=True, slots=True)
class SignedClass:
    """One class's finished transcripts and the pack in staging that holds them."""

    class_id: str
    school_id: str
    province_id: str
    school_year: int
    manifest_id: str
    pack: str
    documents: tuple[SignedDocument, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that was refused, and why."""

    document: SignedDocument | SignedSheet
    reason: str
    detail: str
