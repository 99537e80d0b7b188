"""Somebody takes a step with an unlock: confirms, refuses, reports, acknowledges, objects, finishes or cancels."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import standing, unlocking
from services.locking.application.ports import Request, Transactions, UnlockView, Work
from services.locking.domain.people import Caller, Party
from services.locking.domain.refusals import Unknown
from services.locking.domain.unlock import Step, Unlock
from services.locking.domain.unlock_table import Verb


class Move(enum.StrEnum):
    """What can be asked for at the door. Finishing and cancelling mean other verbs in a principal's mouth."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    REPORT = "report"
    ACKNOWLEDGE = "acknowledge"
    OBJECT = "object"
    FINISH = "finish"
    CANCEL = "cancel"


AS_HEAD = {Move.CONFIRM: Verb.CONFIRM, Move.REFUSE: Verb.REFUSE, Move.REPORT: Verb.REPORT, Move.FINISH: Verb.WITHDRAW, Move.CANCEL: Verb.REFUSE}
AS_OFFICER = {Move.ACKNOWLEDGE: Verb.ACKNOWLEDGE, Move.OBJECT: Verb.OBJECT}
AS_REQUESTER = {Move.FINISH: Verb.FINISH, Move.CANCEL: Verb.CANCEL}


@dataclass(frozen=True, slots=True)
class Command:
    request: Request
    caller: Caller
    unlock_id: UUID
    move: Move
    reason: str
    document: str


@dataclass(frozen=True, slots=True)
class MoveUnlock:
    """Take the step if table, people, policy and clock allow it, and every step of the service's own that it sets free."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> UnlockView:
        async with self.transactions(command.caller) as work:
            if await work.answered(command.request) is None:
                await self._move(work, command)
                await work.keep_answer(command.request, command.unlock_id)
            view = await work.unlocks.view(command.unlock_id)
            assert view is not None
            return view

    async def _move(self, work: Work, command: Command) -> None:
        seen = await work.unlocks.get(command.unlock_id)
        if seen is None:
            raise Unknown(f"unlock {command.unlock_id}")
        # The class before the unlock, as everywhere: of two approvers at once, one waits here and then reads the other's step.
        await work.roster.hold_class(seen.target.place.class_id)
        unlock = await work.unlocks.get(command.unlock_id, hold=True)
        assert unlock is not None
        verb, party = await self._who(work, command, unlock)
        now = self.clock.now()
        step = Step(verb, now, party, command.document)
        moved = await unlocking.move(work, unlock, step, command.caller, command.reason)
        await unlocking.advance(work, moved, now)

    async def _who(self, work: Work, command: Command, unlock: Unlock) -> tuple[Verb, Party]:
        place, caller = unlock.target.place, command.caller
        if command.move in AS_OFFICER:
            return AS_OFFICER[command.move], await standing.as_officer(work, caller, place)
        if command.move in AS_REQUESTER and caller.person_id == unlock.requester.person_id:
            return AS_REQUESTER[command.move], await standing.as_requester(work, caller, unlock)
        return AS_HEAD[command.move], await standing.as_head(work, caller, place)
