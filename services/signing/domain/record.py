"""Signing's own reading of the canonical record that grading seals (schema `hocba.record/1`).

The record arrives as bytes whose SHA-256 is the content digest. Only what the page prints and what binds the document
is read; every refusal names the place in the record, because the cure lies with whoever made it.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMA = "hocba.record/1"


class Level(StrEnum):
    """Cấp học, in the record's own words."""

    PRIMARY = "PRIMARY"
    LOWER_SECONDARY = "LOWER_SECONDARY"
    UPPER_SECONDARY = "UPPER_SECONDARY"


class UnreadableRecord(ValueError):
    """The record can't be printed as it is; the message says where."""


@dataclass(frozen=True, slots=True)
class Node:
    """An object inside the record together with its path, so that each refusal can say where."""

    path: str
    value: dict[str, Any]

    def at(self, key: str) -> Node:
        """The object under `key`."""
        return Node(f"{self.path}.{key}", self._of(key, dict))

    def maybe(self, key: str) -> Node | None:
        """The object under `key`, or None where the record says null."""
        return None if self._present(key) is None else self.at(key)

    def each(self, key: str) -> Iterator[Node]:
        """The objects of the list under `key`."""
        for index, item in enumerate(self._of(key, list)):
            if not isinstance(item, dict):
                raise UnreadableRecord(f"{self.path}.{key}[{index}]: an object is expected")
            yield Node(f"{self.path}.{key}[{index}]", item)

    def words(self, key: str) -> tuple[str, ...]:
        """The texts of the list under `key`."""
        items = self._of(key, list)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise UnreadableRecord(f"{self.path}.{key}[{index}]: text is expected")
        return tuple(items)

    def text(self, key: str) -> str:
        """The text under `key`; null reads as an empty text."""
        if self._present(key) is None:
            return ""
        value: str = self._of(key, str)
        return value

    def number(self, key: str) -> int:
        """The whole number under `key`."""
        value: int = self._of(key, int)
        return value

    def flag(self, key: str) -> bool:
        """The truth value under `key`."""
        value: bool = self._of(key, bool)
        return value

    def _present(self, key: str) -> Any:
        if key not in self.value:
            raise UnreadableRecord(f"{self.path}.{key} is missing")
        return self.value[key]

    def _of(self, key: str, kind: type) -> Any:
        value = self._present(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UnreadableRecord(f"{self.path}.{key}: {kind.__name__} is expected, found {type(value).__name__}")
        return value


@dataclass(frozen=True, slots=True)
class Record:
    """One sealed record: the exact bytes, their digest, and what identifies the transcript."""

    content: bytes
    digest: bytes
    root: Node
    level: Level
    transcript_id: str
    version: int
    public_id: str

    @property
    def pupil_name(self) -> str:
        """Full name as the form prints it."""
        return self.root.at("pupil").text("name")

    @property
    def sheets(self) -> tuple[tuple[str, int], ...]:
        """The class-subject sheets that the record's rows stand in: (id, version), each once."""
        proofs = [subject.at("sheet") for subject in self.root.each("subjects") if "sheet" in subject.value]
        return tuple(sorted({(proof.text("id"), proof.number("version")) for proof in proofs}))

    @property
    def corrections(self) -> int:
        """How many cells changed after the first seal."""
        return self.root.at("corrections").number("count")


def read_record(content: bytes) -> Record:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UnreadableRecord("$: an object is expected")
    root = Node("$", value)
    if root.text("schema") != SCHEMA:
        raise UnreadableRecord(f"$.schema: {root.text('schema')!r} is unknown here; this service reads {SCHEMA}")
    try:
        level = Level(root.text("level"))
    except ValueError:
        raise UnreadableRecord(f"$.level: {root.text('level')!r} is none of {', '.join(Level)}") from None
    refuse_unprintable("$", value)
    transcript = root.at("transcript")
    return Record(
        content=content,
        digest=hashlib.sha256(content).digest(),
        root=root,
        level=level,
        transcript_id=transcript.text("id"),
        version=transcript.number("version"),
        public_id=transcript.text("public_id"),
    )


def refuse_unprintable(path: str, value: Any) -> None:
    """Refuse text that would look different from what its bytes say: right-to-left, invisible or undecomposed signs."""
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_unprintable(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            refuse_unprintable(f"{path}[{index}]", inner)
    elif isinstance(value, str):
        if value.isascii() and value.isprintable():
            return
        if not unicodedata.is_normalized("NFC", value):
            raise UnreadableRecord(f"{path}: text is not in Unicode normalisation form C")
        for sign in value:
            if sign == "\n":
                continue
            if unicodedata.category(sign)[0] == "C" or unicodedata.bidirectional(sign) in ("R", "AL", "RLE", "RLO", "AN"):
                raise UnreadableRecord(f"{path}: character U+{ord(sign):04X} can't be printed on the form")
