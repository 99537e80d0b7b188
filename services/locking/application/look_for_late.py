"""Locked classes with pupils who waited: are some of them ready now?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.chassis.errors import ServiceError
from services.locking.application import locking
from services.locking.application.ports import Grading, Transactions
from services.locking.domain.lock import Cause, Lock, ready_now
from services.locking.domain.people import SERVICE
from services.locking.domain.scope import Place
from services.locking.domain.terms import Period

BATCH = 20
AFTER_FAILURE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LookForLate:
    """
    Order a late seal, under a lock id of its own, for a class in which a waiting pupil has become ready.

    The look is moved on before grading is asked, so that two instances don't ask for one class, and no row is held
    while grading thinks.
    """

    transactions: Transactions
    grading: Grading

    async def __call__(self, now: datetime) -> int:
        async with self.transactions(SERVICE) as work:
            due = await work.roster.due_for_late_check(now, BATCH)
            for place in due:
                policy = await work.policies.of(place.province_id)
                await work.roster.check_late_at([place.class_id], now + timedelta(hours=policy.late_seal_hours))
        return sum([await self._look(place, now) for place in due])

    async def _look(self, place: Place, now: datetime) -> bool:
        try:
            ready = await self.grading.ready_pupils(place.class_id)
        except ServiceError:
            async with self.transactions(SERVICE) as work:
                await work.roster.check_late_at([place.class_id], now + AFTER_FAILURE)
            return False
        async with self.transactions(SERVICE) as work:
            await work.roster.hold_class(place.class_id)
            last = await work.locks.latest_held(place.class_id, Period.YEAR)
            busy = await work.unlocks.open_in(place.class_id) is not None or await work.locks.intended(place.class_id)
            if busy:
                await work.roster.check_late_at([place.class_id], now + AFTER_FAILURE)
            if busy or last is None or last.answer is None or not ready_now(last.answer, ready):
                return False
            lock_id = locking.lock_id_for(place, Period.YEAR, Cause.LATE, last.lock_id)
            await locking.order(work, Lock(lock_id, place, Period.YEAR, Cause.LATE, now), SERVICE)
        return True
