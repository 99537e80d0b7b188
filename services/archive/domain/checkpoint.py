"""
Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, the text of a signed note.

A cosignature (C2SP tlog-cosignature) says that a witness has seen this checkpoint and every earlier one of the log on one line.
"""

import base64
import re
from dataclasses import dataclass

from services.archive.domain.merkle import HASH_BYTES
from services.archive.domain.signed_note import NoteError, decoded, is_name

_SIZE = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Lines behind the root. The log's signature and Ed25519 cosignatures cover them; ML-DSA cosignatures, by their form, don't."""

    @property
    def text(self) -> str:
        """The text of its note."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, base64.b64encode(self.root).decode(), *self.extensions))

    @classmethod
    def read(cls, text: str) -> "Checkpoint":
        """The checkpoint in a note's text; NoteError when it is none."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not is_name(lines[0]) or not _SIZE.fullmatch(lines[1]) or "" in lines[3:-1]:
            raise NoteError("a checkpoint is origin, size and root, a line each")
        return cls(lines[0], int(lines[1]), read_hash(lines[2]), tuple(lines[3:-1]))


def read_hash(line: str) -> bytes:
    """A hash in base64; NoteError when the line is none."""
    found = decoded(line)
    if len(found) != HASH_BYTES:
        raise NoteError("a hash is 32 bytes in base64")
    return found


def read_size(text: str) -> int:
    """A tree's size in decimal; NoteError when it is none."""
    if not _SIZE.fullmatch(text):
        raise NoteError("a size is a decimal number without leading zeros")
    return int(text)


def cosigned_message(text: str, at: int) -> bytes:
    """What an Ed25519 cosignature of type 0x04 signs: `at` in Unix seconds, and the checkpoint's whole text."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def subtree_message(cosigner: str, checkpoint: Checkpoint, at: int) -> bytes:
    """What an ML-DSA-44 cosignature of type 0x06 signs: the whole tree as the subtree [0, size)."""
    name, origin = cosigner.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            len(name).to_bytes(1, "big") + name,
            at.to_bytes(8, "big"),
            len(origin).to_bytes(1, "big") + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )
