"""Canonical records for tests, made from the contract's examples."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

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
    return canonical(record)
