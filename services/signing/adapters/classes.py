"""Classes and contents in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import class_of, keys_of, ref_of, refs_of, waiting_of
from services.signing.domain.manifest import Entry
from services.signing.domain.orders import LineResult
from services.signing.domain.transcripts import HeldClass, Ref, SealedClass, Waiting

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresClasses:
    """Fulfils ports.Classes inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.held: set[str] = set()
        """The classes that this transaction may have changed."""

    async def hold(self, class_id: str) -> HeldClass | None:
        """The class, its row locked."""
        row = await self._connection.fetchrow(QUERIES["hold_class"], class_id)
        if row is None:
            return None
        self.held.add(class_id)
        return class_of(row)

    async def take(self, sealed: SealedClass) -> HeldClass:
        """Make or find the class; raise its version when the sealed one is newer."""
        place = sealed.place
        await self._connection.execute(
            QUERIES["make_class"],
            place.class_id,
            place.school_id,
            place.province_id,
            sealed.school_year,
            sealed.grade,
            sealed.level,
            sealed.class_version,
            sealed.sealed_at,
            sealed.homeroom_staff_id,
        )
        held = await self.hold(place.class_id)
        assert held is not None
        if held.class_version >= sealed.class_version:
            return held
        await self._connection.execute(QUERIES["raise_class"], place.class_id, sealed.class_version, sealed.sealed_at, sealed.homeroom_staff_id)
        raised = await self.hold(place.class_id)
        assert raised is not None
        return raised

    async def add_part(self, sealed: SealedClass) -> tuple[bool, int]:
        """Whether the part is new, and how many are here."""
        class_id, version = sealed.place.class_id, sealed.class_version
        row = await self._connection.fetchrow(QUERIES["add_part"], class_id, version, sealed.part)
        return row is not None, await self._connection.fetchval(QUERIES["count_parts"], class_id, version)

    async def add_pupils(self, sealed: SealedClass) -> None:
        """Store contents and supersede unfinished older versions."""
        place, pupils = sealed.place, sealed.pupils
        ids, versions = keys_of([pupil.ref for pupil in pupils])
        await self._connection.execute(
            QUERIES["add_pupils"],
            place.class_id,
            place.school_id,
            place.province_id,
            sealed.class_version,
            ids,
            versions,
            [pupil.ref.pupil_id for pupil in pupils],
            [pupil.ref.public_id for pupil in pupils],
            [pupil.ref.content_digest for pupil in pupils],
            [pupil.content for pupil in pupils],
            [pupil.corrections for pupil in pupils],
            [pupil.failure for pupil in pupils],
        )
        await self._connection.execute(QUERIES["supersede_older"], ids, versions)
        needs = [(pupil.ref.transcript_id, pupil.ref.version, *sheet) for pupil in pupils for sheet in pupil.sheets]
        if needs:
            await self._connection.execute(QUERIES["add_needs"], *map(list, zip(*needs, strict=True)))

    async def add_sheets(self, sealed: SealedClass) -> None:
        """Store sheets, and wake those that were halted."""
        place, sheets = sealed.place, sealed.sheets
        if not sheets:
            return
        ids, versions = keys_of([sheet.ref for sheet in sheets])
        await self._connection.execute(
            QUERIES["add_sheets"],
            place.class_id,
            place.school_id,
            place.province_id,
            sealed.class_version,
            ids,
            versions,
            [sheet.ref.subject for sheet in sheets],
            [sheet.staff_id for sheet in sheets],
            [sheet.ref.public_id for sheet in sheets],
            [sheet.ref.content_digest for sheet in sheets],
            [sheet.content for sheet in sheets],
            [sheet.failure for sheet in sheets],
        )

    async def add_copy(self, held: HeldClass, ref: Ref, content: bytes) -> bool:
        """Store a copy, once."""
        place = held.place
        row = await self._connection.fetchrow(
            QUERIES["add_copy"],
            ref.transcript_id,
            place.class_id,
            place.school_id,
            place.province_id,
            held.class_version,
            ref.public_id,
            ref.content_digest,
            content,
        )
        return row is not None

    async def needing(self, sheets: Sequence[Ref]) -> dict[str, tuple[Ref, ...]]:
        """Pupils by manifest."""
        found: dict[str, tuple[Ref, ...]] = {}
        for row in await self._connection.fetch(QUERIES["needing"], *keys_of(sheets)):
            manifest_id = str(row["manifest_id"])
            found[manifest_id] = (*found.get(manifest_id, ()), ref_of(row))
        return found

    async def to_prepare(self, class_id: str) -> tuple[Ref, ...]:
        """Pupils without a page."""
        return refs_of(await self._connection.fetch(QUERIES["to_prepare"], class_id))

    async def to_prepare_again(self, class_id: str) -> tuple[Ref, ...]:
        """Pupils without a page for a reason."""
        return refs_of(await self._connection.fetch(QUERIES["to_prepare_again"], class_id))

    async def contents(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        """Sealed records."""
        rows = await self._connection.fetch(QUERIES["contents"], *keys_of(refs))
        return {ref_of(row): bytes(row["content"]) for row in rows}

    async def prepared(self, refs: Sequence[Ref], entries: Sequence[Entry], pack: str) -> None:
        """Note the pages."""
        ids, versions = keys_of(refs)
        await self._connection.execute(
            QUERIES["prepared"],
            ids,
            versions,
            [entry.template_version for entry in entries],
            [entry.template_digest for entry in entries],
            [entry.body_digest for entry in entries],
            pack,
        )

    async def failed(self, results: Sequence[LineResult]) -> None:
        """Note reasons."""
        if results:
            ids, versions = keys_of([result.ref for result in results])
            await self._connection.execute(QUERIES["failed"], ids, versions, [result.failure for result in results])

    async def waiting(self, refs: Sequence[Ref], signed_roles: int) -> dict[Ref, Waiting]:
        """Those that carry exactly so many signatures."""
        rows = await self._connection.fetch(QUERIES["waiting"], *keys_of(refs), signed_roles)
        return {ref_of(row): waiting_of(row) for row in rows}

    async def halt_unfinished(self, class_id: str, manifest_id: str | None, failure: str) -> None:
        """Unsigned pupils wait for a new manifest."""
        await self._connection.execute(QUERIES["halt_unfinished"], class_id, manifest_id, failure)

    async def signed_count(self, class_id: str) -> int:
        """Complete transcripts."""
        count: int = await self._connection.fetchval(QUERIES["signed_count"], class_id)
        return count
