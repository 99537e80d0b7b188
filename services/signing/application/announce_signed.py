"""Announce what was signed: the one transaction in which signatures become facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.signing.application.ports import Finished, ManifestRow, PackWritten, Signed
from services.signing.application.release import release_finish, release_pupils_of, release_role
from services.signing.application.stores import Transactions, Work
from services.signing.domain.documents import DocumentKind
from services.signing.domain.events import ClassSigned, ManifestMoved, RoleSigned
from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.policy import SignatureLevel
from services.signing.domain.transcripts import Ref

_OVERTAKEN = "superseded: a newer version came while this one was signed"


@dataclass(frozen=True, slots=True)
class AnnounceSigned:
    """Hold the class, see the manifest unrevoked, and tell; else the intents go to the void register and nobody is told."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(
        self,
        order: Order,
        signed: Sequence[Signed],
        pack: PackWritten | None,
        failures: Sequence[LineResult],
        spoilt: Sequence[str] = (),
    ) -> None:
        """Announce; a line that was closed meanwhile is left as it is. `spoilt` are intents whose document failed its check."""
        now = self.clock.now()
        assert order.manifest_id is not None
        assert order.role is not None
        async with self.transactions() as work:
            await work.classes.hold(order.place.class_id)
            manifest = await work.manifests.get(order.manifest_id)
            current = await work.orders.get(order.order_id)
            assert manifest is not None
            if manifest.state in (ManifestState.HALTED, ManifestState.REJECTED):
                used = [*(s.intent.intent_id for s in signed), *spoilt]
                await work.journal.void(used, f"manifest is {manifest.state.value}", now)
                return
            if current is None or current.state != "released":
                return  # Another worker has announced the same bytes; they are in the register already.
            await work.journal.void(spoilt, "the document failed its check", now)
            open_lines = set(current.lines)
            roles = manifest.policy.roles
            position = roles.index(order.role)
            still = await work.classes.waiting([s.waiting.ref for s in signed], position)
            kept = [s for s in signed if s.waiting.ref in still and s.waiting.ref in open_lines]
            overtaken = [s for s in signed if s.waiting.ref not in still and s.waiting.ref in open_lines]
            await work.journal.void([s.intent.intent_id for s in overtaken], "a newer version came", now)
            results = [
                *(LineResult(s.waiting.ref) for s in kept),
                *(LineResult(s.waiting.ref, _OVERTAKEN) for s in overtaken),
                *(failure for failure in failures if failure.ref in open_lines),
            ]
            last = position == len(roles) - 1
            # With B-LTA the last signature completes nothing yet: the document is unfinished until time is proven.
            completes = last and manifest.policy.signature_level is SignatureLevel.B_B
            if kept and pack is not None:
                await work.journal.announce_signatures(kept, pack, now, completes)
            await work.classes.failed([result for result in results if result.failure])
            await work.orders.finish_lines(order.order_id, results, now)
            if results:
                await work.announce(RoleSigned(order.place, order.role, manifest.manifest_id, tuple(results)))
            refs = [s.waiting.ref for s in kept]
            if completes:
                await complete(work, manifest, refs, pack, order)
            elif last and refs:
                await release_finish(work, manifest, refs, now, self.express_limit)
            elif refs:
                following = roles[position + 1]
                if any(a.role is following for a in manifest.approvals):
                    await release_role(work, manifest, following, refs, now, self.express_limit)
            if manifest.kind is DocumentKind.SHEET:
                # The pupils wait for the teacher's signature, never for a time-stamp authority.
                await release_pupils_of(work, refs, now, self.express_limit)


@dataclass(frozen=True, slots=True)
class AnnounceFinished:
    """The same for documents that got their proof of time: only now are they told to the archive."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, order: Order, finished: Sequence[Finished], pack: PackWritten | None, failures: Sequence[LineResult]) -> None:
        """Announce; a line that was closed meanwhile is left as it is."""
        now = self.clock.now()
        assert order.manifest_id is not None
        async with self.transactions() as work:
            await work.classes.hold(order.place.class_id)
            manifest = await work.manifests.get(order.manifest_id)
            current = await work.orders.get(order.order_id)
            if manifest is None or manifest.state is not ManifestState.READY or current is None or current.state != "released":
                return
            open_lines = set(current.lines)
            still = await work.classes.waiting([one.waiting.ref for one in finished], len(manifest.policy.roles))
            kept = [one for one in finished if one.waiting.ref in still and one.waiting.ref in open_lines]
            results = [
                *(LineResult(one.waiting.ref) for one in kept),
                *(LineResult(one.waiting.ref, _OVERTAKEN) for one in finished if one.waiting.ref not in still and one.waiting.ref in open_lines),
                *(failure for failure in failures if failure.ref in open_lines),
            ]
            if kept and pack is not None:
                await work.proofs.finish(manifest.manifest_id, kept, pack, now)
            await work.classes.failed([result for result in results if result.failure])
            await work.orders.finish_lines(order.order_id, results, now)
            await complete(work, manifest, [one.waiting.ref for one in kept], pack, order)


async def complete(work: Work, manifest: ManifestRow, refs: list[Ref], pack: PackWritten | None, order: Order) -> None:
    """Tell the archive of complete documents, and everybody of a manifest without an unfinished one."""
    if refs and pack is not None:
        finished = tuple(await work.journal.finished(manifest.manifest_id, refs))
        held = manifest.held
        await work.announce(ClassSigned(held.place, held.school_year, manifest.manifest_id, pack.name, pack.digest, finished, order.fixed_at, held.sealed_at))
    if await work.manifests.unfinished(manifest.manifest_id) == 0:
        version = await work.manifests.move(manifest.manifest_id, ManifestState.COMPLETED, "")
        root = manifest.merkle_root
        await work.announce(ManifestMoved(manifest.held.place, manifest.manifest_id, version, ManifestState.COMPLETED, None, root, tuple(refs)))
