"""Order work: the first of a step, the next role's as soon as it is approved and the role before is on, and the last pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.signing.application.ports import ManifestRow
from services.signing.application.stores import Work
from services.signing.domain.events import OrderReleased
from services.signing.domain.orders import Order, Step, is_express, order_name, whole_second
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Ref


async def release(work: Work, order: Order, now: datetime, express_limit: int, keep_time: bool = False) -> bool:
    """Store an order once. A few pupils go to the workers at once, by the express topic; all others when it is their province's turn.

    With `keep_time` it signs with the time that it has, for a retry that must give the same bytes; else with that of its release.
    """
    express = is_express(order, express_limit)
    if not await work.orders.add(order, now, express, keep_time):
        return False
    if express:
        await work.announce(OrderReleased(order, express))
    return True


async def send_on(work: Work, order: Order, express_limit: int) -> None:
    """Send a released order that waited for somebody outside to the workers again, by the same two ways."""
    express = is_express(order, express_limit)
    if await work.queue.put_back(order.order_id, express) and express:
        await work.announce(OrderReleased(order, express))


async def release_pupils_of(work: Work, sheets: Sequence[Ref], now: datetime, express_limit: int) -> None:
    """Now that these class-subject sheets are signed, send the pupils for whom one of them was the last that was lacking."""
    for manifest_id, refs in (await work.classes.needing(sheets)).items():
        manifest = await work.manifests.get(manifest_id)
        assert manifest is not None
        await release_role(work, manifest, manifest.policy.roles[0], refs, now, express_limit)


async def release_role(work: Work, manifest: ManifestRow, role: SignatureRole, refs: Sequence[Ref], now: datetime, express_limit: int) -> bool:
    """Send the pupils who wait for this role; False when there are none yet."""
    waiting = await work.classes.waiting(refs, manifest.policy.roles.index(role))
    ready = tuple(ref for ref in refs if ref in waiting)
    if not ready:
        return False
    # Named by its pupils too: those who come later through the role before get an order of their own.
    name = order_name(manifest.manifest_id, role.value, *sorted(f"{ref.transcript_id}:{ref.version}" for ref in ready))
    order = Order(name, manifest.held.place, Step.SIGN, manifest.manifest_id, role, 0, whole_second(now), "queued", ready)
    return await release(work, order, now, express_limit)


async def release_finish(work: Work, manifest: ManifestRow, refs: Sequence[Ref], now: datetime, express_limit: int) -> bool:
    """Send documents that carry all signatures to get their proof of time."""
    name = order_name(manifest.manifest_id, Step.FINISH.value, *sorted(f"{ref.transcript_id}:{ref.version}" for ref in refs))
    order = Order(name, manifest.held.place, Step.FINISH, manifest.manifest_id, None, 0, whole_second(now), "queued", tuple(refs))
    return await release(work, order, now, express_limit)
