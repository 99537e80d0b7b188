"""The archive's record of what was submitted to the national register, in PostgreSQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from services.archive.adapters.admissions import ref_of
from services.archive.adapters.catalogue import place_of
from services.archive.application.log_ports import LogState
from services.archive.application.submission_ports import Acknowledged, OpenBatch, Submittable
from services.archive.contracts import acknowledged_event, submitted_event
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.statement import Statement
from services.archive.domain.submission import OPERATION_OF, Outcome
from services.chassis.database import Connection, Database, Queries
from services.chassis.errors import Conflict, Refused
from services.chassis.outbox import announce

QUERIES = Queries(Path(__file__).with_name("submissions.sql"))


@dataclass(frozen=True)
class PostgresSubmissions:
    """Fulfils the port Submissions."""

    database: Database
    log: LogState

    async def open(self, province_id: str, most: int, at: datetime) -> OpenBatch | None:
        """The open batch or the next one; see the port."""
        final = await self.log.final()
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["open_submission"], province_id)
            if row is None and final is not None:
                row = await self._decide(connection, province_id, most, (final.size, final.note), at)
        return None if row is None else OpenBatch(**row)

    async def _decide(self, connection: Connection, province_id: str, most: int, head: tuple[int, bytes], at: datetime) -> Any:
        first = await connection.fetchval(QUERIES["submitted_until"], province_id)
        end = await connection.fetchval(QUERIES["next_submission_end"], province_id, first, head[0], most)
        if end is None:
            return None
        row = await connection.fetchrow(QUERIES["add_submission"], province_id, first, end, *head, at.replace(microsecond=0))
        if row is None:
            raise Conflict("another process has just begun the same batch; try again", code="written_first")
        batch = OpenBatch(**row)
        await announce(connection, *(submitted_event(batch, group) for group in _classes(await _records(connection, batch))))
        return row

    async def records(self, batch: OpenBatch) -> Sequence[Submittable]:
        """The batch's versions in the log's order."""
        async with self.database.transaction() as connection:
            return await _records(connection, batch)

    async def acknowledge(self, batch: OpenBatch, results: Sequence[tuple[Submittable, Outcome]], answer: Acknowledged) -> None:
        """Receipt and events in one transaction, once."""
        receipt, outcomes = answer.receipt, {one.leaf_id: outcome for one, outcome in results}
        counts = (receipt.applied, receipt.ignored, receipt.rejected)
        async with self.database.transaction() as connection:
            new = await connection.fetchval(QUERIES["add_receipt"], batch.batch_id, receipt.manifest, answer.note, answer.results, *counts, receipt.at)
            if new is not None:
                groups = _classes([one for one, _ in results])
                await announce(connection, *(acknowledged_event(batch, [(one, outcomes[one.leaf_id]) for one in group], receipt) for group in groups))

    async def waiting(self, province_id: str) -> int:
        """Versions below the newest final checkpoint that are in no batch."""
        final = await self.log.final()
        if final is None:
            return 0
        async with self.database.transaction() as connection:
            first = await connection.fetchval(QUERIES["submitted_until"], province_id)
            count: int = await connection.fetchval(QUERIES["count_submittable"], province_id, first, final.size)
        return count

    async def receipts(self, province_id: str) -> list[Mapping[str, Any]]:
        """Every receipt of a province, in the order of its batches."""
        async with self.database.transaction() as connection:
            return [dict(row) for row in await connection.fetch(QUERIES["receipts"], province_id)]


@dataclass(frozen=True)
class AttachedNumbers:
    """Fulfils the port PupilNumbers: from the record that the document carries, which the log's content digest commits to."""

    def of(self, document: bytes) -> Mapping[str, str | None]:
        """Both numbers; None for what is empty."""
        record = examine(document, TRANSCRIPT).record
        if record is None:
            raise Refused("an archived document carries no record; run `hocba audit --deep`", code="archive_damaged")
        pupil = json.loads(record)["pupil"]
        return {name: pupil.get(name) or None for name in ("personal_number", "ministry_code")}


async def _records(connection: Connection, batch: OpenBatch) -> list[Submittable]:
    rows = await connection.fetch(QUERIES["submittable"], batch.province_id, batch.first_index, batch.end_index)
    return [
        Submittable(
            leaf_id=row["revision"],
            operation=OPERATION_OF[Statement.read(row["statement"]).kind],
            index=row["log_index"],
            statement=row["statement"],
            ref=ref_of(row),
            class_id=str(row["class_id"]),
            school_id=str(row["school_id"]),
            school_year=row["school_year"],
            level=row["level"],
            place=place_of(row, str(row["pupil_id"])),
        )
        for row in rows
    ]


def _classes(records: Sequence[Submittable]) -> Iterator[list[Submittable]]:
    for _, group in groupby(sorted(records, key=lambda one: (one.class_id, one.index)), key=lambda one: one.class_id):
        yield list(group)
