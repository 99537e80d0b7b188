"""Fresh tables in a schema of their own, made by the service's own migrations, as the tables' owner."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services.chassis.database import Queries
from services.chassis.errors import Refused, Unavailable
from services.chassis.telemetry import log

QUERIES = Queries(Path(__file__).with_name("fresh.sql"))
SEARCH_PATH = "replay,public"
"""With it a session finds the fresh tables, and everything else where it always is."""
LOCK_ID = 0x48525050  # "HRPP": one replay of a database at a time.
KEPT = ("snapshots", "reconciliations", "discrepancies")
"""What no topic tells: it stays as it is."""
FIRST = (
    "schools",
    "sheets",
    "unlocks",
    "classes",
    "waiting_news",
    "pupils",
    "counters",
    "waits",
    "tallied",
    "school_places",
    "tallies",
    "class_results",
    "result_counters",
)
"""In the order in which transactions take them, so that nobody waits in a circle; tables that aren't named here come behind."""
ATTEMPTS = 10


@dataclass
class PostgresFreshTables:
    """Fulfils the port FreshTables, on a connection of the owner role that is held for the whole replay."""

    connection: asyncpg.Connection
    migrations: Path
    _alone: bool = False

    async def make(self) -> None:
        """The files of the migrations run in the fresh schema: the same columns, indices, policies and grants as in the other."""
        self._alone = await self.connection.fetchval(QUERIES["alone"], LOCK_ID)
        if not self._alone:
            raise Refused("another replay of this database is at work; wait for it to end", code="replay_under_way")
        async with self.connection.transaction():
            await self.connection.execute(QUERIES["make_schema"])
            await self.connection.execute(f"SET LOCAL search_path = {SEARCH_PATH}")
            for file in sorted(self.migrations.glob("*.sql")):
                await self.connection.execute(file.read_text(encoding="utf-8"))
            for table in KEPT:
                await self.connection.execute(f"DROP TABLE replay.{table} CASCADE")
            await self.connection.execute(QUERIES["make_parked"])

    async def swap(self, last: Callable[[], Awaitable[object]]) -> None:
        """Readers wait for the moment of the swap alone. Whoever waits in a circle with it is let go first, and it is tried again."""
        tables = [row["tablename"] for row in await self.connection.fetch(QUERIES["tables"]) if row["tablename"] != "hocba_parked"]
        tables.sort(key=lambda table: (FIRST.index(table) if table in FIRST else len(FIRST), table))
        for table in tables:
            await self.connection.execute(f"ANALYZE replay.{table}")
        named = ", ".join(f"public.{table}" for table in tables)
        for attempt in range(ATTEMPTS):
            try:
                async with self.connection.transaction():
                    await self.connection.execute(f"LOCK TABLE {named} IN SHARE ROW EXCLUSIVE MODE")
                    # What was applied to the old tables was told before the lock, hence lies before the ends that are read now.
                    await last()
                    await self.connection.execute(f"LOCK TABLE {named} IN ACCESS EXCLUSIVE MODE")
                    await self.connection.execute("CREATE SCHEMA replaced")
                    for table in tables:
                        await self.connection.execute(f"ALTER TABLE public.{table} SET SCHEMA replaced")
                        await self.connection.execute(f"ALTER TABLE replay.{table} SET SCHEMA public")
                    return
            except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError) as error:
                log.warning("the swap waits", error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(0.2 * (attempt + 1))
        raise Unavailable("writers and readers left no moment for the swap; nothing was changed, try again", code="no_moment")

    async def forget(self) -> None:
        """What the replay leaves behind; when the swap has been, the tables that were replaced. Nothing of another replay's."""
        if self._alone:
            await self.connection.execute(QUERIES["forget"])
