"""Manifests, approvals and orders in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.chassis.database import Connection
from services.signing.adapters.classes import QUERIES
from services.signing.adapters.rows import Row, class_of, keys_of, ref_of, refs_of
from services.signing.application.ports import Approval, EntryRow, ManifestRow, StoredPdf
from services.signing.domain.documents import DocumentKind
from services.signing.domain.manifest import Entry, ManifestState
from services.signing.domain.orders import LineResult, Order, Step
from services.signing.domain.policy import SignatureLevel
from services.signing.domain.record import read_record
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import HeldClass, Place


class PostgresManifests:
    """Fulfils ports.Manifests inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        manifest_id: str,
        kind: DocumentKind,
        held: HeldClass,
        root: bytes,
        entries: Sequence[Entry],
        signature_level: SignatureLevel,
        now: datetime,
    ) -> None:
        """Store a manifest and its lines."""
        place = held.place
        await self._connection.execute(
            QUERIES["add_manifest"],
            manifest_id,
            place.class_id,
            place.school_id,
            place.province_id,
            held.class_version,
            root,
            now,
            signature_level.value,
            kind.value,
        )
        await self._connection.execute(
            QUERIES["add_entries"],
            manifest_id,
            [entry.transcript_id for entry in entries],
            [entry.version for entry in entries],
            [entry.content_digest for entry in entries],
            [entry.template_version for entry in entries],
            [entry.template_digest for entry in entries],
            [entry.body_digest for entry in entries],
        )

    async def get(self, manifest_id: str) -> ManifestRow | None:
        """One manifest."""
        found = await self._found(manifest_id, None, None, None)
        return found[0] if found else None

    async def listed(self, school_id: str, class_id: str, awaiting: SignatureRole | None) -> list[ManifestRow]:
        """Newest first."""
        return await self._found(None, school_id or None, class_id or None, awaiting.value if awaiting else None)

    async def _found(self, *wanted: str | None) -> list[ManifestRow]:
        rows = await self._connection.fetch(QUERIES["get_manifests"], *wanted)
        ids = [row["manifest_id"] for row in rows]
        approvals = await self._connection.fetch(QUERIES["approvals"], ids)
        signed = await self._connection.fetch(QUERIES["signed_by_role"], ids)
        return [_manifest(row, approvals, signed) for row in rows]

    async def entries(self, manifest_id: str) -> list[EntryRow]:
        """Lines with names."""
        rows = await self._connection.fetch(QUERIES["entries"], manifest_id)
        return [EntryRow(_entry(row), ref_of(row), _name(row), row["corrections"]) for row in rows]

    async def lines(self, manifest_id: str) -> list[Entry]:
        """Lines without names."""
        return [_entry(row) for row in await self._connection.fetch(QUERIES["manifest_lines"], manifest_id)]

    async def stored(self, manifest_id: str, transcript_id: str) -> StoredPdf | None:
        """Where a page lies."""
        row = await self._connection.fetchrow(QUERIES["stored"], manifest_id, transcript_id)
        return StoredPdf(ref_of(row), row["body_pack"], bytes(row["body_digest"])) if row else None

    async def approve(self, manifest_id: str, approval: Approval) -> int:
        """Store an approval."""
        await self._connection.execute(
            QUERIES["approve"],
            manifest_id,
            approval.role.value,
            approval.merkle_root,
            approval.account_id,
            approval.person_id,
            approval.staff_id,
            approval.authority,
            approval.certificate_sha256,
            approval.approved_at,
            approval.image_digest,
        )
        version: int = await self._connection.fetchval(QUERIES["touch_manifest"], manifest_id)
        return version

    async def move(self, manifest_id: str, state: ManifestState, reason: str) -> int:
        """Leave the state `ready` for good."""
        version: int = await self._connection.fetchval(QUERIES["move_manifest"], manifest_id, state.value, reason)
        return version

    async def unfinished(self, manifest_id: str) -> int:
        """Transcripts that still lack a signature."""
        count: int = await self._connection.fetchval(QUERIES["unfinished"], manifest_id)
        return count


