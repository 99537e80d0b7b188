"""What the transparency log needs from the outside, in its own words."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Location
from services.archive.domain.signed_note import KeyText, NoteSignature


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far each phase has come, in leaves."""

    epoch: int
    sequenced: int
    signed: int
    published: int
    waiting: int
    """Admitted, and without a place yet."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and the note with which the log has signed it."""

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class PlacedLeaf:
    """A leaf at its place."""

    index: int
    statement: bytes
    sha256: bytes | None
    """Of the document that the index gives it."""
    due: bytes | None = None
    """The statement that its revocation's row makes; None where it has none."""


@dataclass(frozen=True, slots=True)
class KeptPack:
    """A pack of the store, as the index knows it: its own bytes' digest and size, and where its documents lie."""

    name: str
    digest: bytes
    size: int
    documents: tuple[Location, ...]


class LogState(Protocol):
    """The log's rows in the database: the master, from which everything else can be made again."""

    async def take_over(self) -> int:
        """A new epoch for this process; those who hold an older one can move nothing any more."""
        ...

    async def head(self) -> LogHead:
        """How far the log has come."""
        ...

    async def sequence(self, epoch: int, most: int) -> int:
        """Give the oldest waiting leaves their places for ever; returns how many. Conflict when another process has taken over."""
        ...

    async def statements(self, start: int, end: int) -> Sequence[bytes]:
        """The leaves at the places [start, end), in order."""
        ...

    async def places(self, documents: Sequence[bytes], size: int) -> Mapping[int, bytes]:
        """The leaves below `size` that brought documents with these SHA-256 into the log, by place."""
        ...

    async def sign(self, epoch: int, old: int, checkpoint: SignedCheckpoint, at: datetime) -> None:
        """Make this the newest checkpoint after that of `old` leaves. Conflict when another process has taken over or was quicker."""
        ...

    async def checkpoint(self, size: int) -> SignedCheckpoint | None:
        """The checkpoint of this size, if one was signed."""
        ...

    async def final(self) -> SignedCheckpoint | None:
        """The newest final checkpoint, the cosignatures of its witnesses in the note; None before the first."""
        ...

    def checkpoints(self, after: int) -> AsyncIterator[SignedCheckpoint]:
        """The checkpoints above a size, in order."""
        ...

    async def add_cosignatures(self, size: int, lines: Mapping[str, str], at: datetime) -> None:
        """Keep what witnesses have said of a checkpoint, by their names; the first of each counts."""
        ...

    async def cosignatures(self, size: int) -> Mapping[str, str]:
        """Signature lines of a checkpoint by witness."""
        ...

    def publishing(self, size: int) -> AbstractAsyncContextManager[bool]:
        """Hold the log's head while a checkpoint of this size is put in front of everybody; False when a newer one stands there."""
        ...

    async def placed_leaves(self, start: int, end: int) -> Sequence[PlacedLeaf]:
        """Leaves at the places [start, end) with their documents' digests."""
        ...

    def packs(self) -> AsyncIterator[KeptPack]:
        """Every pack with its documents."""
        ...

    async def count_documents(self) -> int:
        """How many documents there are."""
        ...

    def dossiers(self) -> AsyncIterator[Location]:
        """Every dossier that came from elsewhere."""
        ...

    async def count_dossiers(self) -> int:
        """How many they are."""
        ...


class Objects(Protocol):
    """The store's objects as they are, encrypted."""

    async def read(self, name: str, offset: int, size: int) -> bytes:
        """A range of an object; NotFound when it isn't there."""
        ...


class TileStore(Protocol):
    """Where the log's files lie. All but the checkpoint are written once."""

    async def keep(self, objects: Mapping[str, bytes]) -> None:
        """Store each unless it is there already; on return they survive a crash. Conflict when other bytes hold a name."""
        ...

    async def read(self, name: str) -> bytes | None:
        """A whole object, None when it isn't there."""
        ...

    async def replace(self, name: str, data: bytes) -> None:
        """Put an object in the place of what is there, in one step; on return it survives a crash."""
        ...

    async def drop_partial(self, name: str) -> None:
        """Remove the partial forms of a tile or bundle that is full now."""
        ...


class CheckpointSigner(Protocol):
    """The log's key."""

    @property
    def public(self) -> KeyText: ...

    def sign(self, text: str) -> NoteSignature:
        """The signature over a checkpoint's text; the same text always gets the same."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What a witness has answered: an HTTP status and a body."""

    status: int
    body: str


class WitnessClient(Protocol):
    """Asks witnesses."""

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer | None:
        """The answer of `POST <url>/add-checkpoint`; None when there was none in time."""
        ...
