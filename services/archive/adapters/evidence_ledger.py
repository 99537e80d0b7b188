"""Evidence in PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.archive.adapters.admissions import queue_leaves
from services.archive.application.evidence_ports import BatchStamp, DueStamp, DueTree, Member, Token, Waiting, WantedStamp
from services.archive.application.ports import Location
from services.archive.domain.evidence import HashTree
from services.archive.domain.statement import evidence_statement
from services.chassis.database import Connection, Database, Queries

STATEMENTS = Queries(Path(__file__).with_name("evidence.sql"))


@dataclass(frozen=True)
class PostgresEvidence:
    """Fulfils the port EvidenceLedger."""

    database: Database

    async def waiting(self, at_most: int) -> Waiting:
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(STATEMENTS["evidence_state"], at_most)
        known = [since for since in (row["waiting_since"], row["unstamped_since"]) if since is not None]
        return Waiting(row["waiting"], row["waiting_since"], min(known, default=None))

    async def cut(self, algorithm: str, at_most: int, at: datetime) -> int:
        async with self.database.transaction() as connection:
            rows = await connection.fetch(STATEMENTS["take_waiting"], at_most)
            if not rows:
                return 0
            documents = [row["sha256"] for row in rows]
            tree = await asyncio.to_thread(HashTree, algorithm, [[one] for one in documents])
            batch_id = await connection.fetchval(STATEMENTS["add_batch"], len(rows), rows[0]["admitted_at"], at)
            await connection.execute(STATEMENTS["place_documents"], batch_id, documents)
            await _want(connection, algorithm, tree.root, [Member(batch_id, 1, 1, tree.root)], at)
        return len(rows)

    async def unstamped(self, limit: int) -> Sequence[WantedStamp]:
        return [WantedStamp(*row) for row in await self._rows("unstamped", limit)]

    async def keep(self, stamp_id: int, token: Token, at: datetime) -> None:
        async with self.database.transaction() as connection:
            imprint = await connection.fetchval(STATEMENTS["add_token"], stamp_id, token.der, token.at, token.good_until, at)
            if imprint is not None:  # The first one, so that it is said once.
                await queue_leaves(connection, [evidence_statement(stamp_id, token.der, imprint, at)])

    async def place_of(self, sha256: bytes) -> tuple[int, int] | None:
        rows = await self._rows("document_evidence", sha256)
        return (rows[0]["batch_id"], rows[0]["place"]) if rows and rows[0]["batch_id"] is not None else None

    async def documents(self, batch_id: int) -> Sequence[bytes]:
        return [row["sha256"] for row in await self._rows("batch_documents", batch_id)]

    async def stamps(self, batch_id: int) -> Sequence[BatchStamp]:
        return [BatchStamp(*row) for row in await self._rows("batch_stamps", batch_id)]

    async def leaves(self, stamp_id: int) -> Sequence[bytes]:
        return [row["leaf"] for row in await self._rows("stamp_leaves", stamp_id)]

    async def renewed_leaves(self, batch_id: int, after_stamp: int, algorithm: str) -> Sequence[bytes]:
        return [row["leaf"] for row in await self._rows("renewed_leaves", batch_id, after_stamp, algorithm)]

    async def add_leaves(self, due: DueTree, algorithm: str, first: int, leaves: Sequence[bytes]) -> None:
        places = list(range(first, first + len(leaves)))
        async with self.database.transaction() as connection:
            await connection.execute(STATEMENTS["add_leaves"], due.batch_id, due.stamp_id, algorithm, places, list(leaves))

    async def want(self, algorithm: str, imprint: bytes, members: Sequence[Member], at: datetime) -> bool:
        try:
            async with self.database.transaction() as connection:
                await _want(connection, algorithm, imprint, members, at)
        except asyncpg.UniqueViolationError:
            # Another process renews the same batches; its time stamp is wanted already.
            return False
        return True

    async def due_stamps(self, before: datetime, older: datetime, limit: int) -> Sequence[DueStamp]:
        return [DueStamp(*row) for row in await self._rows("due_stamps", before, older, limit)]

    async def count_due_stamps(self, before: datetime, older: datetime) -> int:
        return int((await self._rows("count_due_stamps", before, older))[0][0])

    async def due_trees(self, algorithm: str, limit: int) -> Sequence[DueTree]:
        return [DueTree(*row) for row in await self._rows("due_trees", algorithm, limit)]

    async def count_due_documents(self, algorithm: str) -> int:
        return int((await self._rows("count_due_documents", algorithm))[0][0])

    async def locations(self, batch_id: int, first: int, behind: int) -> Sequence[Location]:
        rows = await self._rows("places_of_documents", batch_id, first, behind)
        return [
            Location(row["object_name"], row["pack_offset"], row["size"], row["sha256"], str(row["owner_id"]), row["province_id"], bool(row["cipher"]))
            for row in rows
        ]

    async def _rows(self, name: str, *values: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return await connection.fetch(STATEMENTS[name], *values)


async def _want(connection: Connection, algorithm: str, imprint: bytes, members: Sequence[Member], at: datetime) -> None:
    stamp_id = await connection.fetchval(STATEMENTS["add_stamp"], algorithm, imprint, at)
    await connection.execute(
        STATEMENTS["add_members"],
        stamp_id,
        [member.batch_id for member in members],
        [member.chain for member in members],
        [member.position for member in members],
        list(range(len(members))),
        [member.leaf for member in members],
    )
