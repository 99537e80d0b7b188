"""Is a pupil's year ready to be sealed? If not: why, in codes that reports count and people can act on.

missing_marks           a required cell of a subject's sheet is empty
make_up_due             a test was missed with a reason and its make-up is still to come
missing_conduct         conduct of a term isn't given (secondary)
missing_traits          a quality or competence isn't given (primary)
missing_absences        absences of a term aren't given (0 is a count; nothing is not)
missing_comments        a comment that the form prints isn't written
electives_not_chosen    fewer electives than grade 10 to 12 asks for
no_personal_number      the twelve-digit number is lacking, and policy asks for it
transfer_under_way      the pupil is moving; the receiving school will finish the year
retake_in_summer        subjects are to be assessed again
summer_training         conduct is to be judged again after the summer
supplement_in_summer    primary: supplementary assessment follows
promotion_undecided     the principal must decide whether the pupil moves up
completion_undecided    the council must decide whether the level is completed
"""

from __future__ import annotations

from collections.abc import Sequence

from services.grading.domain.completion import decision_due
from services.grading.domain.pupil_year import Gap, PupilYear, electives_missing, gaps
from services.grading.domain.results import primary_year, secondary_year
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Level, PrimaryResult, YearEnd


def reasons_to_wait(year: PupilYear) -> list[str]:
    """Reason codes in a fixed order; an empty list means that the year can be sealed."""
    found = _of_gaps(gaps(year))
    if electives_missing(year):
        found.append("electives_not_chosen")
    if year.rules.switches.personal_number_required and not year.has_personal_number:
        found.append("no_personal_number")
    if year.transfer_under_way:
        found.append("transfer_under_way")
    if not found or found == ["no_personal_number"]:
        found += _of_results(year)
    return found


_SETTLED_LATER = frozenset({"retake_in_summer", "summer_training", "supplement_in_summer", "promotion_undecided", "completion_undecided"})


def settled_later(year: PupilYear) -> bool:
    """Whether the year as it stands waits for a summer result or a decision; a correction can bring a sealed year here."""
    return not _SETTLED_LATER.isdisjoint(reasons_to_wait(year))


def _of_gaps(missing: Sequence[Gap]) -> list[str]:
    codes = {_gap_code(gap) for gap in missing}
    order = (
        "missing_marks",
        "make_up_due",
        "missing_conduct",
        "missing_traits",
        "missing_absences",
        "missing_comments",
    )
    return [code for code in order if code in codes]


def _gap_code(gap: Gap) -> str:
    if gap.column == "comment":
        return "missing_comments"
    if gap.subject != HOMEROOM:
        return "make_up_due" if gap.make_up_due else "missing_marks"
    if gap.column == "conduct":
        return "missing_conduct"
    return "missing_absences" if gap.column.startswith("absences") else "missing_traits"


def _of_results(year: PupilYear) -> list[str]:
    promotion = year.decisions.get("promotion")
    if year.choice.individual_plan:
        codes = [] if promotion else ["promotion_undecided"]
    elif promotion and promotion.value == "retained":
        codes = []  # The principal has ended the year; nothing of the summer is awaited any more.
    elif year.rules.level is Level.PRIMARY:
        codes = _of_primary(year)
    else:
        end = secondary_year(year).end
        waiting = {YearEnd.NEEDS_RETAKE: ["retake_in_summer"], YearEnd.NEEDS_SUMMER_TRAINING: ["summer_training"]}
        codes = waiting.get(end, []) if end else []
    return codes if codes or not decision_due(year) else ["completion_undecided"]


def _of_primary(year: PupilYear) -> list[str]:
    worked_out = primary_year(year)
    if worked_out.final is not PrimaryResult.INCOMPLETE or "promotion" in year.decisions:
        return []
    return ["promotion_undecided"] if worked_out.after is not None else ["supplement_in_summer"]
