"""What waits, as PostgreSQL knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.archive.application.duty_ports import Check, LastStamp, Pending
from services.archive.domain.statement import said_at
from services.chassis.database import Database, Queries

STATEMENTS = Queries(Path(__file__).with_name("duties.sql"))


@dataclass(frozen=True)
class PostgresDuties:
    """Fulfils the port DutyLedger."""

    database: Database

    async def last_stamps(self) -> Sequence[LastStamp]:
        """By their ends."""
        return [LastStamp(*row) for row in await self._rows("last_stamps")]

    async def first_not_final(self) -> datetime | None:
        """By what the statement itself says."""
        ((statement,),) = await self._rows("first_not_final")
        return None if statement is None else said_at(statement)

    async def owed_since(self, witnesses: Sequence[str], patience: int) -> Mapping[str, datetime]:
        """Of the newest checkpoints."""
        return {row["name"]: row["since"] for row in await self._rows("owed_since", list(witnesses), patience)}

    async def parked(self) -> Pending:
        """Of all consumers."""
        (row,) = await self._rows("parked")
        return Pending(*row)

    async def refused(self) -> Pending:
        """Of all schools."""
        (row,) = await self._rows("refused")
        return Pending(*row)

    async def begun(self) -> datetime | None:
        """None before there is a log."""
        rows = await self._rows("begun")
        return rows[0]["signed_at"] if rows else None

    async def last_checks(self) -> Sequence[Check]:
        """By the order in which they ended."""
        return [Check(*row) for row in await self._rows("last_checks")]

    async def add_check(self, check: Check) -> None:
        """A row that stays."""
        async with self.database.transaction() as connection:
            await connection.execute(STATEMENTS["add_check"], check.documents, check.faults, check.at)

    async def _rows(self, name: str, *values: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return await connection.fetch(STATEMENTS[name], *values)
