"""Writing the record: from a pupil's year and its surroundings to the document that is sealed.

Only years that are ready may be written; a missing result here is a bug, not a blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.grading.domain import primary as primary_rules
from services.grading.domain import record as doc
from services.grading.domain import secondary as secondary_rules
from services.grading.domain.completion import obstacles
from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.results import (
    PrimaryYear,
    SecondarySubjectYear,
    SecondaryYear,
    SubjectResult,
    primary_level,
    primary_mark,
    primary_year,
    secondary_year,
)
from services.grading.domain.secondary import Learning
from services.grading.domain.sheets import EXCUSED
from services.grading.domain.subjects import (
    GENERAL_COMPETENCES,
    HOMEROOM,
    QUALITIES,
    SPECIFIC_COMPETENCES,
    NamedTrait,
    Subject,
    form_rows,
)
from services.grading.domain.terms import TEACHING_TERMS, Level, Mode, PrimaryResult, Standard, Term, YearEnd

PROMOTED, NOT_PROMOTED = "Được lên lớp", "Không được lên lớp"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the form prints besides marks: people, places, names of teachers by subject, and the way through schools."""

    pupil: doc.PupilDetails
    school: doc.SchoolDetails
    school_class: doc.ClassDetails
    history: tuple[doc.Stage, ...] = ()
    teachers: Mapping[str, tuple[doc.SubjectTeacher, ...]] = field(default_factory=dict)


def write_record(year: PupilYear, around: Surroundings, transcript: doc.Transcript) -> doc.Record:
    """The record of a year that is ready, in the schema of `record.py`."""
    if year.rules.level is Level.PRIMARY:
        return _primary(year, around, transcript)
    return _secondary(year, around, transcript)


def _head(year: PupilYear, around: Surroundings, transcript: doc.Transcript, title: str | None) -> doc.Head:
    rules = year.rules
    return {
        "schema": doc.SCHEMA,
        "transcript": transcript,
        "rule_set": {"code": rules.code, "title": rules.title, "switches": rules.printed_switches()},
        "level": rules.level.value,
        "school_year": f"{year.school_year}-{year.school_year + 1}",
        "pupil": around.pupil,
        "school": around.school,
        "school_class": around.school_class,
        "history": list(around.history),
        "individual_plan": year.choice.individual_plan,
        "completion": _completion(year),
        "awards": {
            "title": title,
            "others": _lines(year, "commendation"),
            "certificates": _lines(year, "certificate"),
            "competitions": _lines(year, "competition"),
        },
        "comments": {
            "homeroom": _text(year, HOMEROOM, Term.TERM_2) or _text(year, HOMEROOM, Term.TERM_1),
            "summer": _text(year, HOMEROOM, Term.SUMMER),
        },
        "corrections": {"count": sum(year.corrections.values()), "subjects": _corrected(year)},
    }


def _text(year: PupilYear, subject: str, term: Term, column: str = "comment") -> str:
    return doc.normalised(year.cell(subject, term, column))


def _lines(year: PupilYear, column: str) -> list[str]:
    both = [_text(year, HOMEROOM, term, column) for term in TEACHING_TERMS]
    return [line.strip() for text in both for line in text.splitlines() if line.strip()]


def _corrected(year: PupilYear) -> list[str]:
    names = [row.name for row in form_rows(year.rules.level) if year.corrections.get(row.code)]
    return names + (["Giáo viên chủ nhiệm"] if year.corrections.get(HOMEROOM) else [])


def _completion(year: PupilYear) -> doc.CompletionDecision | None:
    decision = year.decisions.get("completion")
    if decision is None:
        return None
    return {
        "programme": f"Hoàn thành chương trình {year.rules.level.text}",
        "completed": decision.value == "completed",
        "council_round": decision.round,
        "number": decision.number,
        "decided_on": decision.decided_on,
    }


