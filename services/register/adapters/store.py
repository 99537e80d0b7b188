"""The register's tables in PostgreSQL."""

import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.submission import RegisterReceipt
from services.chassis.database import Connection, Database, Queries
from services.chassis.errors import Conflict, NotFound
from services.register.application.ports import Account, Answered, Approval, FoundRecord
from services.register.domain.judgement import Held, Proven

QUERIES = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True)
class PupilKeys:
    """Turns pupils' numbers into what the tables hold: HMAC-SHA-256 under a key that lives in a file, not in the database."""

    key: bytes

    def of(self, pupil: str | None) -> bytes | None:
        """The keyed digest; None for no number."""
        return None if pupil is None else hmac.digest(self.key, pupil.encode(), "sha256")


@dataclass(frozen=True)
class PostgresWork:
    """Fulfils the port Work inside one transaction."""

    connection: Connection
    department: str
    pupils: PupilKeys

    async def answered(self, manifest_sha256: bytes) -> Answered | None:
        """What this batch was answered before."""
        row = await self.connection.fetchrow(QUERIES["submission"], self.department, manifest_sha256)
        return None if row is None else Answered(row["receipt"], row["results"])

    async def approval(self, certificate_sha256: bytes) -> Approval | None:
        """The operator's decision."""
        row = await self.connection.fetchrow(QUERIES["certificate"], certificate_sha256)
        return None if row is None else Approval(row["department"], row["revoked_at"])

    async def known_root(self, checkpoint: Checkpoint) -> bytes | None:
        """The root that was seen for this size of the log."""
        root: bytes | None = await self.connection.fetchval(QUERIES["known_root"], self.department, checkpoint.origin, checkpoint.size)
        return root

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is held of these transcripts."""
        rows = await self.connection.fetch(QUERIES["held"], self.department, [uuid.UUID(one) for one in transcript_ids])
        return {str(row["transcript_id"]): Held(row["revision"], row["version"]) for row in rows}

    async def documents(self, digests: Iterable[bytes]) -> Mapping[bytes, str]:
        """Which of these documents are held, and of which transcript."""
        rows = await self.connection.fetch(QUERIES["documents"], self.department, list(digests))
        return {row["sha256"]: str(row["transcript_id"]) for row in rows}

    async def keep(
        self,
        receipt: RegisterReceipt,
        certificate_sha256: bytes,
        signature: bytes,
        answer: Answered,
        checkpoint: Checkpoint,
        note: bytes,
        records: Sequence[Proven],
    ) -> None:
        """Everything of the batch, in this transaction."""
        run, me = self.connection.execute, self.department
        await run(QUERIES["add_checkpoint"], me, checkpoint.origin, checkpoint.size, checkpoint.root, note)
        await run(QUERIES["add_submission"], receipt.manifest, me, certificate_sha256, signature, answer.receipt, answer.results, receipt.at)
        rows = [(one.record, one.statement) for one in records]
        await run(
            QUERIES["add_records"],
            me,
            receipt.manifest,
            [uuid.UUID(record.transcript_id) for record, _ in rows],
            [record.revision for record, _ in rows],
            [statement.version for _, statement in rows],
            [record.operation.value for record, _ in rows],
            [statement.sha256 for _, statement in rows],
            [record.school_year for record, _ in rows],
            [record.level for record, _ in rows],
            [statement.school_id for _, statement in rows],
            [self.pupils.of(record.personal_number) for record, _ in rows],
            [self.pupils.of(record.ministry_code) for record, _ in rows],
            [record.fetch for record, _ in rows],
            [record.statement for record, _ in rows],
            [record.index for record, _ in rows],
        )


@dataclass(frozen=True)
class PostgresRegister:
    """Fulfils the port Register, and holds what the operator decides."""

    database: Database
    pupils: PupilKeys

    @asynccontextmanager
    async def work(self, department: str) -> AsyncIterator[PostgresWork]:
        """A transaction in which no other batch of the department is under way, and no certificate of it is revoked."""
        async with self.database.transaction() as connection:
            await connection.execute(QUERIES["lock_account"], department)
            yield PostgresWork(connection, department, self.pupils)

    async def account(self, token_sha256: bytes) -> Account | None:
        """The account whose token has this digest."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["account_by_token"], token_sha256)
        return None if row is None else Account(row["department"], row["name"], row["log_policy"], row["may_find"])

    async def answered(self, department: str, manifest_sha256: bytes) -> Answered | None:
        """What this batch was answered."""
        async with self.database.transaction() as connection:
            return await PostgresWork(connection, department, self.pupils).answered(manifest_sha256)

    async def find(self, department: str, pupil: str, at: datetime) -> Sequence[FoundRecord]:
        """Every record of the pupil's transcripts; the question is kept in the same transaction."""
        key = self.pupils.of(pupil)
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["find"], key)
            await connection.execute(QUERIES["add_lookup"], department, key, len(rows), at)
        return [
            FoundRecord(
                row["department"],
                row["name"],
                str(row["transcript_id"]),
                row["revision"],
                row["version"],
                row["operation"],
                row["sha256"],
                row["school_year"],
                row["level"],
                row["school_id"],
                row["fetch_url"],
            )
            for row in rows
        ]

    # --- the operator ---

    async def open_account(self, account: Account, token: str, at: datetime) -> None:
        """Open an account, or give an open one another token, policy or right."""
        digest = hashlib.sha256(token.encode()).digest()
        async with self.database.transaction() as connection:
            await connection.execute(QUERIES["open_account"], account.department, account.name, digest, account.log_policy, account.may_find, at)

    async def approve(self, department: str, certificate_sha256: bytes, at: datetime) -> None:
        """Approve a certificate; repeating it changes nothing. Conflict when it was revoked, or is another department's: neither comes back."""
        async with self.database.transaction() as connection:
            if await connection.fetchval(QUERIES["lock_account"], department) is None:
                raise NotFound(f"there is no account {department}; open it first", code="no_account")
            if await connection.fetchval(QUERIES["approve"], certificate_sha256, department, at) is not None:
                return
            row = await connection.fetchrow(QUERIES["certificate"], certificate_sha256)
            if row["department"] != department or row["revoked_at"] is not None:
                state = "revoked" if row["revoked_at"] is not None else f"approved for {row['department']}"
                raise Conflict(f"this certificate is {state}; have a new one issued", code="certificate_taken")

    async def revoke(self, certificate_sha256: bytes, at: datetime, why: str) -> None:
        """End an approval, once and for ever. NotFound for a certificate that was never approved; a batch under way ends before it."""
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["certificate"], certificate_sha256)
            if row is None:
                raise NotFound("this certificate was never approved", code="no_certificate")
            await connection.execute(QUERIES["lock_account"], row["department"])
            await connection.execute(QUERIES["revoke"], certificate_sha256, at, why)

    async def accounts(self) -> list[dict[str, object]]:
        """Every account with its standing certificates."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["accounts"])
        return [dict(row) | {"opened_at": row["opened_at"].isoformat(), "certificates": row["certificates"].split()} for row in rows]
