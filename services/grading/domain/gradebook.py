"""The gradebook: one class x subject x term sheet, and the rule of who may write which cell when.

Whether a cell may be written is decided from the rows that the saving transaction holds locked, at an instant of
grading's own clock. Nothing here asks another service, so a dead neighbour can neither open nor close a sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.grading.domain.errors import BadInput, NotAllowed
from services.grading.domain.pupil_year import SubjectChoice
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.sheets import EXCUSED, Column, layout, read_cell
from services.grading.domain.subjects import HOMEROOM, subjects_of
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Window:
    """A lease: cells may be entered from `opens_at` until just before `closes_at`."""

    opens_at: datetime
    closes_at: datetime

    def open_at(self, now: datetime) -> bool:
        """Half-open: at the very instant of closing it is closed."""
        return self.opens_at <= now < self.closes_at


@dataclass(frozen=True, slots=True)
class Reopening:
    """A narrow part of a sealed class that is open again until an instant; no pupils means all of them."""

    unlock_id: str
    subject: str
    term: Term
    pupils: frozenset[str]
    open_until: datetime

    def covers(self, pupil_id: str) -> bool:
        """Whether the pupil's cells are among those opened."""
        return not self.pupils or pupil_id in self.pupils


@dataclass(frozen=True, slots=True)
class SheetPupil:
    """A pupil in a sheet: number in the class, name, choice of subjects, and whether the year is sealed."""

    pupil_id: str
    roll_number: int
    full_name: str
    choice: SubjectChoice
    sealed: bool


@dataclass(frozen=True, slots=True)
class CellEntry:
    """A cell as it came in; `row` is the row of an imported file, else 0."""

    pupil_id: str
    column: str
    value: str
    source: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that was not taken: what is wrong, and how to mend it."""

    pupil_id: str
    column: str
    problem: str
    cure: str
    row: int = 0


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell whose value or source really changes.

    `after_seal` marks a correction of something already sealed; `fresh` says that the cell was never written before.
    """

    pupil_id: str
    column: str
    old_value: str
    new_value: str
    source: str
    after_seal: bool
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """What saving a sheet comes to."""

    changes: Sequence[CellChange]
    unchanged: int
    faults: Sequence[Fault]
    expected: int
    filled: int


Held = Mapping[str, Mapping[str, tuple[str, str]]]
"""pupil -> column -> (value, source) of the cells that the sheet holds."""


