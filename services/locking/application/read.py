"""What may be read: windows, a class's lock, unlocks with their history, policies."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.locking.application.ports import Filters, Transactions, UnlockView, Work
from services.locking.application.standing import HEADS
from services.locking.domain.lock import Lock
from services.locking.domain.people import NATION, Caller, province, school
from services.locking.domain.policy import Policy
from services.locking.domain.refusals import Unknown
from services.locking.domain.scope import Scope
from services.locking.domain.terms import Period
from services.locking.domain.window import Window

LIMIT = 500


@dataclass(frozen=True, slots=True)
class Read:
    """Answer questions; rows of other schools and provinces are as if they weren't there."""

    transactions: Transactions

    async def windows(self, caller: Caller, scope: Scope, school_year: int) -> list[tuple[Window, bool]]:
        async with self.transactions(caller) as work:
            return await work.windows.listed(scope, school_year)

    async def lock(self, caller: Caller, class_id: UUID, period: Period) -> tuple[Lock, bool]:
        """The newest lock of a class, and whether an unlock has the class open."""
        async with self.transactions(caller) as work:
            lock = next((lock for lock in await work.locks.intended(class_id) if lock.period == period), None)
            lock = lock or await work.locks.latest_held(class_id, period)
            if lock is None:
                raise Unknown(f"lock of class {class_id} for {period}")
            return lock, await work.unlocks.open_in(class_id) is not None

    async def unlock(self, caller: Caller, unlock_id: UUID) -> UnlockView:
        async with self.transactions(caller) as work:
            view = await work.unlocks.view(unlock_id)
            if view is None or not await _may_see(work, caller, view):
                raise Unknown(f"unlock {unlock_id}")
            return view

    async def unlocks(self, caller: Caller, filters: Filters) -> list[UnlockView]:
        async with self.transactions(caller) as work:
            views = await work.unlocks.listed(filters, LIMIT)
            return [view for view in views if await _may_see(work, caller, view)]

    async def policy(self, caller: Caller, province_id: str) -> Policy:
        async with self.transactions(caller) as work:
            return await work.policies.of(province_id)


async def _may_see(work: Work, caller: Caller, view: UnlockView) -> bool:
    """A reason may tell of a pupil: besides heads and officers only the requester and the homeroom teacher read it."""
    place = view.unlock.target.place
    if caller.role_in(school(place.school_id), *HEADS, "registrar") or caller.role_in(province(place.province_id), "doet_officer"):
        return True
    if caller.role_in(NATION, "system_operator", "system"):
        return True
    if caller.person_id == view.unlock.requester.person_id:
        return True
    return place.class_id in await work.roster.homeroom_classes(caller.person_id)
