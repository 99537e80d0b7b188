"""Make the unsigned pages of an order, and the manifests that list them."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.signing.application.ports import PackWritten, PageMade, Press, Staging, StoredPdf
from services.signing.application.stores import Transactions
from services.signing.domain.copy_of_document import read_copy
from services.signing.domain.documents import DocumentKind
from services.signing.domain.events import ManifestMoved
from services.signing.domain.manifest import ManifestState, list_of
from services.signing.domain.orders import LineResult, Order, order_name
from services.signing.domain.policy import Policies, Policy
from services.signing.domain.record import UnreadableRecord, read_record
from services.signing.domain.transcripts import Ref

_NO_SHEETS = "sheets_missing: policy asks for class-subject sheets, and the record names none; have grading seal them, then seal the class again"

_NO_ORIGINAL = "original_lost: staging doesn't have the original, or has other bytes; have the archive order the copy again by its id, then retry"


@dataclass(frozen=True, slots=True)
class PreparePages:
    """Do a PREPARE order; doing it again makes the same bytes and no manifest twice."""

    transactions: Transactions
    press: Press
    staging: Staging
    clock: Clock
    policies: Policies

    async def __call__(self, order_id: str) -> None:
        """1. read the contents, 2. set the pages, 3. stage them, 4. note digests and make the manifests in one transaction."""
        async with self.transactions() as work:
            order = await work.orders.get(order_id)
            if order is None:
                raise Refused(f"there is no order {order_id}", code="order_unknown")
            contents = await work.classes.contents(order.lines) if order.state == "released" else {}
            held = await work.classes.hold(order.place.class_id)
        if held is None:
            return
        # Fixed here, so that a policy that changes while a class is being signed changes nothing of it.
        policy = self.policies.policy_for(held.place.province_id, held.level, self.clock.now().date())
        refs = [ref for ref in order.lines if ref in contents]
        if not refs:
            return
        failures = [LineResult(ref, _NO_SHEETS) for ref in refs if policy.sheets_required and _lacks_sheets(ref, contents[ref])]
        refs = [ref for ref in refs if ref not in {failure.ref for failure in failures}]
        originals = await self._originals(refs, contents)
        failures += [LineResult(ref, _NO_ORIGINAL) for ref in refs if ref.kind is DocumentKind.COPY and ref not in originals]
        refs = [ref for ref in refs if ref.kind is not DocumentKind.COPY or ref in originals]
        made = await self.press.set_pages(
            [contents[ref] for ref in refs], policy.roles, with_xml=policy.record_xml, originals=[originals.get(ref) for ref in refs]
        )
        pages = [(ref, page) for ref, page in zip(refs, made, strict=True) if isinstance(page, PageMade)]
        failures += [LineResult(ref, page) for ref, page in zip(refs, made, strict=True) if isinstance(page, str)]
        pack = None
        if pages:
            pack = await self.staging.put(order.place.class_id, "pages", [(ref.file_name, page.pdf) for ref, page in pages])
        await self._note(order, policy, pages, failures, pack)

    async def _originals(self, refs: list[Ref], contents: dict[Ref, bytes]) -> dict[Ref, bytes]:
        """What copies are copies of, and extracts' parts, as the archive has put them into staging."""
        copies = {ref: read_copy(contents[ref]) for ref in refs if ref.kind is DocumentKind.COPY}
        return await self.staging.read([StoredPdf(ref, f"copies/{ref.transcript_id}.zip", copy.beside) for ref, copy in copies.items()])

    async def _note(self, order: Order, policy: Policy, pages: list[tuple[Ref, PageMade]], failures: list[LineResult], pack: PackWritten | None) -> None:
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
                await work.classes.prepared([ref for ref, _ in pages], [page.entry for _, page in pages], pack.name)
                for name, group in _manifests(pages):
                    manifest_id = order_name("manifest", order.order_id, *name)
                    listed = list_of([page.entry for _, page in group])
                    refs = tuple(ref for ref, _ in group)
                    kind = refs[0].kind
                    await work.manifests.add(manifest_id, kind, held, listed.root, listed.entries, policy.of(kind), now)
                    await work.announce(ManifestMoved(held.place, manifest_id, 1, ManifestState.READY, None, listed.root, refs))
            await work.classes.failed(failures)
            await work.orders.finish_lines(order.order_id, [*(LineResult(ref) for ref, _ in pages), *failures], now)


def _lacks_sheets(ref: Ref, content: bytes) -> bool:
    if ref.kind is not DocumentKind.TRANSCRIPT:
        return False
    try:
        return not read_record(content).sheets
    except UnreadableRecord:
        return False  # The press says what is wrong with it.


def _manifests(pages: list[tuple[Ref, PageMade]]) -> list[tuple[tuple[object, ...], list[tuple[Ref, PageMade]]]]:
    """What is approved together, each list with what tells its name from the others of the order.

    The transcripts of an order are one list. Each sheet is a list of its own, since its teacher answers for nothing else, and so is each copy.
    """
    transcripts = [page for page in pages if page[0].kind is DocumentKind.TRANSCRIPT]
    lists: list[tuple[tuple[object, ...], list[tuple[Ref, PageMade]]]] = [((), transcripts)] if transcripts else []
    lists += [((page[0].transcript_id, page[0].version), [page]) for page in pages if page[0].kind is not DocumentKind.TRANSCRIPT]
    return lists
