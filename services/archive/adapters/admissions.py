"""Admission's transactions in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import asyncpg

from services.archive import contracts
from services.archive.adapters.statements import QUERIES
from services.archive.application.ports import AdmissionWork, AdmittedVersion
from services.archive.domain.admission import Held
from services.archive.domain.pack import Pack
from services.archive.domain.register import Head
from services.archive.domain.transcript import Rejection, SignedClass, SignedDocument, TranscriptRef
from services.chassis.database import Connection, Database
from services.chassis.errors import Conflict
from services.chassis.outbox import announce


@dataclass(frozen=True)
class PostgresAdmissions:
    """Fulfils the port Admissions."""

    database: Database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AdmissionWork]:
        """A transaction that may write; a row that another process wrote first is a Conflict, to be looked at again."""
        try:
            async with self.database.transaction() as connection:
                yield PostgresAdmissionWork(connection)
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"another process wrote first ({error.constraint_name}); look again", code="written_first") from error

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is admitted, as of now."""
        async with self.database.transaction() as connection:
            return await _held(connection, transcript_ids)

    async def refused(self, transcript_ids: Iterable[str]) -> frozenset[tuple[str, int, bytes]]:
        """What was refused, as of now."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["refused"], [uuid.UUID(text) for text in transcript_ids])
        return frozenset((str(row["transcript_id"]), row["version"], row["sha256"]) for row in rows)

    async def refused_classes(self) -> Sequence[SignedClass]:
        """Open refusals, gathered as they were announced."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["open_rejections"], "", "", None)

        def key(row: Any) -> tuple[str, ...]:
            return (row["pack"], *(str(row[name]) for name in ("class_id", "school_id", "province_id", "school_year", "manifest_id")))

        return [_signed_class(list(group)) for _, group in groupby(sorted(rows, key=key), key)]


@dataclass(frozen=True)
class PostgresAdmissionWork:
    """Fulfils the port AdmissionWork within one transaction."""

    connection: Connection

    async def head(self) -> Head:
        """The register's end, locked."""
        row = await self.connection.fetchrow(QUERIES["lock_head"])
        return Head(row["entries"], row["hash"])

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is admitted, as this transaction sees it."""
        return await _held(self.connection, transcript_ids)

    async def admit(self, signed: SignedClass, pack: Pack, versions: Sequence[AdmittedVersion], head: Head, at: datetime) -> None:
        """Pack, register lines, index rows, void register and the event, in this order."""
        write = self.connection.execute
        await write(QUERIES["add_pack"], pack.digest, pack.object_name(signed.school_year), len(pack.data), len(pack.places), at)
        lines = [(version.index, version.statement, version.hash) for version in versions]
        await write(QUERIES["add_lines"], *_columns(lines))
        rows = [
            (
                uuid.UUID(version.ref.transcript_id),
                version.ref.version,
                uuid.UUID(version.ref.pupil_id),
                version.ref.public_id,
                version.ref.content_digest,
                version.sha256,
                version.offset,
                version.size,
                version.supersedes,
                version.index,
                version.level,
                version.school_name,
            )
            for version in versions
        ]
        school = (uuid.UUID(signed.class_id), uuid.UUID(signed.school_id), signed.province_id, signed.school_year)
        await write(QUERIES["add_transcripts"], *school, uuid.UUID(signed.manifest_id), pack.digest, at, *_columns(rows))
        voids = [(uuid.UUID(version.ref.transcript_id), skipped, version.ref.version) for version in versions for skipped in version.skipped]
        if voids:
            await write(QUERIES["add_voids"], uuid.UUID(signed.school_id), signed.province_id, at, *_columns(voids))
        await write(QUERIES["move_head"], head.entries, head.hash)
        await announce(self.connection, contracts.transcripts_archived(signed, versions, at))

    async def reject(self, signed: SignedClass, rejections: Sequence[Rejection], at: datetime) -> int:
        """Refusals that are new are announced; a repeat of one is not."""
        new = [rejection for rejection in rejections if await self._is_new(signed, rejection, at)]
        if new:
            await announce(self.connection, contracts.transcripts_rejected(signed, new))
        return len(new)

    async def _is_new(self, signed: SignedClass, rejection: Rejection, at: datetime) -> bool:
        document = rejection.document
        row = await self.connection.fetchrow(
            QUERIES["add_rejected"],
            uuid.UUID(signed.class_id),
            uuid.UUID(signed.school_id),
            signed.province_id,
            signed.school_year,
            uuid.UUID(signed.manifest_id),
            signed.pack,
            at,
            uuid.UUID(document.ref.transcript_id),
            document.ref.version,
            document.sha256,
            uuid.UUID(document.ref.pupil_id),
            document.ref.public_id,
            document.ref.content_digest,
            document.size,
            [f"{role}:{serial}" for role, serial in document.serials],
            rejection.reason,
            rejection.detail,
        )
        return row is not None


def ref_of(row: Any) -> TranscriptRef:
    """The reference that a row of transcripts or rejected holds."""
    return TranscriptRef(str(row["transcript_id"]), str(row["pupil_id"]), row["version"], row["content_digest"], row["public_id"])


async def _held(connection: Connection, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
    rows = await connection.fetch(QUERIES["held"], [uuid.UUID(text) for text in transcript_ids])
    found: dict[str, Held] = {}
    for row in rows:
        key = str(row["transcript_id"])
        before = found.get(key)
        found[key] = Held(
            pupil_id=str(row["pupil_id"]),
            school_year=row["school_year"],
            digests={**(before.digests if before else {}), row["version"]: row["sha256"]},
            indexes={**(before.indexes if before else {}), row["version"]: row["register_index"]},
        )
    return found


def _signed_class(rows: Sequence[Any]) -> SignedClass:
    first = rows[0]
    documents = {
        (row["transcript_id"], row["version"], row["sha256"]): SignedDocument(
            ref_of(row), row["sha256"], row["size"], tuple((role, serial) for role, _, serial in (text.partition(":") for text in row["serials"]))
        )
        for row in rows
    }
    ids = (str(first["class_id"]), str(first["school_id"]), first["province_id"], first["school_year"], str(first["manifest_id"]))
    return SignedClass(*ids, first["pack"], tuple(documents.values()))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