def _promotion(year: PupilYear, *, by_rule: bool) -> str:
    """The line about moving up; in the last grade it is about completing the level instead.

    The principal's decision counts only where the rules leave it open: on an individual plan, and for a primary pupil
    who did not complete the class. A level that needs the council's decision isn't completed by moving up alone.
    """
    decision = year.decisions.get("promotion")
    promoted = decision is not None and decision.value == "promoted"
    plan = year.choice.individual_plan
    if year.grade != year.rules.level.last_grade:
        passed = promoted if plan else by_rule or (promoted and year.rules.level is Level.PRIMARY)
        return PROMOTED if passed else NOT_PROMOTED
    completion = year.decisions.get("completion")
    if completion is not None:
        completed = completion.value == "completed"
    elif plan:
        completed = promoted
    else:
        asked = year.grade in year.rules.switches.completion_decision_grades
        completed = by_rule and not (asked and obstacles(year))
    return f"{'Hoàn thành' if completed else 'Không hoàn thành'} chương trình {year.rules.level.text}"


def _exempt(year: PupilYear, subject: Subject) -> list[str]:
    return [term.name for term in TEACHING_TERMS if year.choice.exempt(subject.code, term)]


def _secondary(year: PupilYear, around: Surroundings, transcript: doc.Transcript) -> doc.SecondaryRecord:
    worked_out = secondary_year(year)
    by_code = {s.subject.code: s for s in worked_out.subjects}
    taken = {s.code for s in year.taken()}
    conduct, learned = worked_out.conduct[2], worked_out.learning[2]
    scored = [s.year for s in worked_out.subjects if isinstance(s.year, Decimal)]
    title = secondary_rules.title(conduct, learned.standard, scored, year.rules) if conduct and learned else None
    return {
        **_head(year, around, transcript, title),
        "subjects": [_secondary_row(year, around, row, by_code.get(row.code), taken=row.code in taken) for row in form_rows(year.rules.level)],
        "results": _secondary_results(year, worked_out),
    }


def _secondary_row(year: PupilYear, around: Surroundings, row: Subject, result: SecondarySubjectYear | None, *, taken: bool) -> doc.SecondarySubject:
    return {
        "code": row.code,
        "name": row.name,
        "mode": "SCORED" if row.mode is Mode.SCORED else "COMMENT",
        "taken": taken,
        "elective": row.elective_in(year.grade),
        "topic_cluster": taken and row.code in year.choice.clusters,
        "exempt": _exempt(year, row) if taken else [],
        "term_1": _printed(result.term_1) if result else None,
        "term_2": _printed(result.term_2) if result else None,
        "year": _printed(result.year) if result else None,
        "after_retake": _printed(result.after) if result else None,
        "comment": (_text(year, row.code, Term.TERM_2) or _text(year, row.code, Term.TERM_1)) if taken else "",
        "teachers": list(around.teachers.get(row.code, ())) if taken else [],
    }


def _printed(result: SubjectResult) -> str | None:
    if result is None:
        return None
    return ("Đạt" if result else "Chưa đạt") if isinstance(result, bool) else str(result)


def _part(conduct: Standard | None, learned: Learning | None) -> doc.SecondaryPart:
    return {
        "conduct": None if conduct is None else conduct.text,
        "learning": None if learned is None else learned.standard.text,
    }


def _secondary_results(year: PupilYear, worked_out: SecondaryYear) -> doc.SecondaryResults:
    parts = [_part(c, lr) for c, lr in zip(worked_out.conduct, worked_out.learning, strict=True)]
    names = ("term_1", "term_2", "year")
    raised = [name for name, lr in zip(names, worked_out.learning, strict=True) if lr is not None and lr.adjusted]
    summer = worked_out.conduct_after is not None or worked_out.learning_after is not None
    return {
        "term_1": parts[0],
        "term_2": parts[1],
        "year": parts[2],
        "after_summer": _part(worked_out.conduct_after, worked_out.learning_after) if summer else None,
        "adjusted": raised,
        "absences": worked_out.absences or 0,
        "absences_excused": _absences(year, "absences_excused"),
        "absences_unexcused": _absences(year, "absences_unexcused"),
        "promotion": _promotion(year, by_rule=worked_out.end is YearEnd.PROMOTED),
    }


