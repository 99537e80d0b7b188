"""Certified copies in PostgreSQL."""

import base64
import secrets
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.archive import contracts
from services.archive.adapters.admissions import queue_leaves
from services.archive.adapters.catalogue import place_of, scope_of
from services.archive.adapters.revocations import is_revoked, issued_version
from services.archive.adapters.statements import QUERIES
from services.archive.adapters.vault import CIPHER
from services.archive.application.copy_ports import CopyWork
from services.archive.application.ports import Location, Viewer
from services.archive.domain.copies import CertifiedCopy, CopyRef
from services.archive.domain.pack import Pack
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.transcript import TranscriptRef
from services.chassis.database import Connection, Database
from services.chassis.errors import Conflict
from services.chassis.outbox import announce


def new_public_id() -> str:
    """Random 128 bits in base32, as the QR code carries them."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")


@dataclass(frozen=True)
class PostgresCopies:
    """Fulfils the port Copies; what a caller may see is decided by the tables' row-level policies."""

    database: Database

    @asynccontextmanager
    async def transaction(self, viewer: Viewer) -> AsyncIterator[CopyWork]:
        """A transaction within the viewer's scope; a row that another process wrote first is a Conflict, to be looked at again."""
        try:
            async with self.database.transaction(scope_of(viewer)) as connection:
                yield PostgresCopyWork(connection)
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"another process wrote first ({error.constraint_name}); look again", code="written_first") from error

    async def list(self, viewer: Viewer, school_id: str, year: int) -> Sequence[CertifiedCopy]:
        """Within the viewer's scope."""
        async with self.database.transaction(scope_of(viewer)) as connection:
            return [_copy(row) for row in await connection.fetch(QUERIES["copies"], None, school_id, year)]

    async def place(self, viewer: Viewer, copy_id: str) -> tuple[CertifiedCopy, Location | None] | None:
        """Within the viewer's scope."""
        async with self.database.transaction(scope_of(viewer)) as connection:
            row = await connection.fetchrow(QUERIES["copies"], uuid.UUID(copy_id), "", 0)
        if row is None:
            return None
        return _copy(row), place_of(row, str(row["pupil_id"])) if row["issued_at"] else None


@dataclass(frozen=True)
class PostgresCopyWork:
    """Fulfils the port CopyWork within one transaction."""

    connection: Connection

    async def issued(self, transcript_id: str, version: int) -> IssuedVersion | None:
        """A row of the index."""
        return await issued_version(self.connection, transcript_id, version)

    async def is_revoked(self, version: IssuedVersion) -> bool:
        """By any request."""
        return await is_revoked(self.connection, version)

    async def get(self, copy_id: str) -> CertifiedCopy | None:
        """A row of the register."""
        row = await self.connection.fetchrow(QUERIES["copies"], uuid.UUID(copy_id), "", 0)
        return None if row is None else _copy(row)

    async def next_number(self, school_id: str, province_id: str, year: int) -> int:
        """Under the counter's lock."""
        number: int = await self.connection.fetchval(QUERIES["next_copy_number"], uuid.UUID(school_id), province_id, year)
        return number

    async def order(self, copy: CertifiedCopy) -> None:
        """The register's row and the event."""
        source, ref = copy.source, copy.ref
        await self.connection.execute(
            QUERIES["add_copy"],
            uuid.UUID(ref.copy_id),
            copy.number,
            copy.year,
            ref.public_id,
            uuid.UUID(source.ref.transcript_id),
            source.ref.version,
            uuid.UUID(source.ref.pupil_id),
            uuid.UUID(source.class_id),
            uuid.UUID(source.school_id),
            source.province_id,
            source.school_year,
            copy.content,
            ref.content_digest,
            copy.account_id,
            copy.ordered_at,
            list(copy.parts),
        )
        await announce(self.connection, contracts.copy_ordered(copy))

    async def issue(self, copy: CertifiedCopy, pack: Pack, size: int, sha256: bytes, at: datetime) -> None:
        """Pack, leaf and issued copy, in this order."""
        name = pack.object_name(copy.source.school_year)
        await self.connection.execute(QUERIES["add_pack"], pack.digest, name, len(pack.data), len(pack.places), CIPHER, at)
        [leaf_id] = await queue_leaves(self.connection, [copy.statement(sha256, at)])
        await self.connection.execute(
            QUERIES["add_issued_copy"],
            uuid.UUID(copy.ref.copy_id),
            uuid.UUID(copy.source.school_id),
            copy.source.province_id,
            sha256,
            pack.digest,
            pack.places[copy.file_name].offset,
            size,
            leaf_id,
            at,
        )


def _copy(row: Any) -> CertifiedCopy:
    original = TranscriptRef(str(row["transcript_id"]), str(row["pupil_id"]), row["version"], row["original_content_digest"], row["original_public_id"])
    source = IssuedVersion(original, row["original_sha256"], str(row["class_id"]), str(row["school_id"]), row["province_id"], row["school_year"])
    ref = CopyRef(str(row["copy_id"]), row["content_digest"], row["public_id"])
    about = row["number"], row["year"], source, row["content"], row["ordered_account"], row["ordered_at"]
    return CertifiedCopy(ref, *about, tuple(row["parts"]), row["sha256"], row["issued_at"])
