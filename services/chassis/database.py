"""PostgreSQL for a service: pool, transactions with row-level scope, and named statements.

A transaction says whose rows it may see (RowScope) before anything else; the policies of the tables do the rest,
so that a forgotten WHERE shows nothing rather than everything. No time-out ever cancels a COMMIT: a cancelled
COMMIT lies about its outcome under synchronous replication.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import asyncpg

from services.chassis.errors import OutcomeUnknown, Unavailable
from services.chassis.identity import Actor


class Connection(Protocol):
    """What adapters use of an asyncpg connection; a transaction hands it out."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...
    async def executemany(self, command: str, args: Iterable[Iterable[Any]], *, timeout: float | None = None) -> None: ...
    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Any: ...
    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any: ...
    def transaction(self) -> Any: ...
    def is_closed(self) -> bool: ...
    def add_log_listener(self, callback: Any) -> None: ...
    def remove_log_listener(self, callback: Any) -> None: ...


PING_SECONDS, CLOSE_SECONDS = 3.0, 5.0
_SAFE = re.compile(r"^[0-9A-Za-z_:.-]*$")
CONNECTION_ERRORS = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # Our question and the server's last word have crossed.
)
"""What is raised when the database is not there; `Unavailable` for callers."""
STRAIN_ERRORS = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,  # A full disk is one.
    asyncpg.ReadOnlySQLTransactionError,  # A standby, while roles change.
)
"""What is raised when the database is there and can't do it now; the statement is not at fault."""


@dataclass(frozen=True, slots=True)
class RowScope:
    """Whose rows a transaction may see and write."""

    kind: Literal["system", "school", "province", "none"]
    schools: tuple[str, ...] = ()
    province: str = ""

    def begin(self) -> str:
        """One round trip that opens the transaction and sets its scope."""
        values = {"scope": self.kind, "schools": ",".join(self.schools), "province": self.province}
        for value in (self.kind, *self.schools, self.province):
            if not _SAFE.match(value):
                raise ValueError(f"not a scope: {value!r}")
        return "BEGIN;" + "".join(f"SET LOCAL hocba.{name}='{value}';" for name, value in values.items())


SYSTEM = RowScope("system")


def scope_of(actor: Actor) -> RowScope:
    """The rows an actor may touch: a service all, an officer a province, a member of staff the own schools."""
    if actor.service or any(role.scope == "nation" for role in actor.roles):
        return SYSTEM
    if provinces := actor.scoped("province"):
        return RowScope("province", province=provinces[0])
    if schools := actor.scoped("school"):
        return RowScope("school", schools=schools)
    return RowScope("none")


class Database:
    """A pool that connects when first used, so that a service starts before its database does."""

    def __init__(self, dsn: str, *, name: str, pool: int) -> None:
        self._dsn, self._name, self._size = dsn, name, pool
        self._pool: asyncpg.Pool | None = None
        self._asking: asyncio.Task[bool] | None = None

    async def open(self) -> None:
        """Make the pool; connects nothing yet."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=self._size,
            command_timeout=None,
            timeout=5,
            init=_prepare_connection,
            reset=_leave_clean,
            server_settings={
                "application_name": self._name,
                "idle_in_transaction_session_timeout": "60s",
                "lock_timeout": "15s",
                "tcp_user_timeout": "5000",
                "TimeZone": "UTC",
            },
        )

    async def close(self) -> None:
        if self._asking:
            self._asking.cancel()
        if self._pool:
            try:
                await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
            except TimeoutError:
                self._pool.terminate()  # A server that hangs takes no leave; nothing of ours is open there any more.

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A bare connection, outside of any transaction."""
        assert self._pool, "open() comes first"
        try:
            acquired = await self._pool.acquire()
        except CONNECTION_ERRORS as error:
            raise Unavailable("the database cannot be reached; nothing was done", code="database_down") from error
        try:
            yield acquired
        finally:
            await self._pool.release(acquired)

    @asynccontextmanager
    async def transaction(self, scope: RowScope = SYSTEM) -> AsyncIterator[Connection]:
        """One transaction under a row scope: committed at the end of the block, rolled back on any error."""
        async with self.connection() as connection:
            try:
                await connection.execute(scope.begin())
            except CONNECTION_ERRORS as error:
                raise Unavailable("the database cannot be reached; nothing was done", code="database_down") from error
            try:
                yield connection
            except BaseException as error:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                if isinstance(error, CONNECTION_ERRORS):
                    raise Unavailable("the database went away; nothing was done", code="database_down") from error
                raise
            await _commit(connection)

    async def ping(self) -> bool:
        """Whether a statement gets an answer in PING_SECONDS; a server that hangs is as far away as one that is down."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Not awaited to its end: the driver's own time-out first tells the server to cancel, and waits for that too.
        answered, _ = await asyncio.wait({self._asking}, timeout=PING_SECONDS)
        return bool(answered) and self._asking.result()

    async def _ask(self) -> bool:
        try:
            async with self.connection() as connection:
                await connection.execute("SELECT 1", timeout=PING_SECONDS)
        except (Unavailable, TimeoutError, asyncpg.PostgresError, *CONNECTION_ERRORS):
            return False
        return True


async def _commit(connection: Connection) -> None:
    warnings: list[str] = []

    def note(_: Any, message: Any) -> None:
        warnings.append(f"{message.sqlstate} {message.message}")

    connection.add_log_listener(note)
    try:
        tag = await _uncut(connection.execute("COMMIT"))
    except CONNECTION_ERRORS as error:
        raise OutcomeUnknown("the connection broke during COMMIT: read again, or repeat with the same request id") from error
    finally:
        connection.remove_log_listener(note)
    if tag == "ROLLBACK":
        # PostgreSQL's answer, without an error, when a statement had failed and its error was swallowed on the way here.
        raise Unavailable("a statement of the transaction had failed; nothing was done", code="rolled_back")
    # PostgreSQL answers COMMIT with success and this warning when the wait for the standby was cancelled.
    if any(text.startswith("01000") and "synchronous replication" in text for text in warnings):
        raise OutcomeUnknown("committed here, but the standby has not confirmed it: read again before relying on it")


async def _uncut(statement: Coroutine[Any, Any, str]) -> str:
    """What the statement answers; a caller who gives up meanwhile is let go when it has ended, and never cuts it off."""
    running = asyncio.ensure_future(statement)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _leave_clean(connection: asyncpg.Connection) -> None:
    # Sessions keep no state but SET LOCAL, so asyncpg's own reset would be one wasted round trip per transaction.
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def _prepare_connection(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=lambda v: v, decoder=lambda v: v)


class Queries:
    """The named statements of a queries.sql file.

    Each begins with a line `-- name: lock_gradebook`, then a line that says what for. `queries["lock_gradebook"]`
    is the SQL; an unknown name raises KeyError at the first use, and a test compares names with uses.
    """

    def __init__(self, *files: Path) -> None:
        self._sql: dict[str, str] = {}
        for file in files:
            for block in re.split(r"^-- name: *", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
                name, sql = block.split("\n", 1)
                if name.strip() in self._sql:
                    raise ValueError(f"{file}: two statements are called {name.strip()}")
                self._sql[name.strip()] = sql.strip().rstrip(";")

    def __getitem__(self, name: str) -> str:
        return self._sql[name]

    def names(self) -> Iterable[str]:
        """Every name in the file."""
        return self._sql.keys()
