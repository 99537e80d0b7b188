"""The log's rows in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import asyncpg

from services.archive.adapters.catalogue import place_of
from services.archive.adapters.revocations import decided
from services.archive.adapters.statements import QUERIES
from services.archive.application.log_ports import KeptPack, LogHead, PlacedLeaf, SignedCheckpoint
from services.archive.application.ports import Location
from services.archive.domain.revocation import revoking
from services.chassis.database import Connection, Database
from services.chassis.errors import Conflict

_ROWS_AT_ONCE = 10_000
_PACKS_AT_ONCE = 100
_LOCK_ID = 0x484F4C47  # "HOLG"


@asynccontextmanager
async def alone(database: Database, lock: int = _LOCK_ID) -> AsyncIterator[bool]:
    """Whether this process is the one that extends the log (or does what else `lock` stands for); the lock goes with its connection.
    What makes forks impossible is the epoch."""
    async with database.connection() as connection:
        mine: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock)
        try:
            yield mine
        finally:
            if mine and not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", lock)


@dataclass(frozen=True)
class PostgresLogState:
    """Fulfils the port LogState."""

    database: Database

    async def take_over(self) -> int:
        """The next epoch."""
        async with self.database.transaction() as connection:
            epoch: int = await connection.fetchval(QUERIES["take_over"])
        return epoch

    async def head(self) -> LogHead:
        """How far the log has come."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["head"])
        return LogHead(row["epoch"], row["sequenced"], row["signed"], row["published"], row["waiting"])

    async def sequence(self, epoch: int, most: int) -> int:
        """Places for the oldest leaves, under the head's lock."""
        async with self.database.transaction() as connection:
            head = await self._locked(connection, epoch)
            done = await connection.execute(QUERIES["place_leaves"], head["sequenced"], most)
            placed = int(done.rpartition(" ")[2])
            if placed:
                await connection.execute(QUERIES["move_sequenced"], placed)
        return placed

    async def statements(self, start: int, end: int) -> Sequence[bytes]:
        """Leaves by place."""
        async with self.database.transaction() as connection:
            return [row["statement"] for row in await connection.fetch(QUERIES["statements"], start, end)]

    async def places(self, documents: Sequence[bytes], size: int) -> Mapping[int, bytes]:
        """The index finds them; what they are is for the reader to see from the statements."""
        async with self.database.transaction() as connection:
            return {row["log_index"]: row["statement"] for row in await connection.fetch(QUERIES["places_of"], documents, size)}

    async def sign(self, epoch: int, old: int, checkpoint: SignedCheckpoint, at: datetime) -> None:
        """Compare and swap, and the checkpoint's row, in one transaction."""
        try:
            async with self.database.transaction() as connection:
                if await connection.fetchval(QUERIES["move_signed"], epoch, old, checkpoint.size) is None:
                    raise _overtaken()
                await connection.execute(QUERIES["add_checkpoint"], checkpoint.size, checkpoint.root, checkpoint.note, at)
        except asyncpg.UniqueViolationError as error:
            raise _overtaken() from error

    async def checkpoint(self, size: int) -> SignedCheckpoint | None:
        """The checkpoint of a size."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["checkpoint"], size)
        return None if row is None else _checkpoint(row)

    async def final(self) -> SignedCheckpoint | None:
        """The newest final checkpoint with its cosignatures."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["final"])
        return None if row is None else _checkpoint(row)

    async def checkpoints(self, after: int) -> AsyncIterator[SignedCheckpoint]:
        """Page by page."""
        while True:
            async with self.database.transaction() as connection:
                rows = await connection.fetch(QUERIES["checkpoints"], after, _ROWS_AT_ONCE)
            for row in rows:
                yield _checkpoint(row)
            if len(rows) < _ROWS_AT_ONCE:
                return
            after = rows[-1]["size"]

    async def add_cosignatures(self, size: int, lines: Mapping[str, str], at: datetime) -> None:
        """The first of each witness stays."""
        async with self.database.transaction() as connection:
            await connection.executemany(QUERIES["add_cosignature"], [(size, witness, line, at) for witness, line in lines.items()])

    async def cosignatures(self, size: int) -> Mapping[str, str]:
        """Lines by witness."""
        async with self.database.transaction() as connection:
            return {row["witness"]: row["line"] for row in await connection.fetch(QUERIES["cosignatures"], size)}

    @asynccontextmanager
    async def publishing(self, size: int) -> AsyncIterator[bool]:
        """Under the head's lock, so that an older checkpoint never takes a newer one's place."""
        async with self.database.transaction() as connection:
            head = await connection.fetchrow(QUERIES["lock_head"])
            yield head["published"] < size
            if head["published"] < size:
                await connection.execute(QUERIES["move_published"], size)

    async def placed_leaves(self, start: int, end: int) -> Sequence[PlacedLeaf]:
        """Leaves with their documents' digests."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["placed_leaves"], start, end)
            revoked = await connection.fetch(QUERIES["placed_revocations"], start, end)
        due = {row["log_index"]: revoking(*decided(row), row["revoked_at"]) for row in revoked}
        return [PlacedLeaf(row["log_index"], row["statement"], row["sha256"], due.get(row["log_index"])) for row in rows]

    async def packs(self) -> AsyncIterator[KeptPack]:
        """Page by page, in the order of their names."""
        after = ""
        while True:
            async with self.database.transaction() as connection:
                rows = await connection.fetch(QUERIES["kept_documents"], after, _PACKS_AT_ONCE)
            if not rows:
                return
            for (name, digest, size), of_pack in groupby(rows, key=lambda row: (row["object_name"], row["digest"], row["pack_size"])):
                yield KeptPack(name, digest, size, tuple(place_of(row, str(row["owner_id"])) for row in of_pack))
            after = rows[-1]["object_name"]

    async def count_documents(self) -> int:
        """Transcripts and sheets."""
        async with self.database.transaction() as connection:
            count: int = await connection.fetchval(QUERIES["kept_documents_count"])
        return count

    async def dossiers(self) -> AsyncIterator[Location]:
        """Page by page, by school and pupil."""
        nobody = uuid.UUID(int=0)
        after: tuple[Any, ...] = (nobody, nobody, b"")
        while True:
            async with self.database.transaction() as connection:
                rows = await connection.fetch(QUERIES["kept_dossiers"], *after, _PACKS_AT_ONCE)
            if not rows:
                return
            for row in rows:
                yield place_of(row, str(row["owner_id"]))
            after = rows[-1]["school_id"], rows[-1]["owner_id"], rows[-1]["sha256"]

    async def count_dossiers(self) -> int:
        """Those of all schools."""
        async with self.database.transaction() as connection:
            count: int = await connection.fetchval(QUERIES["kept_dossiers_count"])
        return count

    async def _locked(self, connection: Connection, epoch: int) -> Any:
        head = await connection.fetchrow(QUERIES["lock_head"])
        if head["epoch"] != epoch:
            raise _overtaken()
        return head


def _checkpoint(row: Any) -> SignedCheckpoint:
    return SignedCheckpoint(row["size"], row["root"], row["note"])


def _overtaken() -> Conflict:
    return Conflict("another process has taken the log over; this one signs nothing more", code="log_overtaken")
