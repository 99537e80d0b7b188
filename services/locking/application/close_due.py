"""Windows whose time is over: every class they had open is ordered sealed, once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.locking.application import locking
from services.locking.application.ports import Transactions, Work
from services.locking.domain.lease import LeaseState, ended
from services.locking.domain.lock import Cause, Lock
from services.locking.domain.people import SERVICE
from services.locking.domain.terms import Term

LANES = 4


@dataclass(frozen=True, slots=True)
class CloseDue:
    """
    Act on each lease whose closing has passed, however long ago.

    Works from what is stored, so a pause, a restart or a jump of the clock only changes when it happens. Lanes and
    instances share the work: each claims a class by its row and finds it closed when it comes second. A class that
    can't be closed doesn't keep the others open; its error comes when they are done.
    """

    transactions: Transactions

    async def __call__(self, now: datetime) -> int:
        failed: dict[UUID, Exception] = {}
        closed = sum(await asyncio.gather(*(self._lane(now, failed) for _ in range(LANES))))
        for error in failed.values():
            raise error
        return closed

    async def _lane(self, now: datetime, failed: dict[UUID, Exception]) -> int:
        closed = 0
        while True:
            class_id: UUID | None = None
            try:
                async with self.transactions(SERVICE) as work:
                    claimed = await work.leases.claim_due_to_close(now, tuple(failed))
                    if claimed is None:
                        return closed
                    class_id = claimed[0]
                    closed += await self._close(work, *claimed, now)
            except Exception as error:
                if class_id is None:
                    raise
                failed[class_id] = error

    async def _close(self, work: Work, class_id: UUID, term: Term, now: datetime) -> bool:
        place = await work.roster.hold_class(class_id)
        stored = (await work.leases.of([class_id], term)).get(class_id)
        if place is None or stored is None or stored.lease.state == LeaseState.CLOSED or not stored.lease.over(now):
            return False
        lease = stored.lease
        await work.leases.put([(ended(lease, now), stored.given_by)])
        if any(lock.period == lease.period for lock in await work.locks.intended(class_id)):
            return True  # A principal was faster; that order seals the class.
        lock_id = locking.lock_id_for(place, lease.period, Cause.CLOSING, f"{term}/{lease.version}")
        await locking.order(work, Lock(lock_id, place, lease.period, Cause.CLOSING, now), SERVICE)
        return True
