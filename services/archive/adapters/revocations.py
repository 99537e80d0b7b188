"""Revocations in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.archive import contracts
from services.archive.adapters.admissions import queue_leaves, ref_of
from services.archive.adapters.catalogue import scope_of
from services.archive.adapters.statements import QUERIES
from services.archive.application.ports import Viewer
from services.archive.application.revocation_ports import RevocationWork
from services.archive.domain.revocation import Decision, IssuedVersion, Person, Revocation, RevocationReason
from services.chassis.database import Connection, Database
from services.chassis.errors import Conflict
from services.chassis.outbox import announce


@dataclass(frozen=True)
class PostgresRevocations:
    """Fulfils the port Revocations; what a caller may see and revoke is decided by the tables' row-level policies."""

    database: Database

    @asynccontextmanager
    async def transaction(self, viewer: Viewer) -> AsyncIterator[RevocationWork]:
        """A transaction within the viewer's scope; a row that another process wrote first is a Conflict, to be looked at again."""
        try:
            async with self.database.transaction(scope_of(viewer)) as connection:
                yield PostgresRevocationWork(connection)
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"another process wrote first ({error.constraint_name}); look again", code="written_first") from error

    async def list(self, viewer: Viewer, school_id: str, *, open_only: bool) -> Sequence[Revocation]:
        """Within the viewer's scope."""
        async with self.database.transaction(scope_of(viewer)) as connection:
            return [_revocation(row) for row in await connection.fetch(QUERIES["revocations"], None, school_id, open_only)]


@dataclass(frozen=True)
class PostgresRevocationWork:
    """Fulfils the port RevocationWork within one transaction."""

    connection: Connection

    async def issued(self, transcript_id: str, version: int) -> IssuedVersion | None:
        """A row of the index."""
        return await issued_version(self.connection, transcript_id, version)

    async def get(self, revocation_id: str) -> Revocation | None:
        """Request and confirmation."""
        row = await self.connection.fetchrow(QUERIES["revocations"], uuid.UUID(revocation_id), "", False)
        return None if row is None else _revocation(row)

    async def is_revoked(self, version: IssuedVersion) -> bool:
        """By any request."""
        return await is_revoked(self.connection, version)

    async def ask(self, revocation: Revocation) -> None:
        """The request's row."""
        version, decision, by = revocation.version, revocation.decision, revocation.requester
        await self.connection.execute(
            QUERIES["ask_revocation"],
            uuid.UUID(revocation.revocation_id),
            *_key(version),
            uuid.UUID(version.school_id),
            version.province_id,
            decision.reason,
            decision.number,
            decision.day,
            decision.sha256,
            by.account_id,
            by.person_id,
            revocation.requested_at,
        )

    async def revoke(self, revocation: Revocation, statement: bytes) -> None:
        """Leaf, confirmation and event, in this order."""
        version, by = revocation.version, revocation.confirmer
        assert by is not None, "only what is confirmed revokes"
        [leaf_id] = await queue_leaves(self.connection, [statement])
        await self.connection.execute(
            QUERIES["add_revocation"],
            *_key(version),
            uuid.UUID(version.school_id),
            version.province_id,
            uuid.UUID(revocation.revocation_id),
            by.account_id,
            by.person_id,
            leaf_id,
            revocation.revoked_at,
        )
        await announce(self.connection, contracts.transcript_revoked(revocation, leaf_id))


async def issued_version(connection: Connection, transcript_id: str, version: int) -> IssuedVersion | None:
    """An issued version that the transaction may see."""
    row = await connection.fetchrow(QUERIES["issued_version"], uuid.UUID(transcript_id), version)
    return None if row is None else _issued(row)


async def is_revoked(connection: Connection, version: IssuedVersion) -> bool:
    """Whether a version is withdrawn."""
    found: bool = await connection.fetchval(QUERIES["is_revoked"], *_key(version))
    return found


def decided(row: Any) -> tuple[IssuedVersion, Decision]:
    """The version that a row of revocations is about, and the decision."""
    return _issued(row), Decision(RevocationReason(row["reason"]), row["decision_number"], row["decision_date"], row["decision_sha256"])


def _revocation(row: Any) -> Revocation:
    version, decision = decided(row)
    requester = Person(row["requested_account"], row["requested_person"])
    confirmer = Person(row["confirmed_account"], row["confirmed_person"]) if row["revoked_at"] else None
    return Revocation(str(row["request_id"]), version, decision, requester, row["requested_at"], confirmer, row["revoked_at"])


def _issued(row: Any) -> IssuedVersion:
    return IssuedVersion(ref_of(row), row["sha256"], str(row["class_id"]), str(row["school_id"]), row["province_id"], row["school_year"])


def _key(version: IssuedVersion) -> tuple[uuid.UUID, int]:
    return uuid.UUID(version.ref.transcript_id), version.ref.version
