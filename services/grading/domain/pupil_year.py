"""One pupil's school year: the cells and decisions there are, which subjects count, and what is still missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from services.grading.domain.rulesets import RuleSet
from services.grading.domain.sheets import EXCUSED, Column, layout
from services.grading.domain.subjects import ELECTIVE_GROUP, HOMEROOM, Subject, form_rows
from services.grading.domain.terms import TEACHING_TERMS, Level, Term

Sheet = tuple[str, Term]
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SubjectChoice:
    """Which subjects count for this pupil this year: electives, topic clusters, exemptions by term.

    `individual_plan` marks a pupil with a disability who is judged by an individual plan and not by marks: the
    principal decides about promotion (Thông tư 22/2021, article 11; Thông tư 27/2020, article 8).
    """

    electives: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()
    exemptions: Mapping[str, frozenset[Term]] = field(default_factory=dict)
    individual_plan: bool = False

    def exempt(self, subject: str, term: Term) -> bool:
        """Whether the pupil is exempt from the subject in the term."""
        return term in self.exemptions.get(subject, ())

    def exempt_all_year(self, subject: str) -> bool:
        """Whether the subject is left out of the year's evaluation altogether."""
        return all(self.exempt(subject, term) for term in TEACHING_TERMS)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the principal or of a council round.

    kind: promotion (promoted, retained), completion (completed, not_completed), commendation (a code).
    """

    kind: str
    value: str
    round: int = 0
    number: str = ""
    decided_on: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PupilYear:
    """Everything grading knows about one pupil's year that the rules look at."""

    pupil_id: str
    grade: int
    rules: RuleSet
    choice: SubjectChoice = SubjectChoice()
    cells: Mapping[Sheet, Cells] = field(default_factory=dict)
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    has_personal_number: bool = True
    transfer_under_way: bool = False
    born_on: date | None = None
    school_year: int = 2025
    corrections: Mapping[str, int] = field(default_factory=dict)

    def cell(self, subject: str, term: Term, column: str) -> str:
        """The canonical text of a cell, "" when it is empty."""
        return self.cells.get((subject, term), {}).get(column, "")

    def taken(self) -> Iterator[Subject]:
        """The subjects this pupil takes this year, in the form's order, exempt ones included."""
        for row in form_rows(self.rules.level):
            if row.taught_in(self.grade) and (not row.elective_in(self.grade) or row.code in self.choice.electives):
                yield row

    def columns(self, subject: str, term: Term) -> tuple[Column, ...]:
        """The columns of a sheet as they apply to this pupil; none in a term of exemption."""
        if subject != HOMEROOM and self.choice.exempt(subject, term):
            return ()
        return layout(self.rules, self.grade, subject, term, cluster=subject in self.choice.clusters)


@dataclass(frozen=True, slots=True)
class Gap:
    """A required cell that is empty, or excused and waiting for its make-up."""

    subject: str
    term: Term
    column: str
    make_up_due: bool = False


def gaps(year: PupilYear, terms: tuple[Term, ...] = TEACHING_TERMS) -> list[Gap]:
    """Every required cell without a result. A pupil on an individual plan owes only what the homeroom sheet asks."""
    found: list[Gap] = []
    subjects = [] if year.choice.individual_plan else [subject.code for subject in year.taken()]
    for subject in (*subjects, HOMEROOM):
        for term in terms:
            for column in year.columns(subject, term):
                if not column.required or not _asked(year, subject, term, column):
                    continue
                value = year.cell(subject, term, column.code)
                if not value or value == EXCUSED:
                    found.append(Gap(subject, term, column.code, make_up_due=value == EXCUSED))
    return found


def _asked(year: PupilYear, subject: str, term: Term, column: Column) -> bool:
    """On an individual plan neither conduct nor traits are asked for; absences and the comment are."""
    if year.choice.individual_plan and subject == HOMEROOM:
        return column.code in ("absences_excused", "absences_unexcused", "comment")
    return True


def electives_missing(year: PupilYear) -> int:
    """How many electives an upper-secondary pupil still has to choose."""
    if year.rules.level is not Level.UPPER_SECONDARY or year.choice.individual_plan:
        return 0
    chosen = sum(code in year.choice.electives for code in ELECTIVE_GROUP)
    return max(0, year.rules.switches.electives_required - chosen)
