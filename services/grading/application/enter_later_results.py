"""Enter results that come after the year was judged: retakes, supplementary assessment, summer training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from services.chassis.clock import Clock
from services.chassis.errors import Denied
from services.grading.application.ports import Author, ClassFacts, Request, Rules, Transactions, Work
from services.grading.application.sheet_access import held_gradebook
from services.grading.domain.gradebook import CellEntry, Fault, Gradebook
from services.grading.domain.readiness import settled_later
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Level, Term, level_of_grade


@dataclass(frozen=True, slots=True)
class LaterResult:
    """A later result. No subject means conduct after summer training; `quality_…`, `competence_…` and `comment`
    stand for columns of the homeroom teacher's own summer sheet.
    """

    pupil_id: str
    subject: str
    value: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Later results of one class."""

    request: Request
    author: Author
    class_id: str
    results: Sequence[LaterResult]


@dataclass(frozen=True, slots=True)
class Entered:
    """How many cells changed, and which results were not taken."""

    changed: int
    faults: Sequence[Fault]

    def packed(self) -> bytes:
        """As bytes to keep."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, answer: bytes) -> Entered:
        """The reverse of `packed`."""
        kept = json.loads(answer)
        return cls(kept["changed"], [Fault(**fault) for fault in kept["faults"]])


@dataclass(frozen=True, slots=True)
class EnterLaterResults:
    """Record summer results of pupils whose year isn't sealed yet; no window is asked for, since only they wait.

    A sealed year that a correction left waiting for the summer takes them too. The original results stay; these stand beside them and count from now on.
    """

    transactions: Transactions
    clock: Clock
    rules: Rules

    async def __call__(self, command: Command) -> Entered:
        async with self.transactions() as work:
            if before := await work.answered(command.request):
                return Entered.unpacked(before)
            facts = await work.get_class(command.class_id)
            by_sheet: dict[str, list[tuple[LaterResult, CellEntry]]] = {}
            for result in command.results:
                subject, column = _cell_of(result, level_of_grade(facts.grade))
                by_sheet.setdefault(subject, []).append((result, CellEntry(result.pupil_id, column, result.value)))
            changed, faults = 0, list[Fault]()
            for subject in sorted(by_sheet):  # One order for everybody, so that two calls can't hold each other up.
                more, wrong = await self._save(work, command, subject, by_sheet[subject])
                changed, faults = changed + more, [*faults, *wrong]
            entered = Entered(changed, faults)
            await work.keep_answer(command.request, entered.packed())
            return entered

    async def _save(self, work: Work, command: Command, subject: str, results: Sequence[tuple[LaterResult, CellEntry]]) -> tuple[int, list[Fault]]:
        facts, rows, book = await held_gradebook(work, self.rules, command.class_id, subject, Term.SUMMER)
        if command.author.person_id not in rows.writers:
            raise Denied(f"only the teachers of {subject} in class {facts.class_id} may record its later results", code="not_assigned")
        book = await self._with_years_waiting_again(work, facts, book, {cell.pupil_id for _, cell in results})
        now = self.clock.now()
        entry = book.enter([cell for _, cell in results], now)
        reasons = {(cell.pupil_id, cell.column): result.reason for result, cell in results}
        for reason in sorted(set(reasons.values())):
            part = [change for change in entry.changes if reasons[change.pupil_id, change.column] == reason]
            await work.save_cells(facts, subject, Term.SUMMER, part, command.author, now, reason=reason)
        if entry.changes:
            await work.save_fill(facts, subject, Term.SUMMER, rows.version + 1, entry.expected, entry.filled)
        return len(entry.changes), list(entry.faults)

    async def _with_years_waiting_again(self, work: Work, facts: ClassFacts, book: Gradebook, named: set[str]) -> Gradebook:
        """The sheet in which a sealed pupil among the named counts as open while his or her year waits for more."""
        if not any(pupil.sealed for pupil_id, pupil in book.pupils.items() if pupil_id in named):
            return book
        files = await work.read_years(facts, book.rules)
        waiting = {file.year.pupil_id for file in files if settled_later(file.year)} & named
        return replace(book, pupils={p: replace(pupil, sealed=pupil.sealed and p not in waiting) for p, pupil in book.pupils.items()})


def _cell_of(result: LaterResult, level: Level) -> tuple[str, str]:
    if not result.subject or result.subject == HOMEROOM:
        return HOMEROOM, "conduct_after"
    if result.subject == "comment" or result.subject.startswith(("quality_", "competence_")):
        return HOMEROOM, result.subject
    if level is not Level.PRIMARY:
        return result.subject, "retake"
    return result.subject, "level_after" if result.value.strip().upper() in ("T", "H", "C") else "mark_after"
