"""Class-subject sheets: what a subject teacher signs once for the class, and how each transcript proves its row in it.

A sheet version holds the rows that are new or changed since the version before, and no others: correcting one mark
makes a small sheet of one row, and every other pupil's row keeps the proof it had. A row is derived from the record
alone, so whoever holds a transcript can recompute it:

    row     canonical JSON of the subject's entry without `sheet`, with `transcript_id` and `pupil` (the name) beside it
    leaf    SHA-256(0x00 || salt || row), the salt being 32 random bytes of this row
    tree    RFC 6962, in the order of the sheet's rows (roll order)

The sheet is a canonical document of its own (schema `hocba.sheet/1`): its head, and each row with its salt.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from services.grading.domain.merkle import leaf_hash, tree_of
from services.grading.domain.record import SheetProof, canonical, digest_of

SCHEMA = "hocba.sheet/1"
_SPACE = uuid.UUID("0b4d9c53-0c57-5b0e-9d43-6a8f1e5b7c21")


class SheetDice(Protocol):
    """Where a sheet's randomness comes from."""

    def public_id(self) -> str:
        """A new random public id."""
        ...

    def row_salt(self) -> bytes:
        """32 new random bytes."""
        ...


@dataclass(frozen=True, slots=True)
class SheetVersion:
    """One sealed version of a class-subject sheet; `content` is the canonical sheet, `fresh` that this seal made it."""

    sheet_id: str
    version: int
    subject: str
    staff_id: str
    public_id: str
    root: bytes
    rows: int
    digest: bytes
    content: bytes
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row that goes into a new sheet version: whose it is, and the record's entry."""

    transcript_id: str
    pupil: str
    entry: Mapping[str, Any]


def sheet_id_of(class_id: str, subject: str) -> str:
    """The id of a class's sheet of a subject, the same in every version."""
    return str(uuid.uuid5(_SPACE, f"{class_id}/{subject}"))


def row_of(line: Line) -> dict[str, Any]:
    """What is hashed of a record's entry and printed in the sheet."""
    return {"transcript_id": line.transcript_id, "pupil": line.pupil, **{key: value for key, value in line.entry.items() if key != "sheet"}}


def sheets_in_force(known: Iterable[SheetVersion], named: Iterable[SheetProof], responsible: Mapping[str, str]) -> list[SheetVersion]:
    """The sheets that these proofs lead to, each with whoever is responsible for its subject now."""
    wanted = {(proof["id"], proof["version"]) for proof in named}
    found = sorted((sheet for sheet in known if (sheet.sheet_id, sheet.version) in wanted), key=lambda sheet: (sheet.subject, sheet.version))
    # Where nobody is named any more, whoever was responsible when the sheet was made still is.
    return [replace(sheet, staff_id=responsible.get(sheet.subject, sheet.staff_id)) for sheet in found]


def write_sheet(
    head: Mapping[str, Any], subject: Mapping[str, Any], lines: Sequence[Line], version: int, staff_id: str, dice: SheetDice
) -> tuple[SheetVersion, list[SheetProof]]:
    """A new version of a sheet with these rows in their order, and the proof of each."""
    sheet_id = sheet_id_of(head["school_class"]["id"], subject["code"])
    rows = [row_of(line) for line in lines]
    salts = [dice.row_salt() for _ in rows]
    tree = tree_of([leaf_hash(salt, canonical(row)) for salt, row in zip(salts, rows, strict=True)])
    public_id = dice.public_id()
    content = canonical(
        {
            "schema": SCHEMA,
            "sheet": {"id": sheet_id, "version": version, "public_id": public_id, "root": tree.root.hex()},
            **head,
            "subject": subject,
            "rows": [{"salt": salt.hex(), "row": row} for salt, row in zip(salts, rows, strict=True)],
        }
    )
    proofs: list[SheetProof] = [
        {
            "id": sheet_id,
            "version": version,
            "root": tree.root.hex(),
            "salt": salt.hex(),
            "index": index,
            "size": len(rows),
            "path": [node.hex() for node in tree.path(index)],
        }
        for index, salt in enumerate(salts)
    ]
    made = SheetVersion(sheet_id, version, subject["code"], staff_id, public_id, tree.root, len(rows), digest_of(content), content, fresh=True)
    return made, proofs
