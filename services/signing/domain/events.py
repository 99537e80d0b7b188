"""What signing tells: facts that leave with the transaction that made them true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place, Ref


@dataclass(frozen=True, slots=True)
class OrderReleased:
    """A worker shall do this; `express` when the pupils must not wait behind a mass run."""

    order: Order
    express: bool


@dataclass(frozen=True, slots=True)
class ManifestMoved:
    """A manifest was made, approved by a role, completed, halted or rejected."""

    place: Place
    manifest_id: str
    version: int
    state: ManifestState | str
    role: SignatureRole | None
    merkle_root: bytes
    transcripts: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class RoleSigned:
    """A role's order is done: per pupil signed, or why not."""

    place: Place
    role: SignatureRole
    manifest_id: str
    outcomes: tuple[LineResult, ...]


@dataclass(frozen=True, slots=True)
class SignatureMade:
    """One announced signature of a transcript."""

    role: SignatureRole
    certificate_serial: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class FinishedTranscript:
    """A transcript, or a class-subject sheet, with every signature on."""

    ref: Ref
    sha256: bytes
    size: int
    template_version: str
    signatures: tuple[SignatureMade, ...]


@dataclass(frozen=True, slots=True)
class ClassSigned:
    """These transcripts, or these class-subject sheets, are complete; the pack lies in staging until the archive has admitted it."""

    place: Place
    school_year: int
    manifest_id: str
    pack: str
    pack_digest: bytes
    transcripts: tuple[FinishedTranscript, ...]
    signed_at: datetime
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class CertificateMoved:
    """A certificate is registered for a signer, or known to be revoked; `staff_id` is None for the school's seal."""

    school_id: str
    province_id: str
    sha256: bytes
    role: SignatureRole
    staff_id: str | None
    valid_from: datetime
    valid_until: datetime
    registered_at: datetime
    revoked_at: datetime | None = None


Event = OrderReleased | ManifestMoved | RoleSigned | ClassSigned | CertificateMoved
