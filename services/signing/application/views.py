"""What people may look at: manifests, and the very pages behind them."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.errors import NotFound, Unavailable
from services.signing.application.ports import EntryRow, ManifestRow, Staging
from services.signing.application.stores import Transactions, Work
from services.signing.domain.documents import DocumentKind
from services.signing.domain.people import Caller, may_see_sheet
from services.signing.domain.roles import SignatureRole


@dataclass(frozen=True, slots=True)
class ListManifests:
    """The manifests that a caller may see, newest first."""

    transactions: Transactions

    async def __call__(self, caller: Caller, school_id: str, class_id: str, awaiting: SignatureRole | None) -> list[ManifestRow]:
        """By school, by class, or those that still wait for a role."""
        async with self.transactions(caller) as work:
            return await _seen(work, caller, await work.manifests.listed(school_id, class_id, awaiting))


@dataclass(frozen=True, slots=True)
class GetManifest:
    """One manifest with every line that its root is over."""

    transactions: Transactions

    async def __call__(self, caller: Caller, manifest_id: str) -> tuple[ManifestRow, list[EntryRow]]:
        """NotFound when it doesn't exist or belongs to somebody else's school."""
        async with self.transactions(caller) as work:
            manifest = await _visible(work, caller, manifest_id)
            return manifest, await work.manifests.entries(manifest_id)


@dataclass(frozen=True, slots=True)
class GetPreview:
    """The exact bytes whose digest a manifest's line names."""

    transactions: Transactions
    staging: Staging

    async def __call__(self, caller: Caller, manifest_id: str, transcript_id: str) -> tuple[bytes, bytes]:
        """(PDF, its SHA-256)."""
        async with self.transactions(caller) as work:
            await _visible(work, caller, manifest_id)
            stored = await work.manifests.stored(manifest_id, transcript_id)
        if stored is None:
            raise NotFound(f"manifest {manifest_id} has no transcript {transcript_id}", code="transcript_unknown")
        found = await self.staging.read([stored])
        if stored.ref not in found:
            raise Unavailable("the page isn't in staging as it was noted; have the class prepared again", code="page_lost")
        return found[stored.ref], stored.digest


async def _seen(work: Work, caller: Caller, manifests: list[ManifestRow]) -> list[ManifestRow]:
    """Rows are guarded by school already; who only teaches sees the sheets that he or she may sign."""
    if not caller.only_teaches:
        return manifests
    schools = {manifest.held.place.school_id for manifest in manifests}
    own = {school: await work.people.staff_of_person(school, caller.person_id) for school in schools}
    return [m for m in manifests if m.kind is DocumentKind.SHEET and may_see_sheet(own[m.held.place.school_id], m.responsible_staff_id)]


async def _visible(work: Work, caller: Caller, manifest_id: str) -> ManifestRow:
    manifest = await work.manifests.get(manifest_id)
    if manifest is None or not await _seen(work, caller, [manifest]):
        raise NotFound(f"no manifest {manifest_id} for you", code="manifest_unknown")
    return manifest
