"""Completion of a level: a decision of a council round, which the rules bound but don't make.

Since 2026 the transcript itself is the completion document of primary and lower secondary school
(Luật 123/2025/QH15). The conditions come from practice, not from a text at hand, and each is a switch.
"""

from __future__ import annotations

from services.grading.domain.errors import NotAllowed
from services.grading.domain.pupil_year import PupilYear, electives_missing, gaps
from services.grading.domain.results import primary_year, secondary_year
from services.grading.domain.terms import Level, PrimaryResult, YearEnd


def obstacles(year: PupilYear) -> list[str]:
    """Codes of everything that forbids recognising completion; none means that the council may decide so."""
    if year.grade != year.rules.level.last_grade:
        return ["not_last_grade"]
    if year.choice.individual_plan:
        return []
    found = [] if not gaps(year) and not electives_missing(year) else ["missing_marks"]
    found += _primary(year) if year.rules.level is Level.PRIMARY else _secondary(year)
    if year.rules.level is Level.LOWER_SECONDARY and _age(year) > year.rules.switches.completion_age_max:
        found.append("too_old")
    return found


def check_completion(year: PupilYear) -> None:
    """Refuse a completion that the rules forbid, naming every obstacle."""
    if found := obstacles(year):
        raise NotAllowed(
            "completion_not_allowed",
            f"the programme can't be recognised as completed: {', '.join(found)}; mend these first, or decide not_completed",
        )


def decision_due(year: PupilYear) -> bool:
    """Whether the transcript must carry a decision about completion that isn't there yet.

    A pupil whom the rules keep from completing needs no decision for that. A completion that was decided before a mark
    changed for the worse is no decision about this year any more: the council must decide anew.
    """
    if year.grade != year.rules.level.last_grade:
        return False
    decision = year.decisions.get("completion")
    if decision is None:
        return year.grade in year.rules.switches.completion_decision_grades and not obstacles(year)
    return decision.value == "completed" and bool(obstacles(year))


def _primary(year: PupilYear) -> list[str]:
    final = primary_year(year).final
    return ["class_not_completed"] if final is None or final is PrimaryResult.INCOMPLETE else []


def _secondary(year: PupilYear) -> list[str]:
    worked_out = secondary_year(year)
    found = [] if worked_out.end is YearEnd.PROMOTED else ["not_promotable"]
    failed = [s for s in worked_out.subjects if s.final is False]
    if failed and year.rules.switches.completion_refuses_failed_subject:
        found.append("failed_subject")
    return found


def _age(year: PupilYear) -> int:
    """Age in whole years at the end of the school year; 0 when the date of birth is unknown."""
    return year.school_year + 1 - year.born_on.year if year.born_on else 0
