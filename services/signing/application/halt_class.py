"""Stop signing a class before it is re-opened."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.clock import Clock
from services.signing.application.stores import Transactions
from services.signing.domain.events import ManifestMoved
from services.signing.domain.manifest import ManifestState


@dataclass(frozen=True, slots=True)
class HaltClass:
    """After this returns no signature of a manifest that was ready can be announced; what was announced is superseded later."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, class_id: str, unlock_id: str) -> tuple[int, int]:
        """(manifests halted, transcripts that were signed to the end already); a repeat gives the first answer.

        A class that was never sealed here has nothing to halt. Workers hold the class's row while they announce, so this
        waits for one that is announcing, and one that comes later finds its manifest halted.
        """
        async with self.transactions() as work:
            known = await work.halts.find(unlock_id)
            if known is not None:
                return known
            held = await work.classes.hold(class_id)
            known = await work.halts.find(unlock_id)
            if known is not None:
                return known
            now = self.clock.now()
            halted = announced = 0
            if held is not None:
                announced = await work.classes.signed_count(class_id)
                for manifest in await work.manifests.listed("", class_id, None):
                    if manifest.state is not ManifestState.READY:
                        continue
                    version = await work.manifests.move(manifest.manifest_id, ManifestState.HALTED, f"unlock {unlock_id}")
                    refs = tuple(row.ref for row in await work.manifests.entries(manifest.manifest_id))
                    root = manifest.merkle_root
                    await work.announce(ManifestMoved(held.place, manifest.manifest_id, version, ManifestState.HALTED, None, root, refs))
                    halted += 1
                await work.orders.drop(class_id, None, "halted", now)
                await work.classes.halt_unfinished(class_id, None, "")
                await work.journal.void_orphans(class_id, now)
            await work.halts.keep(unlock_id, class_id, halted, announced, now)
            return halted, announced
