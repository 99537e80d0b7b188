"""
What the log says: one statement for each admitted version and for everything that is said of one later.

A statement is nine lines of ASCII, each ended, that reveal nothing about a pupil: ids are random, digests are over signed
documents and salted content. Never change how a statement is written; a new form gets a new first line.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

FORM = "hocba/leaf/1"
FORM_OF_THE_REGISTER = "hocba/register/1"
"""What the archive wrote before it had a log. The same lines, but for the seventh: the number of the version before, not its digest."""
_WORD = re.compile(r"[!-~]{1,128}", re.ASCII)


class Kind(StrEnum):
    """What a statement does."""

    ISSUE = "issue"
    """The first version of a transcript is admitted."""
    SUPERSEDE = "supersede"
    """A later version is admitted and takes the place of `previous`."""
    SHEET = "sheet"
    """A version of a class-subject sheet is admitted."""
    REVOKE = "revoke"
    """The document `sha256` is withdrawn; `content_digest` is that of the decision."""
    COPY = "copy"
    """A certified copy of the document `previous` is issued; `content_digest` is that of what the copy says."""
    EXTRACT = "extract"
    """The same of an extract."""
    EVIDENCE = "evidence"
    """A batch of documents, or of older time stamps, got a time stamp: see `evidence_statement`."""
    AUDIT_HEAD = "audit-head"
    """A process's access log has come so far: see `audit_head_statement`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One leaf of the log, in words."""

    kind: Kind
    public_id: str
    version: int
    sha256: bytes
    """Of the archived document."""
    content_digest: bytes
    """Of the canonical, salted record that was sealed."""
    previous: bytes | None
    """SHA-256 of the document that this one takes the place of."""
    school_id: str
    at: datetime
    """To the second."""

    def canonical(self) -> bytes:
        """The statement's bytes: what the leaf hashes."""
        lines = (
            FORM,
            self.kind,
            self.public_id,
            str(self.version),
            self.sha256.hex(),
            self.content_digest.hex(),
            "-" if self.previous is None else self.previous.hex(),
            self.school_id,
            str(int(self.at.timestamp())),
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @classmethod
    def read(cls, data: bytes) -> "Statement":
        """The statement in a leaf; ValueError when it is none in the present form, or not written in the one way there is."""
        form, kind, public_id, version, sha256, content, previous, school, at = data.decode("ascii").removesuffix("\n").split("\n")
        if form != FORM or not _WORD.fullmatch(public_id) or not _WORD.fullmatch(school):
            raise ValueError("no statement")
        found = cls(
            kind=Kind(kind),
            public_id=public_id,
            version=int(version),
            sha256=_digest(sha256),
            content_digest=_digest(content),
            previous=None if previous == "-" else _digest(previous),
            school_id=school,
            at=_time(at),
        )
        if found.canonical() != data:
            raise ValueError("no statement in canonical form")
        return found


def evidence_statement(stamp_id: int, token: bytes, imprint: bytes, at: datetime) -> bytes:
    """That time stamp `stamp_id` was made: `sha256` is its token's, `content_digest` is SHA-256 of the root of the hash tree that it is over."""
    return Statement(Kind.EVIDENCE, f"time-stamp-{stamp_id}", 1, hashlib.sha256(token).digest(), hashlib.sha256(imprint).digest(), None, "-", at).canonical()


def audit_head_statement(stream: str, number: int, head: bytes, digest: bytes, previous: bytes | None, at: datetime) -> bytes:
    """That a stream of the access log has `number` lines: `sha256` is the last one's hash, `content_digest` its digest, `previous` the hash told before."""
    return Statement(Kind.AUDIT_HEAD, f"access-{stream}", number, head, digest, previous, "-", at).canonical()


def document_of(statement: bytes) -> str:
    """The SHA-256 in hexadecimal that a statement of any form names; empty when it names none."""
    lines = statement.decode("ascii", "replace").split("\n")
    return lines[4] if len(lines) > 4 and lines[0] in (FORM, FORM_OF_THE_REGISTER) else ""


def said_at(statement: bytes) -> datetime:
    """The time that a statement of any form names; ValueError when it names none."""
    return _time(statement.decode("ascii").split("\n")[8])


def revokes(statement: bytes) -> bool:
    """Whether a statement withdraws a document."""
    return statement.startswith(f"{FORM}\n{Kind.REVOKE}\n".encode())


def _time(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("a time that no calendar has") from error


def _digest(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != 32:
        raise ValueError("a digest has 32 bytes")
    return found
