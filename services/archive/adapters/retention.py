"""Retention over PostgreSQL and staging."""

import io
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError

from services.archive.adapters.access_ledger import add_lines
from services.archive.adapters.log_state import alone
from services.archive.application.retention_ports import Counts, Holds
from services.archive.domain.access_line import AccessLine
from services.archive.domain.retention import RETENTION, read_holds
from services.chassis.database import Database, Queries
from services.chassis.errors import Malformed, Unavailable

STATEMENTS = Queries(Path(__file__).with_name("retention.sql"))
_LOCK_ID = 1212240964


@dataclass(frozen=True)
class PostgresRetention:
    """Fulfils the port RetentionLedger."""

    database: Database

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """By an advisory lock, which goes with its connection."""
        return alone(self.database, _LOCK_ID)

    async def holds(self, ids: frozenset[str]) -> Holds:
        """By every version and every dossier."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(STATEMENTS["held_schools"], [uuid.UUID(one) for one in ids])
        return Holds(frozenset(row["school_id"] for row in rows), ids - {row["id"] for row in rows})

    async def due(self, before: datetime, holds: Holds) -> tuple[int, int]:
        """One look."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(STATEMENTS["due_lines"], before, _uuids(holds), RETENTION)
        return row["due"], row["held"]

    async def erase(self, before: datetime, holds: Holds, limit: int, tell: Callable[[Counts], Sequence[AccessLine]]) -> int:
        """The oldest first."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(STATEMENTS["erase_lines"], before, _uuids(holds), RETENTION, limit)
            if rows:
                await add_lines(connection, tell({(row["school_id"], row["province_id"]): row["lines"] for row in rows}))
        return sum(row["lines"] for row in rows)

    async def settled(self, documents: Sequence[tuple[str, int]]) -> Sequence[tuple[str, str]]:
        """By the three tables of what was issued."""
        ids, versions = [uuid.UUID(one) for one, _ in documents], [version for _, version in documents]
        async with self.database.transaction() as connection:
            rows = await connection.fetch(STATEMENTS["settled"], ids, versions)
        return [(row["school_id"], row["province_id"]) for row in rows]


@dataclass(frozen=True)
class ObjectPacks:
    """Fulfils the port StagedPacks on any store that obstore speaks."""

    store: Any

    async def older(self, before: datetime) -> AsyncIterator[str]:
        """By the time that the store noted."""
        try:
            async for batch in obstore.list(self.store):
                for found in batch:
                    if found["last_modified"] < before:
                        yield found["path"]
        except (BaseError, OSError) as error:
            raise Unavailable(f"staging can't be listed ({type(error).__name__})", code="staging_down") from error

    async def files(self, name: str) -> Sequence[str]:
        """By the ZIP's directory."""
        try:
            data = bytes(await (await obstore.get_async(self.store, name)).bytes_async())
        except (NotFoundError, FileNotFoundError):
            return ()
        except (BaseError, OSError) as error:
            raise Unavailable(f"staging can't be read ({type(error).__name__})", code="staging_down") from error
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as pack:
                return pack.namelist()
        except zipfile.BadZipFile:
            return ()

    async def remove(self, name: str) -> None:
        """For good, unless the store keeps versions of its own."""
        try:
            await obstore.delete_async(self.store, name)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise Unavailable(f"staging can't be written ({type(error).__name__})", code="staging_down") from error


def holds_in(file: Path | None) -> frozenset[str]:
    """The list of holds; none without a file. Malformed when it can't be read as one."""
    if file is None:
        return frozenset()
    try:
        return read_holds(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Malformed(f"HOCBA_ARCHIVE_RETENTION_HOLDS_FILE {file}: {error}; nothing is deleted until it can be read", code="settings") from error


def _uuids(holds: Holds) -> list[uuid.UUID]:
    return [uuid.UUID(school) for school in holds.schools]
