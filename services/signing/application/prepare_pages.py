"""Make the unsigned pages of an order, and the manifest that lists them."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.signing.application.ports import PackWritten, PageMade, Press, Staging
from services.signing.application.stores import Transactions
from services.signing.domain.events import ManifestMoved
from services.signing.domain.manifest import ManifestState, list_of
from services.signing.domain.orders import LineResult, Order, order_name
from services.signing.domain.policy import Policies
from services.signing.domain.transcripts import Ref


@dataclass(frozen=True, slots=True)
class PreparePages:
    """Do a PREPARE order; doing it again makes the same bytes and no second manifest."""

    transactions: Transactions
    press: Press
    staging: Staging
    clock: Clock
    policies: Policies

    async def __call__(self, order_id: str) -> None:
        """1. read the contents, 2. set the pages, 3. stage them, 4. note digests and make the manifest in one transaction."""
        async with self.transactions() as work:
            order = await work.orders.get(order_id)
            if order is None:
                raise Refused(f"there is no order {order_id}", code="order_unknown")
            contents = await work.classes.contents(order.lines) if order.state == "released" else {}
        refs = [ref for ref in order.lines if ref in contents]
        if not refs:
            return
        made = await self.press.set_pages([contents[ref] for ref in refs])
        pages = [(ref, page) for ref, page in zip(refs, made, strict=True) if isinstance(page, PageMade)]
        failures = [LineResult(ref, page) for ref, page in zip(refs, made, strict=True) if isinstance(page, str)]
        pack = None
        if pages:
            pack = await self.staging.put(order.place.class_id, "pages", [(ref.file_name, page.pdf) for ref, page in pages])
        await self._note(order, pages, failures, pack)

    async def _note(self, order: Order, pages: list[tuple[Ref, PageMade]], failures: list[LineResult], pack: PackWritten | None) -> None:
        now = self.clock.now()
        async with self.transactions() as work:
            held = await work.classes.hold(order.place.class_id)
            current = await work.orders.get(order.order_id)
            # The class may have been halted or sealed anew while the pages were being set: then nobody waits for them.
            open_lines = set(current.lines) if current and current.state == "released" else set()
            pages = [(ref, page) for ref, page in pages if ref in open_lines]
            failures = [result for result in failures if result.ref in open_lines]
            if held is None or not open_lines:
                return
            if pages and pack is not None:
                entries = [page.entry for _, page in pages]
                manifest_id = order_name("manifest", order.order_id)
                listed = list_of(entries)
                # Fixed here, so that a policy that changes while a class is being signed changes nothing of it.
                level = self.policies.level_for(held.place.province_id, held.level, now.date())
                await work.classes.prepared([ref for ref, _ in pages], entries, pack.name)
                await work.manifests.add(manifest_id, held, listed.root, listed.entries, level, now)
                refs = tuple(ref for ref, _ in pages)
                await work.announce(ManifestMoved(held.place, manifest_id, 1, ManifestState.READY, None, listed.root, refs))
            await work.classes.failed(failures)
            await work.orders.finish_lines(order.order_id, [*(LineResult(ref) for ref, _ in pages), *failures], now)