@dataclass(frozen=True, slots=True)
class Gradebook:
    """One sheet as the saving transaction sees it."""

    class_id: str
    subject: str
    term: Term
    grade: int
    rules: RuleSet
    pupils: Mapping[str, SheetPupil]
    held: Held = field(default_factory=dict)
    windows: Sequence[Window] = ()
    reopenings: Sequence[Reopening] = ()
    term_sealed: bool = False

    def reopening(self, unlock_id: str, now: datetime) -> Reopening:
        """The re-opening that a save names, or NotAllowed when it doesn't open this sheet now."""
        for found in self.reopenings:
            if found.unlock_id != unlock_id:
                continue
            if (found.subject, found.term) != (self.subject, self.term):
                raise NotAllowed("unlock_other_scope", f"unlock {unlock_id} opens {found.subject} {found.term.name}, not this sheet")
            if now >= found.open_until:
                raise NotAllowed("unlock_expired", f"unlock {unlock_id} ended at {found.open_until:%Y-%m-%d %H:%M:%S} UTC; ask for a new one")
            return found
        raise NotAllowed("unlock_not_open", f"unlock {unlock_id} is not open for this class; ask for one, or wait until it is granted")

    def closed_because(self, now: datetime) -> str:
        """ "" while cells may be entered without an unlock, else the reason code."""
        if self.term_sealed or (self.pupils and all(pupil.sealed for pupil in self.pupils.values())):
            return "sealed"
        if self.term is not Term.SUMMER and not any(window.open_at(now) for window in self.windows):
            return "window_closed"
        return ""

    def enter(self, cells: Iterable[CellEntry], now: datetime, *, unlock_id: str = "", reason: str = "") -> Entry:
        """Judge the cells of one save: what changes, what stays, what is refused and why.

        Raises NotAllowed when the sheet as a whole is closed; a single bad cell never stops the others.
        """
        reopened = None
        if unlock_id:
            if not reason.strip():
                raise BadInput("reason_missing", "a correction after sealing needs a reason; say why the cell changes")
            reopened = self.reopening(unlock_id, now)
        elif code := self.closed_because(now):
            raise NotAllowed(code, _CLOSED[code])
        changes: dict[tuple[str, str], CellChange] = {}
        faults: list[Fault] = []
        unchanged = 0
        columns = {pupil_id: self.columns_of(pupil) for pupil_id, pupil in self.pupils.items()}
        for cell in cells:
            try:
                change = self._judge(cell, columns, reopened)
            except BadInput as error:
                faults.append(_fault(cell, error))
                continue
            if change is None:
                unchanged += 1
                # The last word on a cell counts, also when it takes an earlier one of the same save back.
                changes.pop((cell.pupil_id, cell.column), None)
            else:
                changes[change.pupil_id, change.column] = change
        expected, filled = self._fill(changes, columns)
        return Entry(list(changes.values()), unchanged, faults, expected, filled)

    def _judge(self, cell: CellEntry, columns: Mapping[str, Mapping[str, Column]], reopened: Reopening | None) -> CellChange | None:
        pupil = self.pupils.get(cell.pupil_id)
        if pupil is None:
            raise BadInput("not_in_class", "no such pupil in this class; check the pupil, or enrol him or her first")
        if reopened is not None and not reopened.covers(cell.pupil_id):
            raise BadInput("not_reopened", "the unlock doesn't cover this pupil; ask for one that does")
        if reopened is None and pupil.sealed:
            raise BadInput("sealed", "this pupil's year is sealed; ask for an unlock and name it")
        column = columns[cell.pupil_id].get(cell.column)
        if column is None:
            known = ", ".join(columns[cell.pupil_id]) or "none: the pupil doesn't take the subject, or is exempt"
            raise BadInput("no_such_column", f"this pupil has no column {cell.column}; columns are {known}")
        value = read_cell(column, cell.value, cell.source)
        held = self.held.get(cell.pupil_id, _NO_CELLS).get(cell.column)
        old = held or _EMPTY
        if old == (value, cell.source):
            return None
        # A mark or make-up that was still to come when the first term was sealed is late, but it corrects nothing.
        corrects = pupil.sealed or (self.term_sealed and old[0] not in ("", EXCUSED))
        return CellChange(cell.pupil_id, cell.column, old[0], value, cell.source, after_seal=corrects, fresh=held is None)

    def columns_of(self, pupil: SheetPupil) -> dict[str, Column]:
        """The columns that this pupil has in the sheet."""
        return {column.code: column for column in self._layout(pupil)}

    def _layout(self, pupil: SheetPupil) -> tuple[Column, ...]:
        choice = pupil.choice
        if self.subject == HOMEROOM:
            return layout(self.rules, self.grade, HOMEROOM, self.term)
        subject = subjects_of(self.rules.level).get(self.subject)
        if subject is not None and subject.elective_in(self.grade) and self.subject not in choice.electives:
            return ()
        if choice.exempt(self.subject, self.term):
            return ()
        return layout(self.rules, self.grade, self.subject, self.term, cluster=self.subject in choice.clusters)

    def columns(self) -> tuple[Column, ...]:
        """The widest layout that any pupil of the sheet has: what a form or a file shows."""
        cluster = any(self.subject in pupil.choice.clusters for pupil in self.pupils.values())
        return layout(self.rules, self.grade, self.subject, self.term, cluster=cluster)

    def _fill(self, changes: Mapping[tuple[str, str], CellChange], columns: Mapping[str, Mapping[str, Column]]) -> tuple[int, int]:
        expected = filled = 0
        for pupil_id, pupil in self.pupils.items():
            if pupil.choice.individual_plan:
                continue
            held = self.held.get(pupil_id, {})
            for column in columns[pupil_id].values():
                if column.required:
                    expected += 1
                    change = changes.get((pupil_id, column.code))
                    value = change.new_value if change else held.get(column.code, ("", ""))[0]
                    filled += bool(value) and value != EXCUSED
        return expected, filled


_NO_CELLS: Mapping[str, tuple[str, str]] = {}
_EMPTY = ("", "")
_CLOSED = {
    "sealed": "this sheet is sealed; ask for an unlock with a reason, and name it when saving",
    "window_closed": "no window is open for this class and term; wait for it, or ask the school to have one set",
}


def _fault(cell: CellEntry, error: BadInput) -> Fault:
    problem, _, cure = error.message.partition("; ")
    return Fault(cell.pupil_id, cell.column, problem, cure, cell.row)
