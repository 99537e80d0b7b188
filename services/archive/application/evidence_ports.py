"""What the use cases of evidence need from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Location
from services.archive.domain.evidence import ArchiveTimeStamp, Chain, Lists


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many documents are in no batch yet, since when, and since when the oldest one without a token waits."""

    documents: int
    since: datetime | None
    unproven_since: datetime | None


@dataclass(frozen=True, slots=True)
class WantedStamp:
    """A time stamp that is recorded and not there yet."""

    stamp_id: int
    algorithm: str
    imprint: bytes


@dataclass(frozen=True, slots=True)
class Token:
    """A time-stamp token that was believed: its DER, its time, and when its authority's path ends."""

    der: bytes
    at: datetime
    good_until: datetime


@dataclass(frozen=True, slots=True)
class BatchStamp:
    """A time stamp in a batch's chains, with all that a record of one of its documents needs."""

    chain: int
    position: int
    stamp_id: int
    place: int
    """Of the batch among the leaves of the stamp, where many batches were renewed by one."""
    algorithm: str
    token: bytes
    stamped_at: datetime
    good_until: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A batch's part in a time stamp: where in its chains that stands, and the leaf that is the batch's."""

    batch_id: int
    chain: int
    position: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class DueStamp:
    """A batch whose last time stamp is to be renewed."""

    batch_id: int
    chain: int
    position: int
    algorithm: str
    token: bytes


@dataclass(frozen=True, slots=True)
class DueTree:
    """A batch whose tree is to be renewed by another algorithm, after its last time stamp."""

    batch_id: int
    chain: int
    stamp_id: int
    documents: int


class EvidenceLedger(Protocol):
    """The database behind evidence. What is recorded there is never changed."""

    async def waiting(self, at_most: int) -> Waiting:
        """What waits; more than `at_most` documents aren't counted."""
        ...

    async def cut(self, algorithm: str, at_most: int, at: datetime) -> int:
        """Put the oldest waiting documents into a batch with its tree, and want its time stamp; how many they were."""
        ...

    async def unstamped(self, limit: int) -> Sequence[WantedStamp]:
        """Time stamps that are wanted, oldest first."""
        ...

    async def keep(self, stamp_id: int, token: Token, at: datetime) -> None:
        """Keep a token; where there is one already, that one stays."""
        ...

    async def place_of(self, sha256: bytes) -> tuple[int, int] | None:
        """(batch, place in it) of a document; None while it is in no batch."""
        ...

    async def documents(self, batch_id: int) -> Sequence[bytes]:
        """SHA-256 of a batch's documents, by place."""
        ...

    async def stamps(self, batch_id: int) -> Sequence[BatchStamp]:
        """A batch's time stamps that have their token, in the order of a record."""
        ...

    async def leaves(self, stamp_id: int) -> Sequence[bytes]:
        """The leaves of a stamp over many batches, by place."""
        ...

    async def renewed_leaves(self, batch_id: int, after_stamp: int, algorithm: str) -> Sequence[bytes]:
        """The leaves of a batch's renewed tree, by place, as far as they are there."""
        ...

    async def add_leaves(self, due: DueTree, algorithm: str, first: int, leaves: Sequence[bytes]) -> None:
        """Keep leaves of a renewed tree from a place on."""
        ...

    async def want(self, algorithm: str, imprint: bytes, members: Sequence[Member], at: datetime) -> bool:
        """Record that a time stamp is wanted for these batches; False when one of them has got one meanwhile."""
        ...

    async def due_stamps(self, before: datetime, older: datetime, limit: int) -> Sequence[DueStamp]:
        """Batches whose last time stamp was made before `older` and ends before `before`, by algorithm."""
        ...

    async def count_due_stamps(self, before: datetime, older: datetime) -> int:
        """How many they are."""
        ...

    async def due_trees(self, algorithm: str, limit: int) -> Sequence[DueTree]:
        """Batches whose last chain is by another algorithm."""
        ...

    async def count_due_documents(self, algorithm: str) -> int:
        """How many documents they have."""
        ...

    async def locations(self, batch_id: int, first: int, behind: int) -> Sequence[Location]:
        """Where a batch's documents lie, from a place to before another."""
        ...


class TimeAuthority(Protocol):
    """A time-stamp authority (RFC 3161)."""

    async def stamp(self, algorithm: str, imprint: bytes) -> Token:
        """A checked token over a digest. Unavailable when the authority is, Refused when its answer isn't a token to be believed."""
        ...


class RecordCodec(Protocol):
    """Evidence records as DER."""

    def archive_time_stamp(self, algorithm: str, lists: Lists, token: bytes) -> ArchiveTimeStamp:
        """One time stamp with a leaf's way to it."""
        ...

    def encode(self, chains: Sequence[Chain]) -> bytes:
        """The record of these chains."""
        ...
