"""What archiving needs from the outside, in its own words."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.domain.admission import Held
from services.archive.domain.class_sheets import SheetFacts
from services.archive.domain.document import FiledSignature
from services.archive.domain.existence import TimeStamp
from services.archive.domain.findings import Finding
from services.archive.domain.pack import Pack
from services.archive.domain.transcript import Rejection, SheetRef, SignedClass, SignedSheets, TranscriptRef


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as the certificate says. `subject` is personal data: show it to who holds the file, never log it."""

    role: str
    subject: str
    issuer: str
    serial: str
    """Lower-case hexadecimal without leading zeros."""
    claimed_at: datetime | None
    revocation: str
    """`good` or `unknown`; a certificate that was revoked before the claimed time is a finding."""
    in_force_until: datetime
    """The first moment at which a certificate of its path has ended or, as far as is known, is revoked, or one of their algorithms is no longer good."""


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What the cryptographic check of one signature says: valid when there are no findings."""

    findings: tuple[Finding, ...]
    signer: Signer | None


@dataclass(frozen=True, slots=True)
class TimeVerdict:
    """What the cryptographic check of one time stamp says: what it proves, or what is wrong."""

    findings: tuple[Finding, ...]
    stamp: TimeStamp | None


class Judge(Protocol):
    """Checks signature values and certificate chains against the trust anchors of one moment."""

    def check(self, signature: FiledSignature) -> SignatureVerdict:
        """The verdict on one signature; never raises for what a hostile file can hold."""
        ...

    def check_time(self, stamp: FiledSignature, certificates: Sequence[bytes]) -> TimeVerdict:
        """The verdict on one document time stamp; `certificates` (DER) are what the document brings for its path. Never raises either."""
        ...


class Signatures(Protocol):
    """Knows who is trusted."""

    def judge(self) -> Judge:
        """A judge who trusts what is trusted now, for one document or a batch. Unavailable when that can't be told."""
        ...


class Staging(Protocol):
    """Where signing leaves its packs until they are admitted."""

    async def read(self, name: str) -> bytes:
        """A staged pack; NotFound when it isn't there, Unavailable when the store is down."""
        ...


@dataclass(frozen=True, slots=True)
class Deposit:
    """A document to be kept, and whose it is: a pupil's, or for a class-subject sheet the class's."""

    file_name: str
    owner_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Location:
    """Where a kept document lies, and what is needed to open it again."""

    pack_name: str
    offset: int
    size: int
    """Of the document itself."""
    sha256: bytes
    owner_id: str
    province_id: str
    encrypted: bool


class Vault(Protocol):
    """The archive's own store: documents are written once and never changed, and nobody reads them without the province's key."""

    async def keep(self, province_id: str, school_year: int, deposits: Sequence[Deposit]) -> Pack:
        """One pack with these documents, the same when they come again; on return it survives a crash.

        Unavailable while the store or the province's wrapping key can't be reached, Conflict when other bytes hold its name.
        """
        ...

    async def read(self, place: Location) -> bytes:
        """A document; NotFound when its pack isn't there, Refused when its bytes or its key are damaged."""
        ...


class WrappingKeys(Protocol):
    """The home of the keys that wrap data keys. Calls may block; an id is "<province>/<number>", a higher number is a later key."""

    def current(self, province_id: str) -> str:
        """The key that wraps from now on; Unavailable when the province has none."""
        ...

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """The data key under a wrapping key, bound to a context."""
        ...

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """The data key again; Refused when it was changed or belongs to another context, Unavailable without the wrapping key."""
        ...

    def put(self, key_id: str, key: bytes) -> None:
        """Bring a key of 32 bytes home; Conflict when there is another one by this id."""
        ...


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the database keeps it."""

    owner_id: str
    province_id: str
    wrapping_key: str
    wrapped: bytes

    @property
    def context(self) -> bytes:
        """What the wrapping is bound to."""
        return f"hocba data key\n{self.province_id}\n{self.owner_id}\n".encode()


class DataKeys(Protocol):
    """The data keys in the database."""

    async def of(self, province_id: str, owner_ids: Iterable[str]) -> Mapping[str, WrappedKey]:
        """Those that these owners have in this province, by owner."""
        ...

    async def add(self, keys: Sequence[WrappedKey], at: datetime) -> None:
        """Keep new ones; where an owner has got one meanwhile, that one stays."""
        ...

    async def outdated(self, province_id: str, current: str, limit: int) -> Sequence[WrappedKey]:
        """Some of those that another key than the current one wraps."""
        ...

    async def count_outdated(self, province_id: str, current: str) -> int:
        """How many there are."""
        ...

    async def rewrapped(self, old: Sequence[WrappedKey], new: Sequence[WrappedKey]) -> int:
        """Replace wrappings, each only where the old one still stands; how many were replaced."""
        ...


@dataclass(frozen=True, slots=True)
class AdmittedVersion:
    """A version as the index keeps it."""

    ref: TranscriptRef
    sha256: bytes
    size: int
    offset: int
    supersedes: int
    """The version it replaces; 0 for a first one."""
    skipped: tuple[int, ...]
    """Versions between the two that were never issued; they go to the void register."""
    statement: bytes
    """Its leaf of the log."""
    level: str
    school_name: str


@dataclass(frozen=True, slots=True)
class AdmittedSheet:
    """A class-subject sheet as the index keeps it."""

    ref: SheetRef
    facts: SheetFacts
    sha256: bytes
    size: int
    offset: int
    statement: bytes


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A class-subject sheet as it is shown to those who may see it."""

    ref: SheetRef
    class_id: str
    school_id: str
    school_year: int
    sha256: bytes
    size: int
    root: bytes
    rows: int
    leaf_id: int
    """Number of the admission; its place in the log is given later."""
    admitted_at: datetime
    place: Location


