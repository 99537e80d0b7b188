"""The stores of one transaction, as the use cases see them. Adapters fulfil them over PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.signing.application.ports import (
    Approval,
    Backlog,
    EntryRow,
    Failure,
    FailureSpot,
    Finished,
    Holder,
    ManifestRow,
    OpenRequest,
    PackWritten,
    Progress,
    Request,
    Signed,
    StoredPdf,
    Where,
)
from services.signing.domain.documents import DocumentKind
from services.signing.domain.events import CertificateMoved, Event, FinishedTranscript
from services.signing.domain.fair_release import Queued, Turns
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry, ManifestState
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.people import Caller, StaffMember
from services.signing.domain.policy import Policy
from services.signing.domain.remote import RemoteRequest, RequestState
from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import Stencil
from services.signing.domain.transcripts import HeldClass, Ref, SealedClass, Waiting
from services.signing.domain.validation import ValidationData


class Classes(Protocol):
    """Classes and the sealed contents of their pupils."""

    async def hold(self, class_id: str) -> HeldClass | None:
        """The class, its row locked until the end: whoever changes anything of a class does this first."""
        ...

    async def take(self, sealed: SealedClass) -> HeldClass:
        """Make or find the class, its row locked; raises its version to the sealed one when that is newer."""
        ...

    async def add_part(self, sealed: SealedClass) -> tuple[bool, int]:
        """Note one part of a class version: whether it is new, and how many parts are here now."""
        ...

    async def add_pupils(self, sealed: SealedClass) -> None:
        """Store contents; a halted version comes back to life, and unfinished older versions are superseded."""
        ...

    async def add_sheets(self, sealed: SealedClass) -> None:
        """Store class-subject sheets with who is to sign them now; a halted one comes back to life. Versions stand side by side."""
        ...

    async def add_copy(self, held: HeldClass, ref: Ref, content: bytes) -> bool:
        """Store a certified copy that is to be made; False when it is here already."""
        ...

    async def needing(self, sheets: Sequence[Ref]) -> dict[str, tuple[Ref, ...]]:
        """By ready manifest that its first role has approved: its unsigned pupils whose records name one of these sheets."""
        ...

    async def to_prepare(self, class_id: str) -> tuple[Ref, ...]:
        """The pupils whose page is still to be made."""
        ...

    async def to_prepare_again(self, class_id: str) -> tuple[Ref, ...]:
        """The pupils without a page for a reason that a retry may have mended; not those whom an unlock has halted."""
        ...

    async def contents(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        """The sealed records of these pupils."""
        ...

    async def prepared(self, refs: Sequence[Ref], entries: Sequence[Entry], pack: str) -> None:
        """The pages are made and lie in this pack."""
        ...

    async def failed(self, results: Sequence[LineResult]) -> None:
        """Note why these pupils can't go on."""
        ...

    async def waiting(self, refs: Sequence[Ref], signed_roles: int) -> dict[Ref, Waiting]:
        """Those that are prepared and carry exactly so many signatures; before the first one, that name no unsigned sheet."""
        ...

    async def halt_unfinished(self, class_id: str, manifest_id: str | None, failure: str) -> None:
        """Unsigned pupils of the class (or of one manifest) wait for a new manifest."""
        ...

    async def signed_count(self, class_id: str) -> int:
        """How many transcripts of the class's present version are signed to the end."""
        ...


class ProgressCounts(Protocol):
    """How far classes are. Whatever changes a class that it holds has it counted again when its transaction ends."""

    async def latest_year(self) -> int:
        """The latest school year of which anything was sealed; 0 when there is none."""
        ...

    async def add_up(self, by: str, where: Where) -> list[Progress]:
        """One row per `province`, `school` or `class` of a school year."""
        ...

    async def of_classes(self, school_id: str, class_id: str) -> list[Progress]:
        """One row per class of a school, or of one class, without reasons."""
        ...

    async def failures(self, where: Where, after: FailureSpot | None, at_most: int) -> list[Failure]:
        """Documents that don't go on, in the order of their spots."""
        ...