class PostgresOrders:
    """Fulfils ports.Orders inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, order: Order, now: datetime) -> bool:
        """Store an order once."""
        role = order.role.value if order.role else None
        made = await self._connection.fetchrow(
            QUERIES["add_order"],
            order.order_id,
            order.place.class_id,
            order.step.value,
            order.manifest_id,
            role,
            order.attempt,
            order.fixed_at,
            now,
        )
        if made is None:
            return False
        await self._connection.execute(QUERIES["add_lines"], order.order_id, *keys_of(order.lines))
        return True

    async def get(self, order_id: str) -> Order | None:
        """The order with its open lines."""
        return await self._read(order_id, "open")

    async def _read(self, order_id: str, lines: str) -> Order | None:
        row = await self._connection.fetchrow(QUERIES["get_order"], order_id)
        if row is None:
            return None
        refs = refs_of(await self._connection.fetch(QUERIES["lines"], order_id, lines))
        return Order(
            str(row["order_id"]),
            Place(str(row["class_id"]), str(row["school_id"]), row["province_id"]),
            Step(row["step"]),
            str(row["manifest_id"]) if row["manifest_id"] else None,
            SignatureRole(row["role"]) if row["role"] else None,
            row["attempt"],
            row["fixed_at"],
            row["state"],
            refs,
        )

    async def finish_lines(self, order_id: str, results: Sequence[LineResult], now: datetime) -> None:
        """Close lines, and the order with its last one."""
        ids, versions = keys_of([result.ref for result in results])
        await self._connection.execute(QUERIES["finish_lines"], order_id, ids, versions, [result.failure for result in results])
        await self._connection.execute(QUERIES["finish_order"], order_id, now)

    async def drop(self, class_id: str, manifest_id: str | None, reason: str, now: datetime) -> None:
        """Cancel released orders."""
        await self._connection.execute(QUERIES["drop_lines"], class_id, manifest_id, reason)
        await self._connection.execute(QUERIES["drop_orders"], class_id, manifest_id, now)

    async def failed(self, class_id: str) -> list[Order]:
        """Orders with failed lines that nothing later took up."""
        ids = [str(row["order_id"]) for row in await self._connection.fetch(QUERIES["failed_orders"], class_id)]
        found = [await self._read(order_id, "failed") for order_id in ids]
        return [order for order in found if order is not None]

    async def waits(self, order_id: str) -> tuple[datetime, int] | None:
        """Since when, and how often."""
        row = await self._connection.fetchrow(QUERIES["waits"], order_id)
        return (row["since"], row["tries"]) if row else None

    async def put_off(self, order_id: str, since: datetime, tries: int, reason: str, due_at: datetime) -> None:
        """Let an order wait."""
        await self._connection.execute(QUERIES["put_off"], order_id, since, tries, reason, due_at)

    async def wake(self, now: datetime, at_most: int) -> list[Order]:
        """Orders that are due."""
        ids = [str(row["order_id"]) for row in await self._connection.fetch(QUERIES["wake"], now, at_most)]
        found = [await self.get(order_id) for order_id in ids]
        return [order for order in found if order is not None and order.state == "released" and order.lines]


def _manifest(row: Row, approvals: Sequence[Row], signed: Sequence[Row]) -> ManifestRow:
    mine = row["manifest_id"]
    return ManifestRow(
        str(mine),
        class_of(row),
        row["manifest_class_version"],
        ManifestState(row["state"]),
        row["version"],
        bytes(row["merkle_root"]),
        SignatureLevel(row["signature_level"]),
        row["transcripts"],
        tuple(_approval(a) for a in approvals if a["manifest_id"] == mine),
        tuple(SignatureRole(s["role"]) for s in signed if s["manifest_id"] == mine and s["signed"] == row["transcripts"]),
        DocumentKind(row["kind"]),
        row["subject"] or "",
        str(row["staff_id"]) if row["staff_id"] else None,
    )


def _name(row: Row) -> str:
    """Whose transcript it is; a sheet is nobody's."""
    return "" if row["kind"] == DocumentKind.SHEET else read_record(bytes(row["content"])).pupil_name


def _approval(row: Row) -> Approval:
    return Approval(
        SignatureRole(row["role"]),
        bytes(row["merkle_root"]),
        row["account_id"],
        row["person_id"],
        str(row["staff_id"]) if row["staff_id"] else None,
        row["authority"],
        bytes(row["certificate_sha256"]),
        row["approved_at"],
        bytes(row["image_digest"]),
    )


def _entry(row: Row) -> Entry:
    return Entry(
        str(row["transcript_id"]),
        row["version"],
        bytes(row["content_digest"]),
        row["template_version"],
        bytes(row["template_digest"]),
        bytes(row["body_digest"]),
    )
