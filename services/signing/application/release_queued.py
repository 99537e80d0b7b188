"""Hand queued orders to the workers: each province in its turn, and no more at a time than the workers can take in a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.chassis.clock import Clock
from services.signing.application.ports import Backlog
from services.signing.application.stores import Transactions
from services.signing.domain.events import OrderReleased
from services.signing.domain.fair_release import share_out
from services.signing.domain.orders import whole_second

FORGOTTEN = timedelta(hours=1)
"""A message that nobody has let go of for so long lies behind a parked one of its class, or is lost: it takes no room from others."""


@dataclass(frozen=True, slots=True)
class ReleaseQueued:
    """One round; any number of processes may start one, and one after the other comes to its turn.

    State and message change in one transaction, so that an order is released once or not at all. `limit` is how many documents of mass
    orders may be with the workers: released, and not done, cancelled or put off. `quantum` is what a province is granted a turn.
    """

    transactions: Transactions
    clock: Clock
    limit: int
    quantum: int

    async def __call__(self) -> int:
        """How many orders were released."""
        async with self.transactions() as work:
            if not await work.queue.alone():
                return 0
            now = self.clock.now()
            room = self.limit - await work.queue.in_flight(now - FORGOTTEN)
            if room <= 0:
                return 0
            # No order costs less than one document; one more than fits shows that the province has more.
            queues, turns = await work.queue.standing(room + 1)
            chosen, turns = share_out(queues, turns, room, self.quantum)
            released = await work.queue.release(chosen, turns, whole_second(now))
            await work.announce(*(OrderReleased(order, express=False) for order in await work.orders.many(released)))
            return len(released)


@dataclass(frozen=True, slots=True)
class MeasureBacklog:
    """How much waits for its turn, and how much is with the workers."""

    transactions: Transactions

    async def __call__(self) -> list[Backlog]:
        """By lane (mass, express) and state (queued, released); what is empty isn't named."""
        async with self.transactions() as work:
            return await work.queue.backlog()


@dataclass(frozen=True, slots=True)
class LetGo:
    """The worker is done with an order's message, whatever came of it: its room is free for the next."""

    transactions: Transactions

    async def __call__(self, order_id: str) -> None:
        """A repeat changes nothing."""
        async with self.transactions() as work:
            await work.queue.let_go(order_id)