class Manifests(Protocol):
    """Manifests and approvals."""

    async def add(
        self,
        manifest_id: str,
        kind: DocumentKind,
        held: HeldClass,
        root: bytes,
        entries: Sequence[Entry],
        policy: Policy,
        now: datetime,
    ) -> None:
        """Store a new manifest; it never grows, and its policy never changes."""
        ...

    async def get(self, manifest_id: str) -> ManifestRow | None:
        """A manifest of a class that this transaction may see."""
        ...

    async def listed(self, school_id: str, class_id: str, awaiting: SignatureRole | None) -> list[ManifestRow]:
        """Manifests by school or class, newest first; with `awaiting` only ready ones that lack this approval."""
        ...

    async def entries(self, manifest_id: str) -> list[EntryRow]:
        """The lines in canonical order."""
        ...

    async def lines(self, manifest_id: str) -> list[Entry]:
        """The lines alone, as the root is over them."""
        ...

    async def stored(self, manifest_id: str, transcript_id: str) -> StoredPdf | None:
        """Where the unsigned page of a line lies."""
        ...

    async def approve(self, manifest_id: str, approval: Approval) -> int:
        """Store an approval; gives the manifest's new version."""
        ...

    async def move(self, manifest_id: str, state: ManifestState, reason: str) -> int:
        """Change the state of a ready manifest; gives the new version."""
        ...

    async def unfinished(self, manifest_id: str) -> int:
        """How many of its transcripts still lack a signature and could get one."""
        ...


class Orders(Protocol):
    """Orders and their lines."""

    async def add(self, order: Order, now: datetime, express: bool, keep_time: bool) -> bool:
        """Store an order with its lines, released when it is express, else queued; False when it is there already."""
        ...

    async def get(self, order_id: str) -> Order | None:
        """The order with the lines that are still open, or None."""
        ...

    async def many(self, order_ids: Sequence[str]) -> list[Order]:
        """These orders in this order, each with the lines that are still open."""
        ...

    async def finish_lines(self, order_id: str, results: Sequence[LineResult], now: datetime) -> None:
        """Close lines as done or failed; an order without open lines is done."""
        ...

    async def drop(self, class_id: str, manifest_id: str | None, reason: str, now: datetime) -> None:
        """Cancel the queued and released orders of a class (or of one manifest): workers find nothing to do."""
        ...

    async def failed(self, class_id: str) -> list[Order]:
        """The newest orders whose lines failed, each with just those lines."""
        ...

    async def waits(self, order_id: str) -> tuple[datetime, int, datetime | None] | None:
        """Since when an order waits for an outside party, how often it has asked, and until when it waits (None: it was woken); None when it never did."""
        ...

    async def put_off(self, order_id: str, since: datetime, tries: int, reason: str, due_at: datetime) -> None:
        """Let an order wait until then."""
        ...

    async def wake(self, now: datetime, at_most: int) -> list[Order]:
        """Take the orders that are due and still released out of their wait, each by one process only."""
        ...


class Queue(Protocol):
    """Orders that wait for their province's turn, and those that are with the workers."""

    async def alone(self) -> bool:
        """False when nothing is queued; else nobody else releases until the transaction ends."""
        ...

    async def in_flight(self, since: datetime) -> int:
        """How many documents of mass orders are with the workers, released after this time."""
        ...

    async def standing(self, at_most: int) -> tuple[dict[str, list[Queued]], Turns]:
        """The first orders of each province, oldest first, and where the round stands."""
        ...

    async def release(self, orders: Sequence[Queued], turns: Turns, now: datetime) -> list[str]:
        """Release orders and keep where the round stands; gives those that were still queued. `now` is their signing time, if they have none."""
        ...

    async def let_go(self, order_id: str) -> None:
        """The workers have it no more; its room is free."""
        ...

    async def put_back(self, order_id: str, express: bool) -> bool:
        """A released order goes on: express with the workers, else into its province's queue. False when it isn't released."""
        ...

    async def backlog(self) -> list[Backlog]:
        """What is queued or with the workers."""
        ...


