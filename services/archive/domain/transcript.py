"""What signing announces: a class of signed documents, by ids, versions and digests."""

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
class SignedDocument:
    """A document that signing finished, as announced."""

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
class SignedClass:
    """One class's finished documents and the pack in staging that holds them."""

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

    document: SignedDocument
    reason: str
    detail: str