@dataclass(frozen=True, slots=True)
class Entry:
    """A version as it is shown to those who may see it."""

    ref: TranscriptRef
    class_id: str
    school_id: str
    school_year: int
    sha256: bytes
    size: int
    supersedes: int
    superseded_by: int
    """0: it is the latest."""
    leaf_id: int
    admitted_at: datetime
    place: Location


@dataclass(frozen=True, slots=True)
class Status:
    """What anybody may learn about a document from its random public id."""

    kind: str
    """`transcript`, `sheet`, `copy` or `extract`."""
    school_name: str
    school_year: int
    level: str
    newer_public_id: str = ""
    """Of the latest version; empty: this is it."""
    revoked_at: datetime | None = None
    decision_number: str = ""
    """Of the decision that revokes it."""


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """A refused document as it is shown."""

    ref: TranscriptRef | SheetRef
    class_id: str
    reason: str
    detail: str
    rejected_at: datetime


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose rows a reader may see: everything, a province, some schools, some classes; nothing when all are empty."""

    everything: bool = False
    province: str = ""
    schools: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which versions a list asks for; empty fields don't narrow."""

    school_id: str = ""
    class_id: str = ""
    pupil_id: str = ""
    school_year: int = 0


class AdmissionWork(Protocol):
    """One transaction of admission."""

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is admitted of these transcripts, by transcript id."""
        ...

    async def admit(self, signed: SignedClass, pack: Pack, versions: Sequence[AdmittedVersion], at: datetime) -> None:
        """Write pack, index, leaves and void register, and announce them. Conflict when another process wrote one first."""
        ...

    async def held_sheets(self, sheet_ids: Iterable[str]) -> Mapping[tuple[str, int], bytes]:
        """SHA-256 of the admitted versions of these sheets, by (sheet id, version)."""
        ...

    async def admit_sheets(self, signed: SignedSheets, pack: Pack, sheets: Sequence[AdmittedSheet], at: datetime) -> None:
        """Write pack, index and leaves, and announce them. Conflict when another process wrote one first."""
        ...

    async def reject(self, signed: SignedClass | SignedSheets, rejections: Sequence[Rejection], at: datetime) -> int:
        """Write refusals and announce those that are new, but for documents that merely wait; returns how many were new."""
        ...


class Admissions(Protocol):
    """The database behind admission."""

    def transaction(self) -> AbstractAsyncContextManager[AdmissionWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is admitted of these transcripts, outside of any transaction."""
        ...

    async def refused(self, transcript_ids: Iterable[str]) -> frozenset[tuple[str, int, bytes]]:
        """(transcript id, version, SHA-256) of the documents of these transcripts that were refused before."""
        ...

    async def held_sheets(self, sheet_ids: Iterable[str]) -> Mapping[tuple[str, int], bytes]:
        """SHA-256 of the admitted versions of these sheets, outside of any transaction."""
        ...

    async def sheet_roots(self, keys: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], bytes]:
        """Merkle roots of those of these sheets (id, version) that are admitted."""
        ...

    async def refused_classes(self, class_id: str = "", reason: str = "") -> Sequence[SignedSheets | SignedClass]:
        """The refused documents for which nothing as new or newer was admitted, by class and pack as announced, sheets first."""
        ...


class Catalogue(Protocol):
    """Reads the index for those who may see it."""

    async def entry(self, viewer: Viewer, transcript_id: str, version: int) -> Entry | None:
        """One version (0: the latest), or None when there is none that this viewer may see."""
        ...

    async def entries(self, viewer: Viewer, wanted: Filter, after: int, limit: int) -> Sequence[Entry]:
        """Versions in the order of admission, those with a number above `after` only."""
        ...

    async def sheet(self, viewer: Viewer, sheet_id: str, version: int) -> SheetEntry | None:
        """One version of a class-subject sheet (0: the latest), or None when there is none that this viewer may see."""
        ...

    async def sheets(self, viewer: Viewer, wanted: Filter, after: int, limit: int) -> Sequence[SheetEntry]:
        """Class-subject sheets in the order of admission, those with a number above `after` only."""
        ...

    async def status(self, public_id: str) -> Status | None:
        """What the public may know; None for an unknown id."""
        ...

    async def rejected(self, viewer: Viewer, wanted: Filter) -> Sequence[RejectedEntry]:
        """Refused documents for which nothing as new or newer has been admitted since."""
        ...

    async def leaf(self, public_id: str) -> tuple[bytes, int | None] | None:
        """(statement, place in the log or None while it has none) of a document; None for an unknown id."""
        ...

    async def later_leaves(self, public_id: str) -> Sequence[tuple[bytes, int | None]]:
        """The same of what was said of a document since: superseded, revoked; in the order of their admission."""
        ...
