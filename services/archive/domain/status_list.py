"""
The status list: what the log says of each of its leaves later, so that it can be proven that nothing was said.

Two bits a leaf, by its place, the first leaf in the lowest bits (as in a Token Status List): 1 superseded, 2 revoked. Chunks of 65,536
leaves, the last one filled up with zeros, are the leaves of a Merkle tree (RFC 6962) whose root stands in the checkpoint's text:

    hocba-status <base64>

The list follows from the leaves below the checkpoint alone. A statement in the form of the register names no document before it, so it
marks none, and of its own document nothing can be said.
"""

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Self

from services.archive.domain.checkpoint import Checkpoint, read_hash
from services.archive.domain.merkle import HASH_BYTES, LONGEST_PATH, inclusion_ranges, inclusion_root, leaf_hash, root_of
from services.archive.domain.signed_note import NoteError, decoded
from services.archive.domain.statement import FORM, Kind

CHUNK_LEAVES = 1 << 16
CHUNK_BYTES = CHUNK_LEAVES // 4
EMPTY_CHUNK = bytes(CHUNK_BYTES)
NAME = re.compile(r"status/(?:list|chunk)/[0-9a-f]{64}", re.ASCII)
"""What the name of a file of the list looks like: by the root, or by the chunk's hash, so that none ever changes."""
_LINE = "hocba-status "
_FORM = "hocba/status-proof/1"
_EMPTY_HASH = leaf_hash(EMPTY_CHUNK)
_SAYS = {f"{FORM}\n{Kind.SUPERSEDE}\n".encode(): 1, f"{FORM}\n{Kind.REVOKE}\n".encode(): 2}
_DOCUMENTS = tuple(f"{FORM}\n{kind}\n".encode() for kind in (Kind.ISSUE, Kind.SUPERSEDE, Kind.SHEET))
_SHA256, _PREVIOUS = 4, 6
"""Lines of a statement."""
_DIGEST = re.compile(rb"[0-9a-f]{64}")


class Mark(IntFlag):
    """What was said of a document; both may be."""

    NOTHING = 0
    SUPERSEDED = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list by its chunks' hashes."""

    chunks: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """What the checkpoint holds."""
        return root_of(self.chunks)

    @property
    def line(self) -> str:
        """The checkpoint's extension line."""
        return _LINE + base64.b64encode(self.root).decode()

    @property
    def name(self) -> str:
        """The file that holds it, below the log's prefix."""
        return f"status/list/{self.root.hex()}"

    def encoded(self) -> bytes:
        """The file: the chunks' hashes."""
        return b"".join(self.chunks)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The list in a file; ValueError for a length that none has."""
        if len(data) % HASH_BYTES:
            raise ValueError("cut short")
        return cls(tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def grown(self, size: int, changed: Mapping[int, bytes]) -> "StatusList":
        """The list of a log of `size` leaves in which these chunks have become others."""
        chunks = [*self.chunks, *[_EMPTY_HASH] * (-(-size // CHUNK_LEAVES) - len(self.chunks))]
        for number, bits in changed.items():
            chunks[number] = leaf_hash(bits)
        return StatusList(tuple(chunks))

    def path(self, number: int) -> tuple[bytes, ...]:
        """From a chunk to the root."""
        return tuple(root_of(self.chunks[start:end]) for start, end in inclusion_ranges(number, len(self.chunks)))


def chunk_name(digest: bytes) -> str | None:
    """The file of a chunk; None for the chunk that says nothing, which needs none."""
    return None if digest == _EMPTY_HASH else f"status/chunk/{digest.hex()}"


def by_chunk(marks: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """Marks by place, sorted into chunks."""
    found: dict[int, dict[int, int]] = {}
    for place, mark in marks.items():
        found.setdefault(place // CHUNK_LEAVES, {})[place % CHUNK_LEAVES] = mark
    return found


def marked(bits: bytes, marks: Mapping[int, int]) -> bytes:
    """A chunk with these marks more, by place within it."""
    new = bytearray(bits)
    for place, mark in marks.items():
        new[place // 4] |= mark << place % 4 * 2
    return bytes(new)


def mark_at(bits: bytes, index: int) -> Mark:
    """What a chunk says of leaf `index` of the log."""
    place = index % CHUNK_LEAVES
    return Mark(bits[place // 4] >> place % 4 * 2 & 3)


def said(statement: bytes) -> tuple[bytes, int] | None:
    """(SHA-256 of a document, the mark that this statement gives it); None when it gives none."""
    for begin, mark in _SAYS.items():
        if statement.startswith(begin):
            digest = _digest(statement, _PREVIOUS if mark == Mark.SUPERSEDED else _SHA256)
            return None if digest is None else (digest, mark)
    return None


def document_in(statement: bytes) -> bytes | None:
    """The SHA-256 of the document that a statement brings into the log; None when it brings none."""
    return _digest(statement, _SHA256) if statement.startswith(_DOCUMENTS) else None


def status_root(checkpoint: Checkpoint) -> bytes | None:
    """The root of the list in a checkpoint; None when it has none. NoteError for one that isn't one."""
    lines = [line.removeprefix(_LINE) for line in checkpoint.extensions if line.startswith(_LINE)]
    if len(lines) > 1:
        raise NoteError("a checkpoint has one status list")
    return read_hash(lines[0]) if lines else None


@dataclass(frozen=True, slots=True)
class StatusProof:
    """The chunk in which a leaf's mark stands, and its path to the root in the checkpoint of the leaf's proof."""

    chunk: bytes
    path: tuple[bytes, ...]

    def encoded(self) -> bytes:
        """The file: its first line, the chunk (zlib, base64), the path from below."""
        lines = (_FORM, f"chunk {base64.b64encode(zlib.compress(self.chunk, 9)).decode()}", *(base64.b64encode(node).decode() for node in self.path))
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def read(cls, data: bytes) -> "StatusProof":
        """The proof in a file; NoteError when it holds none."""
        try:
            form, chunk, *path = data.decode("ascii").removesuffix("\n").split("\n")
        except ValueError as error:
            raise NoteError("the status proof is none that hocba gives out") from error
        if form != _FORM or not chunk.startswith("chunk ") or len(path) > LONGEST_PATH or not data.endswith(b"\n"):
            raise NoteError("the status proof is none that hocba gives out")
        return cls(_inflated(decoded(chunk.removeprefix("chunk "))), tuple(map(read_hash, path)))

    def mark(self, index: int, checkpoint: Checkpoint) -> Mark:
        """What the log says of leaf `index` below this checkpoint; NoteError when the proof doesn't lead to the checkpoint's list."""
        chunks = -(-checkpoint.size // CHUNK_LEAVES)
        root = status_root(checkpoint)
        if root is None or inclusion_root(leaf_hash(self.chunk), index // CHUNK_LEAVES, chunks, self.path) != root:
            raise NoteError("the status proof doesn't lead to the status list of the checkpoint")
        return mark_at(self.chunk, index)


def _inflated(data: bytes) -> bytes:
    inflating = zlib.decompressobj()
    try:
        # Never more than a chunk, whatever the compressed bytes promise.
        found = inflating.decompress(data, CHUNK_BYTES + 1)
    except zlib.error as error:
        raise NoteError("the status proof's chunk can't be read") from error
    if len(found) != CHUNK_BYTES or not inflating.eof or inflating.unused_data:
        raise NoteError("the status proof's chunk has another size")
    return found


def _digest(statement: bytes, line: int) -> bytes | None:
    lines = statement.split(b"\n")
    return bytes.fromhex(lines[line].decode()) if len(lines) > line and _DIGEST.fullmatch(lines[line]) else None
