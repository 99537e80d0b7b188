"""A teacher asks that a narrow part of a locked class be opened for a correction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import standing, unlocking
from services.locking.application.ports import Request, Transactions, UnlockView, Work
from services.locking.domain import unlock as rules
from services.locking.domain.people import Caller
from services.locking.domain.refusals import Invalid, Refusal, Refused, Unknown
from services.locking.domain.scope import Place
from services.locking.domain.terms import Period, Term


@dataclass(frozen=True, slots=True)
class Command:
    request: Request
    caller: Caller
    class_id: UUID
    term: Term
    subject: str
    pupils: tuple[UUID, ...]
    reason: str
    evidence: str
    open_for: timedelta
    reason_code: rules.ReasonCode = rules.ReasonCode.OTHER


@dataclass(frozen=True, slots=True)
class RequestUnlock:
    """Take the request down under the province's policy of today; it then waits for the principal."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> UnlockView:
        async with self.transactions(command.caller) as work:
            made = await work.answered(command.request)
            if made is None:
                made = await self._request(work, command)
                await work.keep_answer(command.request, made)
            view = await work.unlocks.view(made)
            assert view is not None, "unlocks are never deleted"
            return view

    async def _request(self, work: Work, command: Command) -> UUID:
        place = await work.roster.hold_class(command.class_id)
        if place is None or str(place.school_id) not in command.caller.scopes_of("school"):
            raise Unknown(f"class {command.class_id}")
        requester = await standing.as_teacher(work, command.caller, place, command.subject)
        await _check_locked(work, place, command)
        policy = await work.policies.of(place.province_id)
        target = rules.Target(place, command.term, command.subject, command.pupils)
        asked = rules.Request(UUID(command.request.request_id), target, command.reason, command.evidence, command.open_for, command.reason_code)
        now = self.clock.now()
        unlock = rules.requested(asked, requester, policy, now)
        await work.unlocks.add(unlock, now, rules.due_at(unlock))
        line = await unlocking.write_down(work, unlock, "request", command.caller, requester, unlock.reason, now)
        await work.announce_unlock(unlock, command.caller, line, now)
        return unlock.unlock_id


async def _check_locked(work: Work, place: Place, command: Command) -> None:
    """What isn't locked needs no unlock, and pupils whom the seal doesn't know can't be corrected under it."""
    year = await work.locks.latest_held(place.class_id, Period.YEAR)
    lock = year or await work.locks.latest_held(place.class_id, Period.of(command.term))
    if lock is None or lock.answer is None:
        raise Refused(Refusal.NOT_LOCKED)
    known = {outcome.pupil_id for outcome in lock.answer.outcomes}
    strangers = [str(pupil) for pupil in command.pupils if pupil not in known]
    if known and strangers:
        raise Invalid("pupil_ids", f"không có trong lớp đã khóa: {', '.join(strangers)}; hãy kiểm tra lại mã học sinh")
