"""
The hash-chained audit trail.

    h_0 = 32 zero bytes
    h_n = SHA-256(h_{n-1} || canonical(row_n))        one chain per stream

`canonical` is UTF-8 JSON with sorted keys, no spaces and no escapes that aren't needed; values are text, whole
numbers, booleans, null, lists and mappings. Floats are refused: two machines could print one differently. The row
holds its own stream and number, so a line can't be moved; reasons and evidence are in it as digests only, because a
chain can't forget and people may have a right to be forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as stored: the canonical text is the truth, every other column is derived from it."""

    stream: str
    number: int
    body: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a stream as the writer remembers it."""

    stream: str
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a chain does not hold."""

    stream: str
    number: int
    what: str


def canonical(row: Mapping[str, Any]) -> str:
    """Write a row in the one form that is hashed; raises TypeError for a value that has no such form."""
    return json.dumps(_plain(row), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def link(previous: bytes, body: str) -> bytes:
    return hashlib.sha256(previous + body.encode()).digest()


def next_line(head: Head, at: datetime, action: str, facts: Mapping[str, Any]) -> Line:
    """Make the line that follows a head; `at` is aware UTC."""
    body = canonical({**facts, "action": action, "at": at, "number": head.number + 1, "stream": head.stream})
    return Line(head.stream, head.number + 1, body, link(head.hash, body))


def faults(lines: Iterable[Line], heads: Iterable[Head]) -> Iterator[Fault]:
    """
    Check chains that come ordered by (stream, number), each from its first line, against the remembered heads.

    Finds a changed, moved, missing, doubled or inserted line, a line cut off the end and a stream without a head.
    Lines are read once and not kept, so that a chain of any length can be streamed through.
    """
    left = {head.stream: head for head in heads}
    current = Head("", 0, GENESIS)
    for line in lines:
        if line.stream != current.stream:
            yield from _ended(current, left)
            current = Head(line.stream, 0, GENESIS)
        if line.number != current.number + 1:
            yield Fault(line.stream, line.number, f"line {current.number + 1} is missing or repeated")
        if not _names_itself(line):
            yield Fault(line.stream, line.number, "the body is not canonical or names another stream or number")
        if line.hash != link(current.hash, line.body):
            yield Fault(line.stream, line.number, "the hash does not follow from the line before and the body")
        # Go on from what is stored: one changed line is then one fault, not a fault for each line behind it.
        current = Head(line.stream, line.number, line.hash)
    yield from _ended(current, left)
    for head in left.values():
        if head.number > 0:
            yield Fault(head.stream, head.number, "the head is remembered but the stream has no line")


def _ended(last: Head, left: dict[str, Head]) -> Iterator[Fault]:
    if not last.stream:
        return
    head = left.pop(last.stream, None)
    if head is None:
        yield Fault(last.stream, last.number, "the stream has no remembered head")
    elif head != last:
        yield Fault(last.stream, last.number, f"the stream ends here but its head is line {head.number}")


def _names_itself(line: Line) -> bool:
    try:
        row = json.loads(line.body)
        return isinstance(row, dict) and row.get("stream") == line.stream and row.get("number") == line.number and canonical(row) == line.body
    except (ValueError, TypeError):
        return False


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form: use text or a whole number")
