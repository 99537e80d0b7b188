"""Manifests, approvals and orders in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import Row, class_of, ref_of
from services.signing.application.ports import Approval, EntryRow, ManifestRow, StoredPdf
from services.signing.domain.documents import DocumentKind
from services.signing.domain.manifest import Entry, ManifestState
from services.signing.domain.policy import Policy, SignatureLevel
from services.signing.domain.record import read_record
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import HeldClass

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


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
        policy: Policy,
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
            policy.signature_level.value,
            kind.value,
            [role.value for role in policy.roles],
            policy.sheets_required,
            [role.value for role in policy.deputies],
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


def _manifest(row: Row, approvals: Sequence[Row], signed: Sequence[Row]) -> ManifestRow:
    mine = row["manifest_id"]
    return ManifestRow(
        str(mine),
        class_of(row),
        row["manifest_class_version"],
        ManifestState(row["state"]),
        row["version"],
        bytes(row["merkle_root"]),
        _policy(row),
        row["transcripts"],
        tuple(_approval(a) for a in approvals if a["manifest_id"] == mine),
        tuple(SignatureRole(s["role"]) for s in signed if s["manifest_id"] == mine and s["signed"] == row["transcripts"]),
        DocumentKind(row["kind"]),
        row["subject"] or "",
        str(row["staff_id"]) if row["staff_id"] else None,
    )


def _policy(row: Row) -> Policy:
    roles, deputies = (tuple(map(SignatureRole, row[name])) for name in ("roles", "deputies"))
    return Policy(SignatureLevel(row["signature_level"]), roles, row["sheets_required"], deputies)


def _name(row: Row) -> str:
    """Whose transcript it is; a sheet is nobody's, and a copy doesn't say."""
    return "" if row["kind"] != DocumentKind.TRANSCRIPT else read_record(bytes(row["content"])).pupil_name


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
