"""From cells to results: what each subject, term and year of one pupil comes to, and what the year ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.grading.domain import primary, secondary
from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.secondary import Learning, YearFacts
from services.grading.domain.sheets import EXCUSED
from services.grading.domain.subjects import (
    GENERAL_COMPETENCES,
    HOMEROOM,
    QUALITIES,
    SPECIFIC_COMPETENCES,
    Subject,
)
from services.grading.domain.terms import Completion, Mode, PrimaryResult, Standard, Term, Trait, YearEnd

SubjectResult = Decimal | bool | None
"""A term or year average, Đạt or Chưa đạt of a comment subject, or None while cells are missing."""

STANDARD_OF = {"T": Standard.GOOD, "K": Standard.FAIR, "D": Standard.PASS, "CD": Standard.FAIL}
LEVEL_OF = {"T": Completion.WELL, "H": Completion.COMPLETE, "C": Completion.INCOMPLETE}
TRAIT_OF = {"T": Trait.GOOD, "D": Trait.PASS, "C": Trait.NEEDS_EFFORT}


@dataclass(frozen=True, slots=True)
class SecondarySubjectYear:
    """One subject of one pupil: both terms, the year, and the year after re-assessment if there was one."""

    subject: Subject
    term_1: SubjectResult
    term_2: SubjectResult
    year: SubjectResult
    after: SubjectResult = None

    @property
    def final(self) -> SubjectResult:
        """What counts in the end; article 14: the retake replaces the year's result."""
        return self.year if self.after is None else self.after


@dataclass(frozen=True, slots=True)
class SecondaryYear:
    """A secondary pupil's year as the rules see it; None where something is missing."""

    subjects: tuple[SecondarySubjectYear, ...]
    conduct: tuple[Standard | None, Standard | None, Standard | None]
    learning: tuple[Learning | None, Learning | None, Learning | None]
    absences: int | None
    conduct_after: Standard | None
    learning_after: Learning | None
    end: YearEnd | None
    retakes_open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrimaryYear:
    """A primary pupil's year as the rules see it; `after` is the result once supplementary assessment counted."""

    result: PrimaryResult | None
    after: PrimaryResult | None

    @property
    def final(self) -> PrimaryResult | None:
        """What counts in the end."""
        return self.result if self.after is None else self.after


def secondary_year(year: PupilYear) -> SecondaryYear:
    """Work out a secondary pupil's year from its cells."""
    subjects = tuple(_subject_year(year, s) for s in year.taken() if not year.choice.exempt_all_year(s.code))
    conduct_1, conduct_2 = (_standard(year, term, "conduct") for term in (Term.TERM_1, Term.TERM_2))
    conduct = secondary.year_conduct(conduct_1, conduct_2) if conduct_1 is not None and conduct_2 is not None else None
    in_1 = [s.term_1 for s in subjects if not year.choice.exempt(s.subject.code, Term.TERM_1)]
    in_2 = [s.term_2 for s in subjects if not year.choice.exempt(s.subject.code, Term.TERM_2)]
    learned = _learning(year, [s.year for s in subjects])
    absences = _absences(year)
    due = [s for s in subjects if s.year is not None and secondary.must_retake(s.year, year.rules)]
    still_open = tuple(s.subject.code for s in due if not year.cell(s.subject.code, Term.SUMMER, "retake"))
    # Re-assessment is for pupils whose conduct passed and whose learning did not; article 14.
    retakes = bool(due) and conduct is not None and conduct >= Standard.PASS
    retakes = retakes and learned is not None and learned.standard is Standard.FAIL
    after = _learning(year, [s.final for s in subjects]) if retakes and not still_open else None
    conduct_after = _standard(year, Term.SUMMER, "conduct_after") if conduct is Standard.FAIL else None
    end = None
    if conduct is not None and learned is not None and absences is not None:
        facts = YearFacts(conduct, learned.standard, absences, conduct_after, after.standard if after else None)
        end = secondary.year_end(facts, year.rules)
    return SecondaryYear(
        subjects=subjects if retakes else tuple(_without_retake(s) for s in subjects),
        conduct=(conduct_1, conduct_2, conduct),
        learning=(_learning(year, in_1), _learning(year, in_2), learned),
        absences=absences,
        conduct_after=conduct_after,
        learning_after=after,
        end=end,
        retakes_open=still_open if retakes else (),
    )


def primary_year(year: PupilYear) -> PrimaryYear:
    """Work out a primary pupil's year from its end-of-year cells; supplementary results replace what they name."""
    result = _primary_result(year, supplemented=False)
    if result is not PrimaryResult.INCOMPLETE or not _has_supplement(year):
        return PrimaryYear(result, None)
    return PrimaryYear(result, _primary_result(year, supplemented=True))


def subject_term(year: PupilYear, subject: Subject, term: Term) -> SubjectResult:
    """ĐTBmhk of a scored subject, the verdict of a comment subject, None while a required cell is missing."""
    columns = [column for column in year.columns(subject.code, term) if column.code != "comment"]
    values = [year.cell(subject.code, term, column.code) for column in columns]
    if not columns or any(not value or value == EXCUSED for value in values):
        return None
    if subject.mode is Mode.COMMENT:
        return secondary.term_verdict((value == "D" for value in values), required=len(columns))
    *regular, midterm, final = (Decimal(value) for value in values)
    return secondary.term_average(regular, midterm, final)


