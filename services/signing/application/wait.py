"""Orders that can't go on yet, because an outside party gives no answer: put off, and woken when it is time to ask again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.signing.application.release import send_on
from services.signing.application.stores import Transactions
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.patience import next_try
from services.signing.domain.transcripts import Ref

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class PutOff:
    """Note that an order waits; pupils show why, and none of them fails for it until it has waited long enough."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, order: Order, refs: Sequence[Ref], reason: str) -> bool:
        """True when the order will be asked again; False when it has waited too long."""
        now = self.clock.now()
        async with self.transactions() as work:
            await work.classes.hold(order.place.class_id)
            current = await work.orders.get(order.order_id)
            if current is None or current.state != "released":
                return True  # Done or cancelled meanwhile: nobody waits for it.
            since, tries, due_at = await work.orders.waits(order.order_id) or (now, 0, None)
            if due_at is not None and due_at > now:
                return True  # The same message, delivered twice: it waits already, and one answer isn't counted twice.
            due_at = next_try(since, tries + 1, now)
            if due_at is None:
                return False
            await work.orders.put_off(order.order_id, since, tries + 1, reason, due_at)
            open_lines = set(current.lines)
            told = f"{reason} (asked {tries + 1} times; asked again by itself from {due_at.isoformat()})"
            await work.classes.failed([LineResult(ref, told) for ref in refs if ref in open_lines])
            return True


@dataclass(frozen=True, slots=True)
class WakeOrders:
    """Send the orders whose time has come to the workers again; any number of processes may look at once."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(self) -> int:
        """How many were sent."""
        async with self.transactions() as work:
            due = await work.orders.wake(self.clock.now(), _AT_ONCE)
            for order in due:
                await send_on(work, order, self.express_limit)
            return len(due)