class Journalled(Protocol):
    """Intents, announced signatures, and the void register."""

    async def intend(self, order_id: str, intents: Sequence[Intent], now: datetime) -> dict[str, Intent]:
        """Record intents before the key is used; gives what stands recorded, by intent id, be it new or of an earlier try."""
        ...

    async def intended(self, intent_ids: Sequence[str]) -> dict[str, bytes]:
        """The digests that these intents name."""
        ...

    async def announce_signatures(self, signed: Sequence[Signed], pack: PackWritten, now: datetime, last: bool) -> None:
        """Note announced signatures; the transcript's present PDF is now this one."""
        ...

    async def void(self, intents: Sequence[str], reason: str, now: datetime) -> None:
        """These intents lead to nothing; a repeat changes nothing."""
        ...

    async def void_reasons(self, intent_ids: Sequence[str]) -> dict[str, str]:
        """Why these intents lead to nothing, as far as they do."""
        ...

    async def spent(self, order: Order) -> bool:
        """Whether an intent of the order's pupils in its attempt is void, so that only a new attempt can lead anywhere."""
        ...

    async def void_orphans(self, class_id: str, now: datetime) -> None:
        """Void every intent of the class that can lead to no issued transcript: manifest halted, version replaced, or
        a newer attempt made."""
        ...

    async def finished(self, manifest_id: str, refs: Sequence[Ref]) -> list[FinishedTranscript]:
        """Digest, size and announced signatures of these transcripts under this manifest, in signing order."""
        ...


class Remote(Protocol):
    """Signature values that are kept because they can't be made twice alike, and requests to homes that answer later."""

    async def stored(self, intent_ids: Sequence[str]) -> dict[str, bytes]:
        """The values that are here."""
        ...

    async def store(self, request_id: str | None, values: Mapping[str, bytes], now: datetime) -> dict[str, bytes]:
        """Keep values by intent; gives what stands stored: the first that came wins, another one goes to the void register."""
        ...

    async def void_values(self, request_id: str | None, values: Mapping[str, bytes], reason: str, now: datetime) -> None:
        """These values come to nothing, as far as they aren't the stored ones."""
        ...

    async def asked_for(self, intent_ids: Sequence[str]) -> set[str]:
        """Those of the intents that stand in an open request."""
        ...

    async def add(self, request: RemoteRequest, due: datetime) -> None:
        """Store a request; a repeat changes nothing."""
        ...

    async def get(self, request_id: str) -> RemoteRequest | None:
        """A request that this transaction may see."""
        ...

    async def open_for(self, school_id: str, certificate_sha256: bytes, home: str, now: datetime) -> list[OpenRequest]:
        """Open requests under ready manifests that wait for the holder of a certificate, oldest first."""
        ...

    async def take_due(self, homes: Sequence[str], now: datetime, until: datetime, most: int) -> list[tuple[RemoteRequest, bytes, bool]]:
        """Open requests that are due, with their certificate and whether the manifest is still ready; nobody else takes them until then."""
        ...

    async def move(self, request_id: str, state: RequestState, reference: str | None, due: datetime, now: datetime) -> bool:
        """Note where an open request is (None keeps the reference); False when it isn't open any more."""
        ...

    async def hurry(self, request_id: str, now: datetime) -> None:
        """Ask about it at once."""
        ...

    async def close(self, request_id: str, state: RequestState, reason: str, now: datetime) -> None:
        """End an open request."""
        ...

    async def open_of(self, order_id: str) -> int:
        """How many open requests an order has."""
        ...


