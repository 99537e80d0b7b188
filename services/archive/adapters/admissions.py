"""Admission's transactions in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.archive import contracts
from services.archive.adapters.statements import QUERIES
from services.archive.adapters.vault import CIPHER
from services.archive.application.ports import AdmissionWork, AdmittedSheet, AdmittedVersion
from services.archive.domain.admission import Held
from services.archive.domain.findings import Reason
from services.archive.domain.pack import Pack
from services.archive.domain.transcript import Rejection, SheetRef, SignedClass, SignedDocument, SignedSheet, SignedSheets, TranscriptRef
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

    async def held_sheets(self, sheet_ids: Iterable[str]) -> Mapping[tuple[str, int], bytes]:
        """What is admitted of sheets, as of now."""
        async with self.database.transaction() as connection:
            return await _held_sheets(connection, sheet_ids)

    async def sheet_roots(self, keys: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], bytes]:
        """Roots of admitted sheets, as of now."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        try:
            ids = [uuid.UUID(sheet_id) for sheet_id, _ in wanted]
        except ValueError:
            # Whatever isn't an id names no sheet, and the transcript that says so waits for good.
            return {}
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["sheet_roots"], ids, [version for _, version in wanted])
        return {(str(row["sheet_id"]), row["version"]): row["root"] for row in rows}

    async def refused_classes(self, class_id: str = "", reason: str = "") -> Sequence[SignedSheets | SignedClass]:
        """Open refusals, gathered as they were announced."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["open_rejections"], "", class_id, None, reason)

        def key(row: Any) -> tuple[str, ...]:
            return (row["kind"], row["pack"], *(str(row[name]) for name in ("class_id", "school_id", "province_id", "school_year", "manifest_id")))

        groups: dict[tuple[str, ...], list[Any]] = {}
        for row in rows:
            groups.setdefault(key(row), []).append(row)
        # In the order of arrival, so that a correction doesn't overtake what it corrects; "sheet" sorts before "transcript".
        return [_announced(group) for group in sorted(groups.values(), key=lambda group: group[0]["kind"])]


@dataclass(frozen=True)
class PostgresAdmissionWork:
    """Fulfils the port AdmissionWork within one transaction."""

    connection: Connection

    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]:
        """What is admitted, as this transaction sees it."""
        return await _held(self.connection, transcript_ids)

    async def admit(self, signed: SignedClass, pack: Pack, versions: Sequence[AdmittedVersion], at: datetime) -> None:
        """Pack, leaves, index rows, void register and the event, in this order."""
        write = self.connection.execute
        await write(QUERIES["add_pack"], pack.digest, pack.object_name(signed.school_year), len(pack.data), len(pack.places), CIPHER, at)
        leaf_ids = await queue_leaves(self.connection, [version.statement for version in versions])
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
                leaf_id,
                version.level,
                version.school_name,
            )
            for version, leaf_id in zip(versions, leaf_ids, strict=True)
        ]
        school = (uuid.UUID(signed.class_id), uuid.UUID(signed.school_id), signed.province_id, signed.school_year)
        await write(QUERIES["add_transcripts"], *school, uuid.UUID(signed.manifest_id), pack.digest, at, *_columns(rows))
        voids = [(uuid.UUID(version.ref.transcript_id), skipped, version.ref.version) for version in versions for skipped in version.skipped]
        if voids:
            await write(QUERIES["add_voids"], uuid.UUID(signed.school_id), signed.province_id, at, *_columns(voids))
        await announce(self.connection, contracts.transcripts_archived(signed, versions, leaf_ids, at))

    async def held_sheets(self, sheet_ids: Iterable[str]) -> Mapping[tuple[str, int], bytes]:
        """What is admitted of sheets, as this transaction sees it."""
        return await _held_sheets(self.connection, sheet_ids)

    async def admit_sheets(self, signed: SignedSheets, pack: Pack, sheets: Sequence[AdmittedSheet], at: datetime) -> None:
        """Pack, leaves, index rows and the event, in this order."""
        write = self.connection.execute
        await write(QUERIES["add_pack"], pack.digest, pack.object_name(signed.school_year), len(pack.data), len(pack.places), CIPHER, at)
        leaf_ids = await queue_leaves(self.connection, [sheet.statement for sheet in sheets])
        rows = [
            (
                uuid.UUID(sheet.ref.sheet_id),
                sheet.ref.version,
                sheet.ref.subject,
                sheet.ref.public_id,
                sheet.ref.content_digest,
                sheet.facts.root,
                sheet.facts.rows,
                sheet.sha256,
                sheet.offset,
                sheet.size,
                leaf_id,
                sheet.facts.level,
                sheet.facts.school_name,
            )
            for sheet, leaf_id in zip(sheets, leaf_ids, strict=True)
        ]
        school = (uuid.UUID(signed.class_id), uuid.UUID(signed.school_id), signed.province_id, signed.school_year)
        await write(QUERIES["add_sheets"], *school, uuid.UUID(signed.manifest_id), pack.digest, at, *_columns(rows))
        await announce(self.connection, contracts.sheets_archived(signed, sheets, leaf_ids, at))

    async def reject(self, signed: SignedClass | SignedSheets, rejections: Sequence[Rejection], at: datetime) -> int:
        """Refusals that are new are announced; a repeat of one is not, nor who only waits for a sheet."""
        new = [rejection for rejection in rejections if await self._is_new(signed, rejection, at)]
        told = [rejection for rejection in new if rejection.reason != Reason.WAITING_FOR_SHEET]
        if told:
            await announce(self.connection, contracts.rejected_event(signed, told))
        return len(new)

    async def _is_new(self, signed: SignedClass | SignedSheets, rejection: Rejection, at: datetime) -> bool:
        document = rejection.document
        ref = document.ref
        sheet = ref if isinstance(ref, SheetRef) else None
        row = await self.connection.fetchrow(
            QUERIES["add_rejected"],
            uuid.UUID(signed.class_id),
            uuid.UUID(signed.school_id),
            signed.province_id,
            signed.school_year,
            uuid.UUID(signed.manifest_id),
            signed.pack,
            at,
            uuid.UUID(ref.sheet_id if isinstance(ref, SheetRef) else ref.transcript_id),
            ref.version,
            document.sha256,
            None if isinstance(ref, SheetRef) else uuid.UUID(ref.pupil_id),
            ref.public_id,
            ref.content_digest,
            document.size,
            [f"{role}:{serial}" for role, serial in document.serials],
            rejection.reason,
            rejection.detail,
            "sheet" if sheet else "transcript",
            sheet.subject if sheet else "",
        )
        return row is not None


async def queue_leaves(connection: Connection, statements: Sequence[bytes]) -> list[int]:
    """Queue statements for the log in the transaction of what they tell; their numbers, in the same order."""
    # Sorted, since the database promises the order of the numbers and not that of its answer.
    return sorted(row["leaf_id"] for row in await connection.fetch(QUERIES["add_leaves"], list(statements)))


def ref_of(row: Any) -> TranscriptRef:
    """The reference that a row of transcripts or rejected holds."""
    return TranscriptRef(str(row["transcript_id"]), str(row["pupil_id"]), row["version"], row["content_digest"], row["public_id"])


def refused_ref_of(row: Any) -> TranscriptRef | SheetRef:
    """The reference that a row of rejected holds, of either kind."""
    if row["kind"] == "transcript":
        return ref_of(row)
    return SheetRef(str(row["transcript_id"]), row["version"], row["subject"], row["content_digest"], row["public_id"])


async def _held_sheets(connection: Connection, sheet_ids: Iterable[str]) -> Mapping[tuple[str, int], bytes]:
    rows = await connection.fetch(QUERIES["held_sheets"], [uuid.UUID(text) for text in sheet_ids])
    return {(str(row["sheet_id"]), row["version"]): row["sha256"] for row in rows}


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
        )
    return found


def _announced(rows: Sequence[Any]) -> SignedClass | SignedSheets:
    first = rows[0]
    ids = (str(first["class_id"]), str(first["school_id"]), first["province_id"], first["school_year"], str(first["manifest_id"]))
    refused = {(row["transcript_id"], row["version"], row["sha256"]): (refused_ref_of(row), row["sha256"], row["size"], _serials(row)) for row in rows}
    transcripts = [SignedDocument(ref, *told) for ref, *told in refused.values() if isinstance(ref, TranscriptRef)]
    if transcripts:
        return SignedClass(*ids, first["pack"], tuple(transcripts))
    return SignedSheets(*ids, first["pack"], tuple(SignedSheet(ref, *told) for ref, *told in refused.values() if isinstance(ref, SheetRef)))


def _serials(row: Any) -> tuple[tuple[str, str], ...]:
    return tuple((role, serial) for role, _, serial in (text.partition(":") for text in row["serials"]))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
