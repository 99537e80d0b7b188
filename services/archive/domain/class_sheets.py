"""
Class-subject sheets as the archive reads them: a transcript's rows prove that they stand in sheets, a sheet's rows make its root.

Written from the contract alone (a row is the subject's entry without `sheet`, with `transcript_id` and `pupil` beside it;
a leaf is SHA-256 of 0x00, salt and row; the tree and its paths are those of RFC 6962), and shares no code with who made them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.archive.domain.findings import Finding, Reason
from services.archive.domain.merkle import inclusion_root, leaf_hash, root_of

_SALT_BYTES = 32
_LONGEST_PATH = 20
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading anybody's JSON as something that it isn't may raise."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That a row stands in a sheet: the row's leaf, and the way from there to the sheet's root."""

    subject: str
    sheet_id: str
    version: int
    root: bytes
    leaf: bytes
    index: int
    size: int
    path: tuple[bytes, ...]

    @property
    def holds(self) -> bool:
        """Whether the path leads from the leaf to the root (RFC 9162 section 2.1.3.2)."""
        return inclusion_root(self.leaf, self.index, self.size, self.path) == self.root


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What a sheet says about itself. Nothing here is personal."""

    sheet_id: str
    version: int
    public_id: str
    subject: str
    level: str
    school_name: str
    root: bytes
    rows: int


def proofs_of(record: bytes) -> list[Proof]:
    """The proofs in a record, whether they hold or not; raises one of UNREADABLE for what can't be one."""
    told = json.loads(record)
    return [proof for row in _subjects(told) if "sheet" in row for proof in [_proof(told, row)]]


def row_findings(record: bytes) -> list[Finding]:
    """What is wrong with the rows of a transcript: a proof that doesn't hold, or none where the record's own rules ask for one."""
    try:
        told = json.loads(record)
        return list(_row_findings(told)) if isinstance(told, dict) else []
    except UNREADABLE as error:
        return [Finding(Reason.ROW_UNPROVEN, f"a row's proof can't be read: {type(error).__name__}")]


def sheet_findings(content: bytes) -> list[Finding]:
    """What is wrong with a sheet's content: it can't be read, or its rows make another root."""
    try:
        told = json.loads(content)
        leaves = [_leaf(line["salt"], line["row"]) for line in told["rows"]]
        if not leaves:
            raise ValueError("a sheet has rows")
        root = root_of(leaves)
        if root.hex() != told["sheet"]["root"]:
            return [Finding(Reason.ROWS_DIFFER, f"the rows hash to {root.hex()}")]
    except UNREADABLE as error:
        return [Finding(Reason.ROWS_DIFFER, f"the rows can't be read: {type(error).__name__}")]
    return []


def read_sheet_facts(content: bytes) -> SheetFacts | None:
    """The facts; None when the bytes are not a sheet that says them."""
    try:
        told = json.loads(content)
        sheet = told["sheet"]
        facts = SheetFacts(
            sheet_id=sheet["id"],
            version=sheet["version"],
            public_id=sheet["public_id"],
            subject=told["subject"]["code"],
            level=told["level"],
            school_name=told["school"]["name"],
            root=bytes.fromhex(sheet["root"]),
            rows=len(told["rows"]),
        )
    except UNREADABLE:
        return None
    texts = (facts.sheet_id, facts.public_id, facts.subject, facts.level, facts.school_name)
    return facts if all(isinstance(text, str) for text in texts) and isinstance(facts.version, int) else None


def _row_findings(told: dict[str, Any]) -> Iterator[Finding]:
    asked = told.get("level") in told.get("rule_set", {}).get("switches", {}).get("signed_sheet_levels", [])
    for row in _subjects(told):
        if "sheet" in row:
            if not _proof(told, row).holds:
                yield Finding(Reason.ROW_UNPROVEN, f"the row of {row['code']} doesn't lead to the root of its sheet")
        elif asked and row["taken"]:
            yield Finding(Reason.ROW_UNPROVEN, f"the row of {row['code']} names no sheet, though the record's rules ask for one")


def _subjects(told: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = told.get("subjects", [])
    return rows


def _proof(told: dict[str, Any], row: dict[str, Any]) -> Proof:
    sheet = row["sheet"]
    path = tuple(bytes.fromhex(node) for node in sheet["path"])
    if len(path) > _LONGEST_PATH or not isinstance(sheet["version"], int) or not isinstance(sheet["id"], str):
        raise ValueError("not a proof")
    hashed = {"transcript_id": told["transcript"]["id"], "pupil": told["pupil"]["name"], **{key: row[key] for key in row if key != "sheet"}}
    return Proof(
        subject=row["code"],
        sheet_id=sheet["id"],
        version=sheet["version"],
        root=bytes.fromhex(sheet["root"]),
        leaf=_leaf(sheet["salt"], hashed),
        index=int(sheet["index"]),
        size=int(sheet["size"]),
        path=path,
    )


def _leaf(salt: str, row: dict[str, Any]) -> bytes:
    salted = bytes.fromhex(salt)
    if len(salted) != _SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    canonical = json.dumps(row, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    return leaf_hash(salted + canonical)