class People(Protocol):
    """Staff, schools and certificates."""

    async def know_school(self, school_id: str, province_id: str, version: int, name: str) -> None:
        """Keep a school's newest facts."""
        ...

    async def know_staff(self, member: StaffMember) -> None:
        """Keep a member's newest appointments; the school must be known."""
        ...

    async def know_homeroom(self, class_id: str, staff_id: str | None, version: int) -> None:
        """A class that is here already has another homeroom teacher."""
        ...

    async def know_teaching(self, class_id: str, version: int, responsible: Mapping[str, str]) -> None:
        """Keep the newest list of who is responsible for a class's subjects; it decides who signs their sheets."""
        ...

    async def province_of(self, school_id: str) -> str | None:
        """The school's province, or None while the school is unknown."""
        ...

    async def staff_of_person(self, school_id: str, person_id: str) -> list[StaffMember]:
        """All staff rows of a human being at a school."""
        ...

    async def staff(self, staff_id: str) -> StaffMember | None:
        """One member."""
        ...

    async def register(self, school_id: str, province_id: str, role: SignatureRole, staff_id: str | None, holder: Holder, by: str, now: datetime) -> None:
        """Keep a certificate; registering it again changes nothing but its picture, if the holder names one."""
        ...

    async def keep_image(self, school_id: str, province_id: str, image: Stencil, now: datetime) -> None:
        """Keep a picture once, by its digest."""
        ...

    async def image(self, school_id: str, digest: bytes) -> Stencil | None:
        """The picture of this digest; None for the empty one."""
        ...

    async def holder_for(self, school_id: str, role: SignatureRole, staff_id: str | None) -> Holder | None:
        """The newest certificate that isn't revoked."""
        ...

    async def holder(self, school_id: str, role: SignatureRole, sha256: bytes) -> Holder | None:
        """This very certificate, unless it was revoked."""
        ...

    async def signers(self, school_id: str, sha256s: Sequence[bytes]) -> list[tuple[bytes, tuple[bytes, ...]]]:
        """These certificates with their chains, revoked meanwhile or not."""
        ...

    async def revoked(self, sha256: bytes, since: datetime) -> None:
        """This certificate is revoked: nobody approves or signs with it any more."""
        ...

    async def certificate_moves(self, sha256: bytes) -> list[CertificateMoved]:
        """How this certificate stands, for each school and role that it is registered for."""
        ...

    async def certificates_after(self, sha256: bytes, limit: int) -> list[bytes]:
        """The next certificates in the order of their digests; empty bytes for the beginning."""
        ...


class Proofs(Protocol):
    """Time stamps and revocation answers: what can't be made twice, so the first stored is the one that counts."""

    async def tokens(self, order_id: str, place: int) -> dict[str, tuple[bytes, bytes]]:
        """By transcript id (imprint, token), for the first (1) or the second (2) stamp of an order's documents."""
        ...

    async def keep_tokens(self, order_id: str, place: int, tokens: Sequence[tuple[Ref, bytes, bytes, datetime]], now: datetime) -> None:
        """Store (document, imprint, token, its time); what stands there already stays."""
        ...

    async def data(self, order_id: str) -> tuple[datetime, ValidationData] | None:
        """What the authorities said for an order's documents, and from when on."""
        ...

    async def keep_data(self, order_id: str, not_before: datetime, data: ValidationData, now: datetime) -> None:
        """Store it; what stands there already stays."""
        ...

    async def finish(self, manifest_id: str, finished: Sequence[Finished], pack: PackWritten, now: datetime) -> None:
        """These documents are complete with their proof of time."""
        ...


class Halts(Protocol):
    """Halts by unlock, so that a repeat gets the first answer."""

    async def find(self, unlock_id: str) -> tuple[int, int] | None:
        """The first answer, or None."""
        ...

    async def keep(self, unlock_id: str, class_id: str, halted: int, announced: int, now: datetime) -> None:
        """Keep the answer."""
        ...


class Work(Protocol):
    """One transaction's worth of stores; committed at the end of the block, rolled back on any error."""

    classes: Classes
    manifests: Manifests
    orders: Orders
    queue: Queue
    progress: ProgressCounts
    journal: Journalled
    people: People
    proofs: Proofs
    halts: Halts
    remote: Remote

    async def announce(self, *events: Event) -> None:
        """Tell others, in this transaction."""
        ...

    async def answered(self, request: Request) -> Mapping[str, str] | None:
        """The answer given to this request before."""
        ...

    async def keep_answer(self, request: Request, answer: Mapping[str, str]) -> None:
        """Keep the answer for repeats; call it last."""
        ...


class Transactions(Protocol):
    """Opens transactions: for a caller with the caller's rows, without one for the service itself."""

    def __call__(self, caller: Caller | None = None) -> AbstractAsyncContextManager[Work]: ...
