"""
Who read personal data in the archive: one line for each answer, chained by each process on its own.

    h_0 = 32 zero bytes
    d_n = SHA-256(body_n)
    h_n = SHA-256(h_{n-1} || d_n)

A body is UTF-8 JSON with sorted keys and no spaces, names its own stream and number, and holds 16 random bytes: once it is erased, its digest
keeps the chain whole and tells nothing. A process begins a stream when it starts, so that no reader waits for another process's line.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from services.archive.domain.retention import RETENTION, Kind

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document, or a list's entry of one, that an answer holds; and whose it is."""

    document_id: str
    """Of a transcript or a class-subject sheet; of a transcript from elsewhere the SHA-256 of its file in hexadecimal, since its ids are another's words."""
    version: int
    """0: from elsewhere."""
    school_id: str
    province_id: str


@dataclass(frozen=True, slots=True)
class Access:
    """One answer with personal data of one school. No names, marks or personal numbers: ids only."""

    account_id: str
    person_id: str
    roles: tuple[str, ...]
    """As role@scope: those that opened the door."""
    action: str
    """What was asked for: transcript, sheet, evidence, bundle, dossier, copy; for a list transcripts, sheets; `retention` tells what was deleted."""
    document_id: str
    """As in ReadDocument, of a copy its original's; empty for a list."""
    version: int
    entries: int
    """How many entries of the school the answer held."""
    sought: str
    """For a list: what it was narrowed to."""
    school_id: str
    province_id: str
    purpose: str
    """What the caller said that it is for; may be empty."""
    trace_id: str


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One line as stored; `body` is None once it is erased."""

    stream: str
    number: int
    body: str | None
    digest: bytes
    hash: bytes
    school_id: str
    province_id: str
    at: datetime


def line_behind(stream: str, number: int, previous: bytes, access: Access, at: datetime, salt: bytes) -> AccessLine:
    """Line `number` of a stream, behind the one whose hash is `previous`; `at` is aware UTC."""
    told = {**asdict(access), "at": at.astimezone(UTC).isoformat(), "number": number, "salt": salt.hex(), "stream": stream}
    body = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).digest()
    return AccessLine(stream, number, body, digest, link(previous, digest), access.school_id, access.province_id, at)


def link(previous: bytes, digest: bytes) -> bytes:
    """The hash of a line."""
    return hashlib.sha256(previous + digest).digest()


def faults(lines: Iterable[AccessLine], anchors: Mapping[tuple[str, int], bytes]) -> Iterator[str]:
    """What speaks against chains that come ordered by (stream, number), each from its first line.

    `anchors` are the hashes that the transparency log was told, by (stream, number): a line changed, moved or cut off below one shows.
    """
    left = dict(anchors)
    stream, number, previous = "", 0, GENESIS
    for line in lines:
        if line.stream != stream:
            stream, number, previous = line.stream, 0, GENESIS
        where = f"access log {stream} line {line.number}"
        if line.number != number + 1:
            yield f"{where}: line {number + 1} is missing"
        if line.body is not None and not _is_of(line, line.body):
            yield f"{where}: its body isn't what was written"
        if line.hash != link(previous, line.digest):
            yield f"{where}: its hash doesn't follow from the line before"
        if left.pop((stream, line.number), line.hash) != line.hash:
            yield f"{where}: the transparency log was told another hash"
        # Go on from what is stored: one changed line is then one fault, not a fault for each line behind it.
        number, previous = line.number, line.hash
    for stream, number in left:
        yield f"access log {stream} line {number}: the transparency log knows it, and it is gone"


def untold(lines: Iterable[AccessLine]) -> Iterator[str]:
    """Schools of which another number of lines is erased than retention has told. Lines of retention themselves are never erased."""
    erased, told = Counter[str](), Counter[str]()
    for line in lines:
        if line.body is None:
            erased[line.school_id] += 1
        elif _is_of(line, line.body) and (said := json.loads(line.body))["action"] == RETENTION and said["sought"].startswith(Kind.ACCESS_LINES):
            told[line.school_id] += said["entries"]
    for school in sorted(erased.keys() | told.keys()):
        if erased[school] != told[school]:
            yield f"access log of school {school}: {erased[school]} lines are erased, and retention has told {told[school]}"


def _is_of(line: AccessLine, body: str) -> bool:
    if hashlib.sha256(body.encode()).digest() != line.digest:
        return False
    told = json.loads(body)
    named = (told["stream"], told["number"], told["school_id"], told["province_id"], told["at"])
    return bool(named == (line.stream, line.number, line.school_id, line.province_id, line.at.astimezone(UTC).isoformat()))
