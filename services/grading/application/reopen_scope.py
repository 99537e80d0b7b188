"""Open a narrow part of a sealed class again until an instant, and end that early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.chassis.clock import Clock
from services.grading.application.ports import Transactions
from services.grading.domain.errors import BadInput
from services.grading.domain.gradebook import Reopening
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Command:
    """What locking has granted; no pupils means all of the class."""

    unlock_id: str
    class_id: str
    pupil_ids: Sequence[str]
    subject: str
    term: Term
    open_until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ReopenScope:
    """Grant a lease on part of a sealed class; it ends by itself at `open_until` by grading's own clock.

    Repeating the call with the same unlock id changes nothing. Answers with the class version it was granted on.
    """

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> int:
        async with self.transactions() as work:
            facts = await work.hold_class(command.class_id)
            if (before := await work.find_reopening(command.unlock_id)) is not None:
                return before
            if command.open_until <= self.clock.now():
                raise BadInput("unlock_expired", f"open_until {command.open_until:%Y-%m-%d %H:%M:%S} UTC has passed; grant a later time")
            opened = Reopening(command.unlock_id, command.subject, command.term, frozenset(command.pupil_ids), command.open_until)
            await work.reopen(facts, opened, command.reason)
            return facts.class_version


@dataclass(frozen=True, slots=True)
class CloseScope:
    """End a re-opening early; answers how many cells were changed under it. Repeats are harmless."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, unlock_id: str, class_id: str) -> int:
        async with self.transactions() as work:
            await work.hold_class(class_id)
            return await work.close_reopening(unlock_id, self.clock.now())
