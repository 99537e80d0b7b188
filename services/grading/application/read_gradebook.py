"""Read a sheet: cells, averages, whether it is open; and the history of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.chassis.clock import Clock
from services.grading.application.ports import Author, ClassFacts, MarkChange, Rules, SheetRows, Transactions, Work
from services.grading.application.sheet_access import gradebook_of, require_reader
from services.grading.domain.gradebook import Gradebook, SheetPupil
from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.results import SubjectResult, subject_term, year_of
from services.grading.domain.sheets import Column
from services.grading.domain.subjects import HOMEROOM, subjects_of
from services.grading.domain.terms import Level, Term


@dataclass(frozen=True, slots=True)
class Query:
    """Which sheet, and who asks."""

    author: Author
    class_id: str
    subject: str
    term: Term
    pupil_id: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A pupil's line: cells as column -> (value, source), and averages where the subject has them ("" if not yet)."""

    pupil: SheetPupil
    cells: Mapping[str, tuple[str, str]]
    average: str
    year_average: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet to show or print. There is no rank and no average of the class in it, by law."""

    facts: ClassFacts
    subject: str
    subject_name: str
    term: Term
    version: int
    closed_because: str
    columns: Sequence[Column]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ReadGradebook:
    """The sheet as it is now, for those who write it, lead the class or run the school."""

    transactions: Transactions
    clock: Clock
    rules: Rules

    async def __call__(self, query: Query) -> Sheet:
        async with self.transactions() as work:
            facts = await work.get_class(query.class_id)
            rows = await work.read_sheet(facts, query.subject, query.term)
            await _may_read(work, query, facts, rows)
            book = gradebook_of(facts, rows, self.rules, query.subject, query.term)
            other = None
            if query.subject != HOMEROOM and query.term is Term.TERM_2:
                other = (await work.read_sheet(facts, query.subject, Term.TERM_1)).held
            lines = [_row(book, pupil, other) for pupil in sorted(rows.pupils.values(), key=lambda p: p.roll_number)]
            subject = subjects_of(book.rules.level).get(query.subject)
            name = subject.name if subject else "Sổ chủ nhiệm"
            return Sheet(facts, query.subject, name, query.term, rows.version, book.closed_because(self.clock.now()), book.columns(), lines)


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Every change of a sheet's cells, oldest first: who, when, from what, to what, and why."""

    transactions: Transactions

    async def __call__(self, query: Query) -> list[MarkChange]:
        async with self.transactions() as work:
            facts = await work.get_class(query.class_id)
            rows = await work.read_sheet(facts, query.subject, query.term)
            await _may_read(work, query, facts, rows)
            return await work.history(facts, query.subject, query.term, query.pupil_id)


async def _may_read(work: Work, query: Query, facts: ClassFacts, rows: SheetRows) -> None:
    homeroom = query.subject != HOMEROOM and query.author.person_id in await work.homeroom_persons(facts)
    require_reader(query.author, rows, facts, homeroom)


def _row(book: Gradebook, pupil: SheetPupil, first_term: Mapping[str, Mapping[str, tuple[str, str]]] | None) -> Row:
    cells = book.held.get(pupil.pupil_id, {})
    average, year_average = "", ""
    subject = subjects_of(book.rules.level).get(book.subject)
    if subject is not None and book.rules.level is not Level.PRIMARY and book.term is not Term.SUMMER:
        sheets: dict[tuple[str, Term], dict[str, str]] = {(book.subject, book.term): {column: value for column, (value, _) in cells.items()}}
        if first_term is not None:
            sheets[book.subject, Term.TERM_1] = {c: value for c, (value, _) in first_term.get(pupil.pupil_id, {}).items()}
        year = PupilYear(pupil.pupil_id, book.grade, book.rules, pupil.choice, sheets)
        term_result = subject_term(year, subject, book.term)
        average = _shown(term_result)
        if first_term is not None:
            year_average = _shown(year_of(year, subject, subject_term(year, subject, Term.TERM_1), term_result))
    return Row(pupil, cells, average, year_average)


def _shown(result: SubjectResult) -> str:
    if result is None:
        return ""
    return str(result) if isinstance(result, Decimal) else ("Đạt" if result else "Chưa đạt")
