"""What is ours on servers that a person has named by `HOCBA_DATABASE` or `HOCBA_KAFKA`, and only that, may be removed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import sql

from services.stack.kafka import Broker
from services.stack.places import Places, StackError, write_atomically
from services.stack.postgresql import DATABASES, Server

_PREFIX = "topic-prefix"


def claim_database(places: Places, server: Server, service: str) -> None:
    """Note on a service's database that this stack made it, unless somebody's note is there already."""
    name = f"hocba_{service}"
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        if _owner_of(connection, name) is None:
            statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(_mark(places))))


def drop_databases(places: Places, server: Server) -> None:
    """Drop the services' databases that this stack has made; StackError if one of that name is somebody else's."""
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname = ANY(%s)", [[f"hocba_{name}" for name in DATABASES]])
        names = [str(row[0]) for row in rows]
        foreign = [name for name in names if _owner_of(connection, name) != _mark(places)]
    if foreign:
        raise StackError(
            f"{server.place} holds {', '.join(foreign)}, made by another stack, and a fresh start would empty them. "
            "Drop them yourself, or unset HOCBA_DATABASE to get a server of your own."
        )
    for name in names:
        server.drop(name)


def topic_prefix(places: Places, broker: Broker, *, fresh: bool) -> str:
    """The prefix of this stack's topics and groups on a given broker; a fresh start takes a new one and drops the old topics."""
    record = places.state / _PREFIX
    known = record.read_text().strip() if record.exists() else ""
    if known and not fresh:
        return known
    if known:
        asyncio.run(_drop_topics(broker.bootstrap, known))
    prefix = f"hocba-{secrets.token_hex(4)}."
    write_atomically(record, prefix + "\n")
    return prefix


async def _drop_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        ours = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if ours:
            await admin.delete_topics(ours)
    finally:
        await admin.close()


def _mark(places: Places) -> str:
    return f"hocba stack {hashlib.sha256(str(places.state).encode()).hexdigest()[:16]}"


def _owner_of(connection: psycopg.Connection, name: str) -> str | None:
    row = connection.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]).fetchone()
    return str(row[0]) if row and row[0] else None
