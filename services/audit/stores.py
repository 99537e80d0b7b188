"""Read-only ways into the stores of all services."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from services.chassis.database import Queries
from services.signing.adapters.key_journal import key_uses
from services.stack.deployment import Deployment

QUERIES = Queries(Path(__file__).with_name("queries.sql"), Path(__file__).with_name("reconcile.sql"))
# What merely counts deliveries: a replay may touch it without anything having changed.
# So is how far the log has come, and in which steps: what it says is in the leaves. So is when reporting has looked at its counters, and what an audit found.
NOT_CONTENT = frozenset(
    {"hocba_outbox", "hocba_inbox", "hocba_migrations", "yoyo_lock", "log_head", "checkpoints", "cosignatures", "snapshots", "reconciliations", "discrepancies"}
)
# When something is next looked at, or gets its place in the log, is no fact: a repeat may bring it forward.
TIMERS = ["late_check_at", "log_index"]


@dataclass(frozen=True)
class Stores:
    """One connection per service, each in a read-only session that sees every row."""

    connections: Mapping[str, Any]
    key_journals: Path
    """Where the signing workers wrote down each use of a key before it happened."""
    kafka: dict[str, Any] = field(default_factory=dict)
    """How any aiokafka client reaches the brokers."""
    topic_prefix: str = ""

    @classmethod
    @asynccontextmanager
    async def of(cls, deployment: Deployment) -> AsyncIterator["Stores"]:
        """Connect to every database of a deployment."""
        async with cls.at(deployment.databases, {"bootstrap_servers": deployment.kafka}, deployment.topic_prefix, deployment.key_journals) as stores:
            yield stores

    @classmethod
    @asynccontextmanager
    async def at(cls, databases: Mapping[str, str], kafka: dict[str, Any], topic_prefix: str = "", key_journals: Path = Path()) -> AsyncIterator["Stores"]:
        """Connect to databases by service."""
        connections: dict[str, Any] = {}
        try:
            for service, url in databases.items():
                settings = {"default_transaction_read_only": "on", "hocba.scope": "system", "application_name": "hocba-audit", "TimeZone": "UTC"}
                connections[service] = await asyncpg.connect(url, server_settings=settings)
            yield cls(connections, key_journals, kafka, topic_prefix)
        finally:
            for connection in connections.values():
                await connection.close()

    async def rows(self, name: str, *arguments: Any) -> list[Any]:
        """The rows of a named statement; its name begins with the service."""
        return list(await self.connections[name.split(".", 1)[0]].fetch(QUERIES[name], *arguments))

    async def set_rows(self, wrapping: str, name: str, *arguments: Any) -> list[Any]:
        """The rows of a named set within a wrapping statement, such as its `tallies`."""
        return list(await self.connections[name.split(".", 1)[0]].fetch(QUERIES[wrapping].replace("{set}", QUERIES[name]), *arguments))

    async def keys(self, name: str, service: str, among: Sequence[str]) -> set[str]:
        """Those of the keys that a statement finds in a service's database."""
        return {row["key"] for row in await self.connections[service].fetch(QUERIES[name], among)}

    def key_uses(self) -> list[tuple[str, str]]:
        """(intent, digest in hex) of every use of a key; raises Refused when a journal is broken."""
        return [(use.intent_id, use.digest.hex()) for use in key_uses(self.key_journals)]

    async def waiting_events(self) -> list[int]:
        """Events in each outbox."""
        return [await connection.fetchval(QUERIES["waiting"]) for connection in self.connections.values()]

    async def parked_records(self) -> dict[str, int]:
        """Records put aside and not yet replayed, by service."""
        return {service: await connection.fetchval(QUERIES["parked"]) for service, connection in self.connections.items()}

    async def parked_keys(self) -> dict[str, set[str]]:
        """The keys of those records, such as classes, by service."""
        return {service: {row["key"] for row in await connection.fetch(QUERIES["parked_keys"])} for service, connection in self.connections.items()}

    async def fingerprint(self) -> dict[str, str]:
        """A digest of every table's rows, in no order: two equal fingerprints hold the same facts."""
        found: dict[str, str] = {}
        for service, connection in self.connections.items():
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
            for (table,) in tables:
                if table not in NOT_CONTENT and await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", table):
                    # The name comes from the catalogue, quoted; a statement cannot take a table as a parameter.
                    rows = f'SELECT md5((to_jsonb(t) - ARRAY{TIMERS})::text) AS digest FROM "{table}" t'  # noqa: S608
                    statement = f"SELECT md5(coalesce(string_agg(digest, '' ORDER BY digest), '')) FROM ({rows}) AS rows"  # noqa: S608
                    found[f"{service}.{table}"] = await connection.fetchval(statement)
        return found
