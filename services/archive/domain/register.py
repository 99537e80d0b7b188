"""
The register: an append-only chain of statements, each bound to all before it.

    h_0 = 32 zero bytes
    h_n = SHA-256(h_(n-1) || statement_n)

A statement is a few lines of ASCII that reveal nothing about a pupil: ids are random, digests are over salted content.
Never change how a statement is written; a new form gets a new first line.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

FORM = "hocba/register/1"
GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Statement:
    """One admitted version, as the register tells it."""

    kind: str
    """`issue` for a first version, `supersede` for a later one, `sheet` for any version of a class-subject sheet."""
    public_id: str
    version: int
    sha256: bytes
    """Of the archived document."""
    content_digest: bytes
    """Of the canonical, salted record that was sealed."""
    previous_index: int | None
    """Register index of the version that this one supersedes."""
    school_id: str
    at: datetime

    def canonical(self) -> bytes:
        """The statement's bytes: what the chain hashes."""
        previous = "-" if self.previous_index is None else str(self.previous_index)
        lines = (
            FORM,
            self.kind,
            self.public_id,
            str(self.version),
            self.sha256.hex(),
            self.content_digest.hex(),
            previous,
            self.school_id,
            str(int(self.at.timestamp())),
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class Head:
    """The register's end: how many statements it has, and the last one's hash."""

    entries: int
    hash: bytes

    def followed_by(self, statement: bytes) -> "Head":
        """The head after one more statement."""
        return Head(self.entries + 1, link(self.hash, statement))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the register as it is stored."""

    index: int
    statement: bytes
    hash: bytes
    sha256: bytes | None
    """Of the document that the index of transcripts or of sheets gives this line; None when there is none."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Whether the chain holds: how many lines were followed, the head they lead to, the first line that doesn't fit."""

    head: Head
    first_broken: int | None


def link(before: bytes, statement: bytes) -> bytes:
    """The next hash of the chain."""
    return hashlib.sha256(before + statement).digest()


def inspect(lines: Iterable[Line], start: Head) -> Inspection:
    """Follow the chain from `start`; stops at the first line whose index, hash or document doesn't fit."""
    head = start
    for line in lines:
        expected = head.followed_by(line.statement)
        told = line.statement.split(b"\n")
        fits = line.index == expected.entries and line.hash == expected.hash
        if not fits or line.sha256 is None or len(told) < 5 or told[4] != line.sha256.hex().encode("ascii"):
            return Inspection(head, expected.entries)
        head = expected
    return Inspection(head, None)
