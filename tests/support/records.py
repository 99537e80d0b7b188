"""Canonical records for tests, made from the contract's examples."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.grading.domain import class_sheets

_EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples" / "record"
LEVELS = ("primary", "lower_secondary", "upper_secondary")


def example(level: str = "lower_secondary") -> dict[str, Any]:
    """The contract's example record of a level, free to be changed."""
    record: dict[str, Any] = json.loads((_EXAMPLES / f"{level}.json").read_text(encoding="utf-8"))
    return record


def canonical(record: dict[str, Any]) -> bytes:
    """Canonical bytes, as the record's schema defines them."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def record_of(level: str, transcript_id: str, version: int = 1, name: str = "", comment: str | None = None) -> bytes:
    """A record of a pupil of one's own; another comment is another content."""
    record = example(level)
    record["transcript"] |= {
        "id": transcript_id,
        "version": version,
        "public_id": uuid.uuid5(uuid.NAMESPACE_OID, f"{transcript_id}/{version}").hex[:26].upper(),
        "supersedes": version - 1 or None,
    }
    if name:
        record["pupil"]["name"] = name
    if comment is not None:
        record["comments"]["homeroom"] = comment
    # The example's proofs are those of the example's own sheets; without them the rules mustn't ask for any.
    record["rule_set"]["switches"]["signed_sheet_levels"] = []
    for row in record["subjects"]:
        row.pop("sheet", None)
    return canonical(record)


@dataclass(frozen=True)
class SheetOf:
    """A class-subject sheet for a test."""

    sheet_id: str
    version: int
    subject: str
    public_id: str
    root: bytes
    content: bytes


def with_sheet(contents: Sequence[bytes], subject: str, version: int = 1) -> tuple[list[bytes], SheetOf]:
    """The records with their rows of a subject in one sheet, as grading writes it, and the sheet."""
    records = [json.loads(content) for content in contents]
    rows = [next(row for row in record["subjects"] if row["code"] == subject) for record in records]
    head = {name: records[0][name] for name in ("level", "school_year", "school", "school_class")}
    about = {"code": subject, "name": rows[0]["name"], "mode": rows[0]["mode"], "teachers": rows[0]["teachers"]}
    lines = [class_sheets.Line(record["transcript"]["id"], record["pupil"]["name"], row) for record, row in zip(records, rows, strict=True)]
    made, proofs = class_sheets.write_sheet(head, about, lines, version, "", _SteadyDice(f"{subject}/{version}/{lines[0].transcript_id}"))
    for row, proof in zip(rows, proofs, strict=True):
        row["sheet"] = proof
    return [canonical(record) for record in records], SheetOf(made.sheet_id, version, subject, made.public_id, made.root, made.content)


class _SteadyDice:
    """The same sheet for the same test data, so that sealing twice is sealing the same."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def public_id(self) -> str:
        return f"{self._random.getrandbits(128):026x}"[:26]

    def row_salt(self) -> bytes:
        return self._random.randbytes(32)
