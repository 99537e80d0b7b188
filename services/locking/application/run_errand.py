"""
What must be said to grading and signing is said until they have answered.

An errand is the stored intent. Its row is locked while a neighbour is asked, and what the neighbour answered is
stored in the same transaction that removes the errand. So a crash or a lost answer at any point leads to the same
question under the same id, and two instances never ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.chassis.clock import Clock
from services.chassis.errors import Malformed, NotFound, Refused, ServiceError
from services.locking.application import locking, unlocking
from services.locking.application.ports import Errand, Grading, Signing, Transactions, Work
from services.locking.domain.lock import Cause, LockState, back_off
from services.locking.domain.people import SERVICE
from services.locking.domain.unlock import Step, Unlock
from services.locking.domain.unlock_table import State, Verb

FOR_GOOD = (Refused, Malformed)
"""Answers that won't change by asking again."""


@dataclass(frozen=True, slots=True)
class RunErrand:
    """Run the oldest errand that is due; False when there is none."""

    transactions: Transactions
    grading: Grading
    signing: Signing
    clock: Clock

    async def __call__(self) -> bool:
        async with self.transactions(SERVICE) as work:
            errand = await work.errands.claim(self.clock.now())
            if errand is None:
                return False
            run = {"lease": self._tell_lease, "seal": self._seal, "open": self._open}[errand.kind]
            await run(work, errand)
        return True

    async def put_off_after_bug(self, error: str) -> None:
        """Step over the errand that would have been next, so that one that can't be run doesn't stop the others."""
        async with self.transactions(SERVICE) as work:
            errand = await work.errands.claim(self.clock.now())
            if errand is not None:
                await self._postpone(work, errand, error)

    async def _tell_lease(self, work: Work, errand: Errand) -> None:
        place = await work.roster.place(errand.class_id)
        stored = await work.leases.find(errand.class_id, errand.subject_id)
        if place is not None and stored is not None and stored.lease.version == errand.version:
            try:
                await self.grading.grant(stored.lease, place)
            except ServiceError as error:
                await self._postpone(work, errand, error.code)
                return
            await work.leases.confirm(errand.class_id, stored.lease.term, errand.version)
        await work.errands.done(errand)  # A later version has an errand of its own.

    async def _seal(self, work: Work, errand: Errand) -> None:
        lock = await work.locks.get(errand.subject_id)
        assert lock is not None, "an errand is stored with its lock"
        if lock.state == LockState.HELD:
            await work.errands.done(errand)
            return
        unlock = await work.unlocks.get(lock.unlock_id) if lock.unlock_id else None
        try:
            if unlock is not None:
                await self._close(unlock)
            answer = await self.grading.seal(lock)
        except ServiceError as error:
            # Even a refusal is asked again: the window is closed, so the class must come to be sealed.
            await self._postpone(work, errand, error.code)
            return
        await work.roster.hold_class(errand.class_id)
        now = self.clock.now()
        await locking.record(work, lock, answer, now)
        if lock.cause == Cause.RESEAL and lock.unlock_id is not None:
            ended = await work.unlocks.get(lock.unlock_id, hold=True)
            assert ended is not None
            await work.unlocks.resealed_as(ended.unlock_id, answer.class_version)
            await unlocking.move(work, ended, Step(Verb.RESEALED, now), SERVICE)
        await work.errands.done(errand)

    async def _close(self, unlock: Unlock) -> None:
        try:
            await self.grading.close(unlock)
        except (*FOR_GOOD, NotFound):
            return  # It was never opened there: the grant was given up or ran out before it got through.

    async def _open(self, work: Work, errand: Errand) -> None:
        unlock = await work.unlocks.get(errand.subject_id)
        assert unlock is not None, "an errand is stored with its unlock"
        if unlock.state != State.GRANTING or unlock.until is None or unlock.until <= self.clock.now():
            await work.errands.done(errand)  # Its time ran out while a neighbour was away; it expires and is sealed again.
            return
        verb = Verb.OPENED
        try:
            await self.signing.halt(unlock)
            await self.grading.reopen(unlock)
        except FOR_GOOD:
            verb = Verb.ABORT
        except ServiceError as error:
            await self._postpone(work, errand, error.code)
            return
        await work.roster.hold_class(errand.class_id)
        granting = await work.unlocks.get(errand.subject_id, hold=True)
        if granting is not None and granting.state == State.GRANTING:
            await unlocking.move(work, granting, Step(verb, self.clock.now()), SERVICE)
        await work.errands.done(errand)

    async def _postpone(self, work: Work, errand: Errand, error: str) -> None:
        await work.errands.postpone(errand, self._later(errand), error)

    def _later(self, errand: Errand) -> datetime:
        return self.clock.now() + back_off(errand.attempts)
