"""What the use cases need from outside, in their own words. Adapters fulfil it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.signing.domain.certificate import CertificateFacts
from services.signing.domain.documents import DocumentKind
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry, ManifestState
from services.signing.domain.orders import Order
from services.signing.domain.policy import Policy
from services.signing.domain.remote import RemoteRequest
from services.signing.domain.revocation import Revocation, Revoked, Unknown
from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import Stencil
from services.signing.domain.transcripts import HeldClass, Ref, Waiting
from services.signing.domain.validation import ValidationData
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
    image_digest: bytes = b""
    """The signer's picture at that time; empty when there was none."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest as stored, with its approvals and how far its documents are: transcripts, or one class-subject sheet."""

    manifest_id: str
    held: HeldClass
    class_version: int
    state: ManifestState
    version: int
    merkle_root: bytes
    policy: Policy
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
    image_digest: bytes = b""
    """The picture that new approvals with it take; empty: none."""


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
class Finished:
    """One document that is about to be announced with its proof of time."""

    waiting: Waiting
    result_digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Where:
    """What is asked about; empty parts don't narrow."""

    school_year: int = 0
    province_id: str = ""
    school_id: str = ""
    class_id: str = ""


@dataclass(frozen=True, slots=True)
class RoleProgress:
    """Of documents with pages (of a subject teacher: all sheets in force): how many need the role, carry it, have come to its turn, and
    are at that turn with an order under way. The others at its turn wait for an approval, or for a sheet."""

    role: SignatureRole
    needed: int
    signed: int
    turn: int
    ordered: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some documents don't go on: `waiting` ones do by themselves, the others need somebody."""

    code: str
    waiting: bool
    documents: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a province, a school or a class is, counted over the newest version of each transcript; `completed` ones carry every
    signature and are with the archive."""

    province_id: str
    school_id: str
    class_id: str
    school_name: str
    grade: int
    classes: int
    transcripts: int
    prepared: int
    completed: int
    roles: tuple[RoleProgress, ...]
    reasons: tuple[Reason, ...]

    def of(self, role: SignatureRole) -> RoleProgress:
        """The counts of one role."""
        return next(one for one in self.roles if one.role is role)


@dataclass(frozen=True, slots=True)
class FailureSpot:
    """Where a document that doesn't go on stands among the others: what a page of them ends with."""

    province_id: str
    school_id: str
    class_id: str
    transcript_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that doesn't go on; the reason may quote its record."""

    spot: FailureSpot
    kind: str
    subject: str
    code: str
    reason: str
    waiting: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """Orders of one lane (mass or express, each a topic) in one state (queued, or released to the workers), and their documents."""

    lane: str
    state: str
    orders: int
    documents: int


@dataclass(frozen=True, slots=True)
class PageMade:
    """An unsigned page."""

    pdf: bytes
    entry: Entry


class Press(Protocol):
    """Sets pages. Failures are per pupil and come back as text, since a class never dies for one of them."""

    async def set_pages(
        self, contents: Sequence[bytes], roles: tuple[SignatureRole, ...], *, with_xml: bool = False, originals: Sequence[bytes | None] = ()
    ) -> list[PageMade | str]:
        """A page or a reason for each record, class-subject sheet or copy, in their order; `roles` sign the transcripts, in that order.

        `originals` are what the copies among them are copies of, and extracts' parts, None for all others; without copies it may be left out.
        """
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
    image: Stencil | None = None


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
    """Homes of keys that answer at once: files and tokens."""

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """Signatures over SHA-256 digests, in their order.

        Unavailable when the home of the key is away (ask again later), Refused when this signer can't be served (tell him).
        """
        ...


class Noted(Protocol):
    """One use of a key as its journal keeps it; an intent is one."""

    @property
    def intent_id(self) -> str: ...
    @property
    def to_be_signed(self) -> bytes: ...
    @property
    def certificate_sha256(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request with what its signer is shown beside the digests."""

    request: RemoteRequest
    school_name: str
    school_year: int
    grade: int
    merkle_root: bytes


CheckValue = Callable[[bytes, bytes, bytes], bool]
"""Whether a signature value over a SHA-256 digest is by the key of a certificate: (certificate, digest, value)."""


@dataclass(frozen=True, slots=True)
class Activated:
    """The signer's confirmation: activation data for exactly the digests that were named. It is a secret while it lives."""

    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """No answer yet; `reference` is what the home calls the request, empty when it gave no name."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """Signature values in the order of the digests. Whose they are is checked by who takes them."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Declined:
    """It won't be signed: the signer or the home said no. `code` is stable, `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The home can't tell what became of the request."""


class RemoteHome(Protocol):
    """A home of keys whose answers come later. Unavailable: nothing was done; OutcomeUnknown: it may have been."""

    async def activate(self, request: RemoteRequest) -> Activated | Pending | Declined:
        """Ask for the signer's confirmation of these digests, or whether it has come (`request.reference`)."""
        ...

    async def sign(self, request: RemoteRequest, certificate: bytes, activation: Activated) -> Values | Pending | Declined:
        """Have them signed, once."""
        ...

    async def outcome(self, request: RemoteRequest) -> Values | Pending | Declined | NotKnown:
        """What became of a request that was sent, or may have been."""
        ...


class KeyJournal(Protocol):
    """Says what a key is about to do, on disk before it does it."""

    async def note(self, key_name: str, order_id: str, uses: Sequence[Noted]) -> None:
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


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a checked time-stamp token says: when, and who stamped (with the certificates up to the anchor)."""

    at: datetime
    certificate: bytes
    chain: tuple[bytes, ...]


class TimeAuthority(Protocol):
    """A time-stamp authority (RFC 3161)."""

    async def stamp(self, digests: Sequence[bytes]) -> list[bytes]:
        """A checked token over each SHA-256 digest. Unavailable when the authority is, Refused for an answer that isn't a token for it."""
        ...

    def read(self, token: bytes, digest: bytes) -> Stamp:
        """What a stored token says of a digest; Refused when it isn't over that."""
        ...


class LongTerm(Protocol):
    """Adds proof of time to signed documents. Nothing is kept between calls: the same input gives the same bytes."""

    async def over_signatures(self, pdfs: Mapping[Ref, bytes]) -> dict[Ref, bytes | str]:
        """What the first token of each must be over, or why there can be none."""
        ...

    async def over_validation(self, pdfs: Mapping[Ref, bytes], first: Mapping[Ref, bytes], data: ValidationData) -> dict[Ref, bytes | str]:
        """What the second token of each must be over, given the first."""
        ...

    async def finished(
        self, pdfs: Mapping[Ref, bytes], first: Mapping[Ref, bytes], second: Mapping[Ref, bytes], data: ValidationData
    ) -> dict[Ref, bytes | str]:
        """The finished documents, checked by other code than that which made them, or why the check failed."""
        ...


class Revocations(Protocol):
    """Asks the authorities whether certificates are revoked."""

    async def status(self, certificate: bytes, chain: Sequence[bytes]) -> Revocation:
        """Of the certificate and everything between it and its trust anchor: the worst answer."""
        ...

    async def proofs(self, certificates: Sequence[tuple[bytes, Sequence[bytes]]], not_before: datetime) -> ValidationData | Revoked | Unknown:
        """What proves that none of these (certificate, chain) was revoked before a moment: no answer in it is older than that."""
        ...