def _subject_year(year: PupilYear, subject: Subject) -> SecondarySubjectYear:
    term_1, term_2 = (subject_term(year, subject, term) for term in (Term.TERM_1, Term.TERM_2))
    whole = year_of(year, subject, term_1, term_2)
    retake = year.cell(subject.code, Term.SUMMER, "retake")
    after: SubjectResult = None
    # V: the pupil did not come to the re-assessment, so the year's result stands.
    if retake and retake != EXCUSED and whole is not None and secondary.must_retake(whole, year.rules):
        after = retake == "D" if subject.mode is Mode.COMMENT else Decimal(retake)
    return SecondarySubjectYear(subject, term_1, term_2, whole, after)


def year_of(year: PupilYear, subject: Subject, term_1: SubjectResult, term_2: SubjectResult) -> SubjectResult:
    """The year's result: HKII alone for comment subjects (article 9.1b), the term that counts when one is exempt."""
    if year.choice.exempt(subject.code, Term.TERM_1):
        return term_2
    if year.choice.exempt(subject.code, Term.TERM_2):
        return term_1
    if term_1 is None or term_2 is None:
        return None
    if isinstance(term_1, bool) or isinstance(term_2, bool):
        return term_2
    return secondary.year_average(term_1, term_2)


def _without_retake(subject: SecondarySubjectYear) -> SecondarySubjectYear:
    return SecondarySubjectYear(subject.subject, subject.term_1, subject.term_2, subject.year)


def _learning(year: PupilYear, results: Iterable[SubjectResult]) -> Learning | None:
    given = list(results)
    if not given or any(result is None for result in given):
        return None
    scored = [result for result in given if isinstance(result, Decimal)]
    verdicts = [result for result in given if isinstance(result, bool)]
    return secondary.learning(scored, verdicts, year.rules)


def _standard(year: PupilYear, term: Term, column: str) -> Standard | None:
    return STANDARD_OF.get(year.cell(HOMEROOM, term, column))


def _absences(year: PupilYear) -> int | None:
    counts = [year.cell(HOMEROOM, term, column) for term in (Term.TERM_1, Term.TERM_2) for column in ("absences_excused", "absences_unexcused")]
    return None if "" in counts else sum(int(count) for count in counts)


def trait_columns() -> Sequence[str]:
    """Columns of the homeroom sheet that hold the end-of-term level of each quality and competence."""
    competences = (*GENERAL_COMPETENCES, *SPECIFIC_COMPETENCES)
    return [f"quality_{t.code}" for t in QUALITIES] + [f"competence_{t.code}" for t in competences]


def primary_level(year: PupilYear, subject: Subject, *, supplemented: bool) -> str:
    """The year-end letter of a subject, after supplementary assessment if asked so; "" when missing."""
    later = year.cell(subject.code, Term.SUMMER, "level_after") if supplemented else ""
    return (later if later != EXCUSED else "") or year.cell(subject.code, Term.TERM_2, "level_end2")


def primary_mark(year: PupilYear, subject: Subject, *, supplemented: bool) -> str:
    """The end-of-year test mark of a subject, after supplementary assessment if asked so; "" when missing."""
    later = year.cell(subject.code, Term.SUMMER, "mark_after") if supplemented else ""
    return (later if later != EXCUSED else "") or year.cell(subject.code, Term.TERM_2, "end2")


def judged_in_term_2(year: PupilYear) -> list[Subject]:
    """Primary subjects that count at the end of the year: taken, and not exempt in the second term."""
    return [s for s in year.taken() if not year.choice.exempt(s.code, Term.TERM_2)]


def _primary_result(year: PupilYear, *, supplemented: bool) -> PrimaryResult | None:
    subjects = judged_in_term_2(year)
    levels = [primary_level(year, s, supplemented=supplemented) for s in subjects]
    marked = [s for s in subjects if s.mode_in(year.grade) is Mode.LEVEL_AND_MARK]
    marks = [primary_mark(year, s, supplemented=supplemented) for s in marked]
    later = {c: year.cell(HOMEROOM, Term.SUMMER, c) if supplemented else "" for c in trait_columns()}
    traits = [later[c] or year.cell(HOMEROOM, Term.TERM_2, c) for c in trait_columns()]
    if not subjects or any(not text or text == EXCUSED for text in (*levels, *marks, *traits)):
        return None
    state = primary.YearEndState(
        levels=[LEVEL_OF[text] for text in levels],
        traits=[TRAIT_OF[text] for text in traits],
        marks=[int(text) for text in marks],
    )
    return primary.year_result(state, year.rules)


def _has_supplement(year: PupilYear) -> bool:
    return any(value and column != "comment" for (_, term), cells in year.cells.items() if term is Term.SUMMER for column, value in cells.items())
