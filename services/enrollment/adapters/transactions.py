"""One transaction of enrollment: the caller's rows, request ids, and facts that leave with the commit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.chassis.database import SYSTEM, Connection, Database, Queries, scope_of
from services.chassis.envelope import Envelope
from services.chassis.identity import current_actor
from services.chassis.outbox import announce
from services.chassis.requests import answered, keep_answer
from services.enrollment.adapters.pupils import PostgresImports, PostgresPupils, PostgresTransfers
from services.enrollment.adapters.schools import PostgresClasses, PostgresSchools, PostgresStaff
from services.enrollment.application.ports import Classes, Imports, Once, Pupils, Schools, StaffBook, Transfers, Work
from services.enrollment.contracts.events import events
from services.enrollment.domain.facts import Fact

QUERIES = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(slots=True)
class PostgresWork:
    """One open transaction."""

    connection: Connection
    envelope: Envelope
    schools: Schools = field(init=False)
    classes: Classes = field(init=False)
    staff: StaffBook = field(init=False)
    pupils: Pupils = field(init=False)
    transfers: Transfers = field(init=False)
    imports: Imports = field(init=False)

    def __post_init__(self) -> None:
        self.schools = PostgresSchools(self.connection, QUERIES)
        self.classes = PostgresClasses(self.connection, QUERIES)
        self.staff = PostgresStaff(self.connection, QUERIES)
        self.pupils = PostgresPupils(self.connection, QUERIES)
        self.transfers = PostgresTransfers(self.connection, QUERIES)
        self.imports = PostgresImports(self.connection, QUERIES)

    async def answered(self, once: Once) -> dict[str, Any] | None:
        kept = await answered(self.connection, once.request_id, once.digest)
        return None if kept is None else dict(json.loads(kept))

    async def keep_answer(self, once: Once, method: str, answer: dict[str, Any]) -> None:
        await keep_answer(self.connection, once.request_id, method, once.digest, json.dumps(answer, ensure_ascii=False).encode())

    async def announce(self, *facts: Fact) -> None:
        await announce(self.connection, *(event for fact in facts for event in events(fact, self.envelope)))


@dataclass(frozen=True, slots=True)
class PostgresTransactions:
    """Opens transactions under the row scope of whoever calls."""

    database: Database
    envelope: Envelope

    def __call__(self, *, every_school: bool = False) -> AbstractAsyncContextManager[Work]:
        return self._open(every_school)

    @asynccontextmanager
    async def _open(self, every_school: bool) -> AsyncIterator[Work]:
        scope = SYSTEM if every_school else scope_of(current_actor())
        async with self.database.transaction(scope) as connection:
            yield PostgresWork(connection, self.envelope)
