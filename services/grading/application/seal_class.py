"""Seal a class: freeze its content, one outcome per pupil, once per lock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Conflict
from services.grading.application.ports import Rules, Seal, Transactions
from services.grading.domain.class_sheets import SheetVersion
from services.grading.domain.sealing import Dice, Outcome, SheetBook, class_digest, seal_pupils
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Command:
    """`term` None seals the year; TERM_1 freezes the first term's sheets, and no transcript comes of it."""

    lock_id: str
    class_id: str
    term: Term | None = None


@dataclass(frozen=True, slots=True)
class SealClass:
    """Seal under the class's lock, so that every save is either wholly before the seal or refused after it.

    The same lock id gets the same answer for ever. Pupils who aren't ready wait, with reasons, and hold nobody up.
    Raises Conflict when a lock id comes back for another class or term.
    """

    transactions: Transactions
    clock: Clock
    rules: Rules
    dice: Dice

    async def __call__(self, command: Command) -> Seal:
        async with self.transactions() as work:
            facts = await work.hold_class(command.class_id)
            # Asked under the lock: a repeat that raced with the first call must find its answer.
            if before := await work.find_seal(command.lock_id):
                if before.class_id != command.class_id or before.term != command.term:
                    raise Conflict(f"lock {command.lock_id} sealed another class or term; make a new lock id", code="lock_id_reused")
                return before
            outcomes: list[Outcome] = []
            sheets: list[SheetVersion] = []
            if command.term is None:
                files = await work.read_years(facts, self.rules(facts.grade, facts.school_year))
                book = SheetBook(await work.class_sheets(facts), await work.responsible(facts), facts.homeroom_staff_id)
                # A class takes some tens of milliseconds of pure computing, which mustn't hold up other teachers' saves.
                outcomes, sheets = await asyncio.to_thread(seal_pupils, files, book, self.dice)
            seal = Seal(command.lock_id, facts.class_id, command.term, facts.class_version + 1, class_digest(outcomes), outcomes, sheets)
            await work.keep_seal(facts, seal, self.clock.now())
            return seal