def _absences(year: PupilYear, column: str) -> int:
    return sum(int(year.cell(HOMEROOM, term, column) or 0) for term in TEACHING_TERMS)


def _primary(year: PupilYear, around: Surroundings, transcript: doc.Transcript) -> doc.PrimaryRecord:
    worked_out = primary_year(year)
    supplemented = worked_out.after is not None
    decision = year.decisions.get("commendation")
    title = None
    if worked_out.result is not None:
        title = primary_rules.title(worked_out.result, recognised_as_exemplary=decision is not None)
    taken = {s.code for s in year.taken()}
    return {
        **_head(year, around, transcript, title),
        "subjects": [_primary_row(year, around, row, taken=row.code in taken) for row in form_rows(year.rules.level)],
        "qualities": _group(year, "quality", QUALITIES, "quality_comment", supplemented=supplemented),
        "general_competences": _group(year, "competence", GENERAL_COMPETENCES, "general_comment", supplemented=supplemented),
        "specific_competences": _group(year, "competence", SPECIFIC_COMPETENCES, "specific_comment", supplemented=supplemented),
        "results": _primary_results(year, worked_out),
    }


def _primary_row(year: PupilYear, around: Surroundings, row: Subject, *, taken: bool) -> doc.PrimarySubject:
    counts = taken and not year.choice.exempt(row.code, Term.TERM_2)
    marked = counts and row.mode_in(year.grade) is Mode.LEVEL_AND_MARK
    return {
        "code": row.code,
        "name": row.name,
        "mode": "LEVEL_AND_MARK" if row.mode_in(year.grade) is Mode.LEVEL_AND_MARK else "LEVEL",
        "taken": taken,
        "exempt": _exempt(year, row) if taken else [],
        "level": (primary_level(year, row, supplemented=False) or None) if counts else None,
        "mark": (primary_mark(year, row, supplemented=False) or None) if marked else None,
        "level_after_supplement": _later(year, row.code, "level_after") if counts else None,
        "mark_after_supplement": _later(year, row.code, "mark_after") if marked else None,
        "comment": (_text(year, row.code, Term.TERM_2) or _text(year, row.code, Term.TERM_1)) if taken else "",
        "teachers": list(around.teachers.get(row.code, ())) if taken else [],
    }


def _later(year: PupilYear, subject: str, column: str) -> str | None:
    """A result of supplementary assessment; V says that the pupil did not come to it, and is none."""
    value = year.cell(subject, Term.SUMMER, column)
    return value if value != EXCUSED and value else None


def _group(year: PupilYear, kind: str, traits: tuple[NamedTrait, ...], comment: str, *, supplemented: bool) -> doc.TraitGroup:
    letters = {"T": "T", "D": "Đ", "C": "C"}

    def level(code: str) -> str | None:
        column = f"{kind}_{code}"
        # Like every later result a trait counts only where the year's result left something to mend.
        later = year.cell(HOMEROOM, Term.SUMMER, column) if supplemented else ""
        return letters.get(later or year.cell(HOMEROOM, Term.TERM_2, column))

    return {
        "rows": [{"code": trait.code, "name": trait.name, "level": level(trait.code)} for trait in traits],
        "comment": _text(year, HOMEROOM, Term.TERM_2, comment),
    }


def _primary_results(year: PupilYear, worked_out: PrimaryYear) -> doc.PrimaryResults:
    final = worked_out.final
    completed = final is not None and primary_rules.class_completed(final)
    return {
        "result": (worked_out.result or PrimaryResult.INCOMPLETE).text,
        "result_after_supplement": None if worked_out.after is None else worked_out.after.text,
        "class_completed": completed,
        "promotion": _promotion(year, by_rule=completed),
        "height_cm": year.cell(HOMEROOM, Term.TERM_2, "height") or year.cell(HOMEROOM, Term.TERM_1, "height"),
        "weight_kg": year.cell(HOMEROOM, Term.TERM_2, "weight") or year.cell(HOMEROOM, Term.TERM_1, "weight"),
        "absences_excused": _absences(year, "absences_excused"),
        "absences_unexcused": _absences(year, "absences_unexcused"),
    }
