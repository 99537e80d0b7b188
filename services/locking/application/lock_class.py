"""A principal locks a class by hand: early, or late for pupils who became ready."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import locking, standing
from services.locking.application.ports import Request, Transactions, Work
from services.locking.domain.lock import Cause, Lock
from services.locking.domain.people import Caller
from services.locking.domain.refusals import Refusal, Refused, Unknown
from services.locking.domain.terms import Period


@dataclass(frozen=True, slots=True)
class Command:
    request: Request
    caller: Caller
    class_id: UUID
    period: Period
    reason: str


@dataclass(frozen=True, slots=True)
class LockClass:
    """Order a class sealed now. The lock is held, and announced, when grading has answered; ask GetLock for that."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Lock:
        async with self.transactions(command.caller) as work:
            made = await work.answered(command.request)
            if made is None:
                made = (await self._order(work, command)).lock_id
                await work.keep_answer(command.request, made)
            lock = await work.locks.get(made)
            assert lock is not None, "locks are never deleted"
            return lock

    async def _order(self, work: Work, command: Command) -> Lock:
        place = await work.roster.hold_class(command.class_id)
        if place is None or str(place.school_id) not in command.caller.scopes_of("school"):
            raise Unknown(f"class {command.class_id}")
        await standing.as_head(work, command.caller, place, "principal")
        if await work.unlocks.open_in(place.class_id) is not None:
            raise Refused(Refusal.UNLOCK_IS_OPEN)
        if any(lock.period == command.period for lock in await work.locks.intended(place.class_id)):
            raise Refused(Refusal.LOCK_UNDER_WAY)
        last = await work.locks.latest_held(place.class_id, command.period)
        if last is not None and last.answer is not None and not last.answer.waiting:
            raise Refused(Refusal.CLASS_IS_LOCKED)
        cause = Cause.LATE if last is not None else Cause.MANUAL
        lock = Lock(UUID(command.request.request_id), place, command.period, cause, self.clock.now(), reason=command.reason)
        return await locking.order(work, lock, command.caller)
