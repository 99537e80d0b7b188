"""Enter cells of a class sheet: one, a column, or all of them, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.chassis.clock import Clock
from services.grading.application.ports import Author, Request, Rules, Transactions
from services.grading.application.sheet_access import held_gradebook, require_writer
from services.grading.domain.gradebook import CellEntry, Fault
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Command:
    """Cells of one sheet; those not named stay as they are. `unlock_id` names the re-opening that allows the save."""

    request: Request
    author: Author
    class_id: str
    subject: str
    term: Term
    cells: Sequence[CellEntry]
    reason: str = ""
    unlock_id: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the save came to; the same request gets the same answer for ever."""

    version: int
    changed: int
    unchanged: int
    faults: Sequence[Fault]
    expected: int
    filled: int

    def packed(self) -> bytes:
        """As bytes to keep."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, answer: bytes) -> Saved:
        """The reverse of `packed`."""
        kept = json.loads(answer)
        return cls(**{**kept, "faults": [Fault(**fault) for fault in kept["faults"]]})


@dataclass(frozen=True, slots=True)
class EnterSheet:
    """Save what a teacher enters, once per request, while a window or an unlock is open at grading's own clock.

    Cells that can't be taken come back as faults and don't keep the others from being saved. Raises Denied for
    somebody who isn't assigned to the sheet, and NotAllowed when the sheet as a whole is closed.
    """

    transactions: Transactions
    clock: Clock
    rules: Rules

    async def __call__(self, command: Command) -> Saved:
        async with self.transactions() as work:
            if before := await work.answered(command.request):
                return Saved.unpacked(before)
            facts, rows, book = await held_gradebook(work, self.rules, command.class_id, command.subject, command.term)
            require_writer(command.author, rows, facts, command.subject)
            # The clock is read under the lock: a save that had to wait past the closing time is too late.
            now = self.clock.now()
            entry = book.enter(command.cells, now, unlock_id=command.unlock_id, reason=command.reason)
            version = rows.version
            if entry.changes:
                version += 1
                await work.save_cells(
                    facts,
                    command.subject,
                    command.term,
                    entry.changes,
                    command.author,
                    now,
                    reason=command.reason,
                    unlock_id=command.unlock_id,
                )
                await work.save_fill(facts, command.subject, command.term, version, entry.expected, entry.filled)
            saved = Saved(version, len(entry.changes), entry.unchanged, entry.faults, entry.expected, entry.filled)
            await work.keep_answer(command.request, saved.packed())
            return saved
