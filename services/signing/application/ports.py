"""What the use cases need from outside, in their own words. Adapters fulfil it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.signing.domain.certificate import CertificateFacts
from services.signing.domain.documents import DocumentKind
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry, ManifestState
from services.signing.domain.orders import Order
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import HeldClass, Ref, Waiting
from services.signing.domain.verdict import Expectation


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as far as repeating it is concerned: its id, the method, and a digest of everything it says."""

    request_id: str
    method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Approval:
    """A role's approval as stored."""

    role: SignatureRole
    merkle_root: bytes
    account_id: str
    person_id: str
    staff_id: str | None
    authority: str
    certificate_sha256: bytes
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest as stored, with its approvals and how far its documents are: transcripts, or one class-subject sheet."""

    manifest_id: str
    held: HeldClass
    class_version: int
    state: ManifestState
    version: int
    merkle_root: bytes
    transcripts: int
    approvals: tuple[Approval, ...]
    signed: tuple[SignatureRole, ...]
    kind: DocumentKind = DocumentKind.TRANSCRIPT
    # Of a class-subject sheet: its subject, and who is responsible for it.
    subject: str = ""
    responsible_staff_id: str | None = None

    @property
    def answerable_staff_id(self) -> str | None:
        """Who answers for the list: the homeroom teacher for transcripts, the responsible teacher for a sheet."""
        return self.responsible_staff_id if self.kind is DocumentKind.SHEET else self.held.homeroom_staff_id


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A manifest's line with what a signer sees beside it; the name is personal data."""

    entry: Entry
    ref: Ref
    full_name: str
    corrections: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A registered certificate and the name of its key behind the key port."""

    certificate: bytes
    chain: tuple[bytes, ...]
    key_name: str
    facts: CertificateFacts


@dataclass(frozen=True, slots=True)
class StoredPdf:
    """Where a document lies: pack, and the digest that it must have."""

    ref: Ref
    pack: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class PackWritten:
    """A pack as it lies in staging."""

    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature that is about to be announced."""

    waiting: Waiting
    intent: Intent
    result_digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class ClassProgress:
    """How far a class is, counted over the newest version of each transcript; `failures` are (transcript id, reason)."""

    class_id: str
    transcripts: int
    prepared: int
    signed: Mapping[SignatureRole, int]
    failures: tuple[tuple[str, str], ...]
    sheets: int = 0
    sheets_signed: int = 0


@dataclass(frozen=True, slots=True)
class PageMade:
    """An unsigned page."""

    pdf: bytes
    entry: Entry


class Press(Protocol):
    """Sets pages. Failures are per pupil and come back as text, since a class never dies for one of them."""

    async def set_pages(self, contents: Sequence[bytes]) -> list[PageMade | str]:
        """A page or a reason for each record or class-subject sheet, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """One document to be signed: its bytes, which must have this digest, and what has been signed before."""

    waiting: Waiting
    pdf: bytes
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Terms:
    """What all signatures of an order share."""

    order: Order
    role: SignatureRole
    holder: Holder
    authority: str


class Batch(Protocol):
    """Documents that wait for their signature values."""

    @property
    def outcomes(self) -> Sequence[Intent | str]:
        """For each task its intent, or why it can't be signed."""
        ...

    async def finish(self, signatures: Mapping[str, bytes]) -> dict[str, bytes | str]:
        """By intent id: the signed document, checked by other code than that which made it, or why the check failed."""
        ...


class Signatory(Protocol):
    """Makes and checks signatures; the key is used between the two halves, by the caller."""

    async def prepare(self, tasks: Sequence[Task], terms: Terms) -> Batch:
        """Everything but the key."""
        ...


class KeyStore(Protocol):
    """Where keys live: a file, a token, a remote provider."""

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """Signatures over SHA-256 digests, in their order. Unavailable when the home of the key is."""
        ...


class KeyJournal(Protocol):
    """Says what a key is about to do, on disk before it does it."""

    async def note(self, key_name: str, order_id: str, intents: Sequence[Intent]) -> None:
        """Durable on return."""
        ...


class Staging(Protocol):
    """Short-lived store of packs; a name is written once."""

    async def put(self, class_id: str, stage: str, files: Sequence[tuple[str, bytes]]) -> PackWritten:
        """Write a pack whose name follows from its bytes; the same files twice are one pack."""
        ...

    async def read(self, pdfs: Sequence[StoredPdf]) -> dict[Ref, bytes]:
        """Documents out of their packs, each compared with its digest; one that isn't there or differs is left out."""
        ...


class Certificates(Protocol):
    """Reads certificates and follows them to a trust anchor."""

    def read(self, certificate: bytes) -> CertificateFacts:
        """Facts of a DER certificate; UntrustedCertificate when it is none."""
        ...

    def check_chain(self, certificate: bytes, chain: Sequence[bytes], at: datetime) -> None:
        """UntrustedCertificate unless the chain leads to an anchor and every link is valid at this time."""
        ...
