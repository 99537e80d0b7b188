"""A signer refuses a list: it is never signed, and the pupils wait for a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Malformed
from services.signing.application.approve_manifest import acting, ready_manifest
from services.signing.application.ports import Request
from services.signing.application.stores import Transactions
from services.signing.domain.events import ManifestMoved
from services.signing.domain.manifest import ManifestState
from services.signing.domain.people import Caller
from services.signing.domain.roles import SignatureRole


@dataclass(frozen=True, slots=True)
class Command:
    """Who refuses what, and why."""

    request: Request
    caller: Caller
    manifest_id: str
    role: SignatureRole
    reason: str


@dataclass(frozen=True, slots=True)
class RejectManifest:
    """End a manifest for good; a correction goes by unlock, and a retry makes a new manifest of what is there."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Mapping[str, str]:
        """`state` of the manifest."""
        if not command.reason.strip():
            raise Malformed("a rejection needs a reason, so that somebody can mend it", code="reason_missing")
        async with self.transactions(command.caller) as work:
            kept = await work.answered(command.request)
            if kept is not None:
                return kept
            manifest = await ready_manifest(work, command.manifest_id, command.role)
            place, now = manifest.held.place, self.clock.now()
            await acting(work, command.caller, command.role, manifest, now.date())
            entries = tuple(row.ref for row in await work.manifests.entries(manifest.manifest_id))
            reason = f"rejected by {command.role.value}: {command.reason.strip()}"
            version = await work.manifests.move(manifest.manifest_id, ManifestState.REJECTED, reason)
            await work.orders.drop(place.class_id, manifest.manifest_id, "rejected", now)
            await work.classes.halt_unfinished(place.class_id, manifest.manifest_id, reason)
            await work.journal.void_orphans(place.class_id, now)
            await work.announce(ManifestMoved(place, manifest.manifest_id, version, ManifestState.REJECTED, command.role, manifest.merkle_root, entries))
            answer = {"state": ManifestState.REJECTED.value}
            await work.keep_answer(command.request, answer)
            return answer
