"""The access log in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.archive.adapters.admissions import queue_leaves
from services.archive.adapters.catalogue import scope_of
from services.archive.application.access_ports import AccessFilter, AccessPlace
from services.archive.application.ports import Viewer
from services.archive.domain.access_line import AccessLine
from services.archive.domain.statement import audit_head_statement
from services.chassis.database import STRAIN_ERRORS, Connection, Database, Queries
from services.chassis.errors import Unavailable

STATEMENTS = Queries(Path(__file__).with_name("access.sql"))


@dataclass(frozen=True)
class PostgresAccesses:
    """Fulfils the port AccessLedger."""

    database: Database

    async def append(self, lines: Sequence[AccessLine]) -> None:
        """One transaction of two statements at most."""
        try:
            async with self.database.transaction() as connection:
                await add_lines(connection, lines)
        except STRAIN_ERRORS as error:
            raise Unavailable("the access log can't be written now, so nothing is handed out; try again", code="access_log") from error

    async def accesses(self, viewer: Viewer, wanted: AccessFilter, behind: AccessPlace | None, limit: int) -> Sequence[AccessLine]:
        """Row-level security narrows; who sees single classes only sees nothing here."""
        if viewer.classes:
            return []
        place = (behind.at, uuid.UUID(behind.stream), behind.number) if behind else (None, None, None)
        narrowed = (wanted.school_id, wanted.document_id, wanted.account_id, wanted.since, wanted.until)
        async with self.database.transaction(scope_of(viewer)) as connection:
            return [_line(row) for row in await connection.fetch(STATEMENTS["accesses"], *narrowed, *place, limit)]

    async def anchor(self, before: datetime, at: datetime) -> int:
        """Leaves and anchors in one transaction."""
        async with self.database.transaction() as connection:
            await connection.execute(STATEMENTS["one_teller"])
            rows = await connection.fetch(STATEMENTS["untold"], before)
            if rows:
                told = [audit_head_statement(str(row["stream"]), row["number"], row["hash"], row["digest"], row["previous"], at) for row in rows]
                leaves = await queue_leaves(connection, told)
                columns = [[row[name] for row in rows] for name in ("stream", "number", "hash")]
                await connection.execute(STATEMENTS["add_anchors"], *columns, leaves, at)
        return len(rows)


async def add_lines(connection: Connection, lines: Sequence[AccessLine]) -> None:
    """Add lines of one stream in this transaction; its first line begins it."""
    stream = uuid.UUID(lines[0].stream)
    if lines[0].number == 1:
        await connection.execute(STATEMENTS["begin_stream"], stream, lines[0].at)
    rows = [(line.number, line.body, line.digest, line.hash, uuid.UUID(line.school_id), line.province_id, line.at) for line in lines]
    await connection.execute(STATEMENTS["add_lines"], stream, *(list(column) for column in zip(*rows, strict=True)))


def _line(row: Any) -> AccessLine:
    return AccessLine(str(row["stream"]), row["number"], row["body"], row["digest"], row["hash"], str(row["school_id"]), row["province_id"], row["at"])
