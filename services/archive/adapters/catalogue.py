"""Reads the index for those who may see it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.archive.adapters.admissions import ref_of, refused_ref_of
from services.archive.adapters.statements import QUERIES
from services.archive.application.ports import Entry, Filter, Location, RejectedEntry, SheetEntry, Status, Viewer
from services.archive.domain.transcript import SheetRef
from services.chassis.database import SYSTEM, Database, RowScope


@dataclass(frozen=True)
class PostgresCatalogue:
    """Fulfils the port Catalogue; what a viewer may see is decided by the tables' row-level policies."""

    database: Database

    async def entry(self, viewer: Viewer, transcript_id: str, version: int) -> Entry | None:
        """One version, or None."""
        try:
            wanted = uuid.UUID(transcript_id)
        except ValueError:
            return None
        async with self.database.transaction(scope_of(viewer)) as connection:
            row = await connection.fetchrow(QUERIES["entry"], wanted, version, _classes(viewer))
        return None if row is None else _entry(row)

    async def entries(self, viewer: Viewer, wanted: Filter, after: int, limit: int) -> Sequence[Entry]:
        """A page in the order of admission."""
        narrowed = (wanted.school_id, wanted.class_id, wanted.pupil_id, wanted.school_year)
        async with self.database.transaction(scope_of(viewer)) as connection:
            rows = await connection.fetch(QUERIES["entries"], after, *narrowed, _classes(viewer), limit)
        return [_entry(row) for row in rows]

    async def sheet(self, viewer: Viewer, sheet_id: str, version: int) -> SheetEntry | None:
        """One version of a sheet, or None."""
        try:
            wanted = uuid.UUID(sheet_id)
        except ValueError:
            return None
        async with self.database.transaction(scope_of(viewer)) as connection:
            row = await connection.fetchrow(QUERIES["sheet"], wanted, version, _classes(viewer))
        return None if row is None else _sheet(row)

    async def sheets(self, viewer: Viewer, wanted: Filter, after: int, limit: int) -> Sequence[SheetEntry]:
        """A page of sheets in the order of admission."""
        narrowed = (wanted.school_id, wanted.class_id, wanted.school_year)
        async with self.database.transaction(scope_of(viewer)) as connection:
            rows = await connection.fetch(QUERIES["sheets"], after, *narrowed, _classes(viewer), limit)
        return [_sheet(row) for row in rows]

    async def status(self, public_id: str) -> Status | None:
        """The public status; the statement selects nothing that isn't public, so it runs for everybody."""
        async with self.database.transaction(SYSTEM) as connection:
            row = await connection.fetchrow(QUERIES["status"], public_id)
        return None if row is None else Status(**row)

    async def rejected(self, viewer: Viewer, wanted: Filter) -> Sequence[RejectedEntry]:
        """Open refusals."""
        async with self.database.transaction(scope_of(viewer)) as connection:
            rows = await connection.fetch(QUERIES["open_rejections"], wanted.school_id, wanted.class_id, _classes(viewer), "")
        return [RejectedEntry(refused_ref_of(row), str(row["class_id"]), row["reason"], row["detail"], row["rejected_at"]) for row in rows]

    async def leaf(self, public_id: str) -> tuple[bytes, int | None] | None:
        """A document's leaf, for everybody: a statement holds nothing that isn't public."""
        async with self.database.transaction(SYSTEM) as connection:
            row = await connection.fetchrow(QUERIES["leaf_of"], public_id)
        return None if row is None else (row["statement"], row["log_index"])

    async def later_leaves(self, public_id: str) -> Sequence[tuple[bytes, int | None]]:
        """Leaves about a document, for everybody."""
        async with self.database.transaction(SYSTEM) as connection:
            return [(row["statement"], row["log_index"]) for row in await connection.fetch(QUERIES["later_leaves_of"], public_id)]


def scope_of(viewer: Viewer) -> RowScope:
    """The rows that a viewer may see."""
    if viewer.everything or viewer.classes:
        # Who sees single classes only is held to them by the statement's own condition.
        return SYSTEM
    if viewer.province:
        return RowScope("province", province=viewer.province)
    return RowScope("school", schools=viewer.schools) if viewer.schools else RowScope("none")


def _classes(viewer: Viewer) -> list[str] | None:
    return list(viewer.classes) if viewer.classes else None


def _entry(row: Any) -> Entry:
    return Entry(
        ref=ref_of(row),
        class_id=str(row["class_id"]),
        school_id=str(row["school_id"]),
        school_year=row["school_year"],
        sha256=row["sha256"],
        size=row["size"],
        supersedes=row["supersedes"],
        superseded_by=row["superseded_by"],
        leaf_id=row["leaf_id"],
        admitted_at=row["admitted_at"],
        place=place_of(row, str(row["pupil_id"])),
    )


def place_of(row: Any, owner_id: str) -> Location:
    """Where a row's document lies."""
    return Location(row["object_name"], row["pack_offset"], row["size"], row["sha256"], owner_id, row["province_id"], bool(row["cipher"]))


def _sheet(row: Any) -> SheetEntry:
    return SheetEntry(
        ref=SheetRef(str(row["sheet_id"]), row["version"], row["subject"], row["content_digest"], row["public_id"]),
        class_id=str(row["class_id"]),
        school_id=str(row["school_id"]),
        school_year=row["school_year"],
        sha256=row["sha256"],
        size=row["size"],
        root=row["root"],
        rows=row["row_count"],
        leaf_id=row["leaf_id"],
        admitted_at=row["admitted_at"],
        place=place_of(row, str(row["class_id"])),
    )
