"""Give pupils who failed another try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.chassis.clock import Clock
from services.chassis.errors import NotFound
from services.signing.application.ports import Request
from services.signing.application.release import release
from services.signing.application.stores import Transactions
from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import Order, Step, order_name, renewed, whole_second
from services.signing.domain.people import Caller
from services.signing.domain.transcripts import Ref


@dataclass(frozen=True, slots=True)
class RetryFailed:
    """Order anew what failed: the page, or the signature of the role at which it stopped."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(self, request: Request, caller: Caller, class_id: str) -> Mapping[str, str]:
        """`retried`: how many pupils were ordered again."""
        async with self.transactions(caller) as work:
            kept = await work.answered(request)
            if kept is not None:
                return kept
            held = await work.classes.hold(class_id)
            if held is None:
                raise NotFound(f"no sealed class {class_id} for you", code="class_unknown")
            now = self.clock.now()
            retried: set[Ref] = set()
            for order in await work.orders.failed(class_id):
                if order.step is not Step.PREPARE:
                    manifest = await work.manifests.get(order.manifest_id or "")
                    if manifest is None or manifest.state is not ManifestState.READY:
                        continue
                spent = order.step is Step.SIGN and await work.journal.spent(order)
                attempt, fixed_at = renewed(order, now, spent)
                name = order_name("retry", order.order_id, request.request_id)
                again = replace(order, order_id=name, attempt=attempt, fixed_at=fixed_at, state="queued")
                if await release(work, again, now, self.express_limit, keep_time=True):
                    retried |= set(order.lines)
            # Pupils of a rejected manifest, and records that could not be read, have no failed line: they need a page.
            unprepared = tuple(ref for ref in await work.classes.to_prepare_again(class_id) if ref not in retried)
            if unprepared:
                name = order_name("retry", class_id, request.request_id)
                await release(work, Order(name, held.place, Step.PREPARE, None, None, 0, whole_second(now), "queued", unprepared), now, self.express_limit)
                retried |= set(unprepared)
            answer = {"retried": str(len(retried))}
            await work.keep_answer(request, answer)
            return answer
