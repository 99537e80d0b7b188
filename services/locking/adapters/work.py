"""One transaction of locking in PostgreSQL: its stores, its audit line, its events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis.clock import Clock
from services.chassis.database import SYSTEM, Connection, Database, RowScope
from services.chassis.errors import Unavailable
from services.chassis.outbox import announce
from services.chassis.requests import answered, keep_answer
from services.locking import contracts
from services.locking.adapters.locks import PostgresErrands, PostgresLocks
from services.locking.adapters.roster import PostgresRoster
from services.locking.adapters.statements import SQL
from services.locking.adapters.unlocks import PostgresPolicies, PostgresUnlocks
from services.locking.adapters.windows import PostgresLeases, PostgresWindows
from services.locking.application.ports import Request, Work
from services.locking.domain.audit import Head, Line, next_line
from services.locking.domain.lock import Lock
from services.locking.domain.people import NATION, Caller
from services.locking.domain.scope import Place, Scope
from services.locking.domain.unlock import Unlock
from services.locking.domain.window import Window

BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresWork:
    """Fulfils application.ports.Work on one connection's transaction."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self.roster = PostgresRoster(connection)
        self.windows = PostgresWindows(connection)
        self.leases = PostgresLeases(connection, now)
        self.locks = PostgresLocks(connection)
        self.unlocks = PostgresUnlocks(connection)
        self.policies = PostgresPolicies(connection)
        self.errands = PostgresErrands(connection)

    async def answered(self, request: Request) -> UUID | None:
        answer = await answered(self._connection, request.request_id, request.digest)
        return UUID(bytes=answer) if answer is not None else None

    async def keep_answer(self, request: Request, made: UUID) -> None:
        await keep_answer(self._connection, request.request_id, request.method, request.digest, made.bytes)

    async def audit(self, stream: str, action: str, facts: Mapping[str, Any], now: datetime, belongs: Place | Scope) -> Line:
        row = await self._connection.fetchrow(SQL["audit_head"], stream)
        line = next_line(Head(stream, row["number"], row["hash"]), now, action, facts)
        await self._connection.execute(SQL["add_audit_line"], line.stream, line.number, line.body, line.hash, belongs.school_id, belongs.province_id)
        return line

    async def announce_lock(self, lock: Lock, line: Line) -> None:
        await announce(self._connection, contracts.lock_event(lock, line))

    async def announce_unlock(self, unlock: Unlock, caller: Caller, line: Line, now: datetime) -> None:
        await announce(self._connection, contracts.unlock_event(unlock, caller.account_id, line, now))

    async def announce_window(self, window: Window, state: str, line: Line) -> None:
        await announce(self._connection, contracts.window_event(window, state, line))


@dataclass(frozen=True, slots=True)
class PostgresTransactions:
    """Fulfils application.ports.Transactions: each under the row scope of its caller."""

    database: Database
    clock: Clock

    @asynccontextmanager
    async def __call__(self, caller: Caller) -> AsyncIterator[Work]:
        try:
            async with self.database.transaction(row_scope(caller)) as connection:
                yield PostgresWork(connection, self.clock.now())
        except BUSY as error:
            raise Unavailable("somebody else is at work on the same class or term; nothing was done, try again", code="busy") from error


def row_scope(caller: Caller) -> RowScope:
    """The rows a caller may touch: all for the service and the nation's officers, else one province or the own schools."""
    if any(scope == NATION for _, scope in caller.roles):
        return SYSTEM
    if provinces := sorted(caller.scopes_of("province")):
        return RowScope("province", province=provinces[0])
    if schools := sorted(caller.scopes_of("school")):
        return RowScope("school", schools=tuple(schools))
    return RowScope("none")
