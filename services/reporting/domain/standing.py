"""Where a pupil's transcript stands, what keeps it from the archive, and who must act: a pure function of the facts."""

from collections.abc import Container
from dataclasses import dataclass
from enum import IntFlag

from services.reporting.domain.facts import HOMEROOM_TEACHER, PRINCIPAL, ROLES, SCHOOL_SEAL, Facts, Outcome


class Step(IntFlag):
    """The steps of a transcript. Stored as a number: values are never reused."""

    NONE = 0
    ENROLLED = 1
    READY = 2
    """Marks and everything else the form needs are complete, as grading said when it sealed the class."""
    SEALED = 4
    APPROVED_HOMEROOM = 8
    APPROVED_PRINCIPAL = 16
    APPROVED_SEAL = 32
    SIGNED_HOMEROOM = 64
    SIGNED_PRINCIPAL = 128
    SIGNED_SEAL = 256
    ARCHIVED = 512
    REJECTED = 1024
    IDENTITY_VERIFIED = 2048
    """The population register knows this person as enrollment does."""
    SUBMITTED = 4096
    """Handed over to the national register."""
    ACKNOWLEDGED = 8192
    """Taken over by the national register."""
    IDENTITY_CONTRADICTORY = 16384
    """The population register knows the number, and another person by it."""
    IDENTITY_UNKNOWN = 32768
    """The population register doesn't know the number."""
    WITHOUT_NUMBER = 65536
    """Enrollment has no personal number of the pupil."""
    IDENTITY_UNCHECKED = 131072
    """There is a number, and nobody has asked the population register about it."""
    WITHOUT_GENDER = 262144
    WITHOUT_BIRTH_DATE = 524288
    WITHOUT_BIRTH_PLACE = 1048576
    WITHOUT_ETHNICITY = 2097152
    WITHOUT_MINISTRY_CODE = 4194304


APPROVED = {HOMEROOM_TEACHER: Step.APPROVED_HOMEROOM, PRINCIPAL: Step.APPROVED_PRINCIPAL, SCHOOL_SEAL: Step.APPROVED_SEAL}
SIGNED = {HOMEROOM_TEACHER: Step.SIGNED_HOMEROOM, PRINCIPAL: Step.SIGNED_PRINCIPAL, SCHOOL_SEAL: Step.SIGNED_SEAL}
_SIGNED = Step.SIGNED_HOMEROOM | Step.SIGNED_PRINCIPAL | Step.SIGNED_SEAL
_MISSING = {
    "gender": Step.WITHOUT_GENDER,
    "birth_date": Step.WITHOUT_BIRTH_DATE,
    "birth_place": Step.WITHOUT_BIRTH_PLACE,
    "ethnicity": Step.WITHOUT_ETHNICITY,
    "ministry_code": Step.WITHOUT_MINISTRY_CODE,
}
_IDENTITY = {"matched": Step.IDENTITY_VERIFIED, "mismatched": Step.IDENTITY_CONTRADICTORY, "unknown": Step.IDENTITY_UNKNOWN}
MEASURES: dict[str, Step] = {str(step.name).lower(): step for step in Step if step}
"""The name of each step's counter."""

WHO_ACTS: dict[str, str] = {
    "missing_marks": "subject_teacher",
    "make_up_due": "subject_teacher",
    "missing_conduct": "homeroom_teacher",
    "missing_traits": "homeroom_teacher",
    "missing_absences": "homeroom_teacher",
    "missing_comments": "homeroom_teacher",
    "electives_not_chosen": "registrar",
    "no_personal_number": "registrar",
    "transfer_under_way": "registrar",
    "retake_in_summer": "subject_teacher",
    "supplement_in_summer": "subject_teacher",
    "summer_training": "homeroom_teacher",
    "promotion_undecided": "principal",
    "completion_undecided": "principal",
    "not_sealed": "subject_teacher",
    "revoked": "principal",
    "rejected": "system_operator",
    "signing_failed": "registrar",
    "awaiting_subject_teacher": "subject_teacher",
    "awaiting_homeroom_teacher": "homeroom_teacher",
    "awaiting_principal": "principal",
    "awaiting_school_seal": "clerk",
    "signing_under_way": "system",
    "archiving_under_way": "system",
}
"""Who can end each reason; the order is the order in which a pupil's one reason is chosen among several."""
SOMEBODY = "homeroom_teacher"
"""Who acts on a reason that this version of reporting doesn't know yet."""
_INCOMPLETE = frozenset(("missing_marks", "make_up_due", "missing_conduct", "missing_traits", "missing_absences", "missing_comments", "electives_not_chosen"))
_RANK = {reason: rank for rank, reason in enumerate(WHO_ACTS)}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a pupil counts, which steps are done, and the one reason why the latest version isn't archived ("" if it is)."""

    class_id: str
    school_id: str
    """As enrollment told it; the class itself knows better once it is known."""
    steps: Step
    reason: str


NOWHERE = Standing("", "", Step.NONE, "")
"""Of a pupil who counts in no class: left before being sealed, or not heard of yet."""


def standing_of(facts: Facts, lacking_sheets: Container[str] = ()) -> Standing:
    """The standing that follows from the facts, and from whether a class-subject sheet of the pupil's class lacks its signature.

    A pupil counts in the class that sealed the newest version, else in the class of the enrolment: the school that
    sealed the year finishes it, wherever the pupil has gone since.
    """
    version, sealing_class = facts.sealed
    placed = facts.placed
    here = placed is not None and placed.active
    if not version and (placed is None or not here):
        return NOWHERE
    class_id = sealing_class if version else (placed.class_id if placed else "")
    school_id = placed.school_id if placed is not None and placed.class_id == class_id else ""
    outcome = facts.outcomes.get(class_id)
    steps = Step.ENROLLED | _identity(facts)
    if outcome is not None and not _INCOMPLETE & set(outcome.reasons):
        steps |= Step.READY
    if version and outcome is not None and outcome.sealed:
        steps |= Step.SEALED
    if version:
        steps |= _progress(facts, version)
    return Standing(class_id, school_id, steps, "" if Step.ARCHIVED in steps else _reason(facts, version, outcome, steps, class_id in lacking_sheets))


def who_acts(reason: str) -> str:
    """The role that can end the reason; "" for no reason."""
    return WHO_ACTS.get(reason, SOMEBODY) if reason else ""


def _identity(facts: Facts) -> Step:
    if facts.identified is None:
        return Step.NONE
    steps = _IDENTITY.get(facts.identified.state, Step.NONE)
    if not facts.identified.has_number:
        steps |= Step.WITHOUT_NUMBER
    elif facts.identified.state == "unchecked":
        steps |= Step.IDENTITY_UNCHECKED
    for name in facts.identified.missing:
        steps |= _MISSING.get(name, Step.NONE)
    return steps


def _progress(facts: Facts, version: int) -> Step:
    steps = Step.NONE
    for role in ROLES:
        if facts.approved.get(role, 0) >= version or facts.signed.get(role, 0) >= version:
            steps |= APPROVED[role]
        if facts.signed.get(role, 0) >= version:
            steps |= SIGNED[role]
    if facts.submitted >= version or facts.acknowledged >= version:
        steps |= Step.SUBMITTED
    if facts.acknowledged >= version:
        steps |= Step.ACKNOWLEDGED
    if facts.archived >= version and facts.revoked < facts.archived:
        return steps | Step.ARCHIVED
    if facts.revoked < version and facts.rejected is not None and facts.rejected.version >= version:
        steps |= Step.REJECTED
    return steps


def _reason(facts: Facts, version: int, outcome: Outcome | None, steps: Step, lacks_sheets: bool) -> str:
    if outcome is not None and not outcome.sealed and outcome.reasons:
        return min(outcome.reasons, key=lambda reason: (_RANK.get(reason, len(_RANK)), reason))
    if not version:
        without_number = facts.identified is not None and not facts.identified.has_number
        return "no_personal_number" if without_number else "not_sealed"
    if facts.revoked >= version:
        return "revoked"
    if Step.REJECTED in steps:
        return "rejected"
    for role in ROLES:
        if SIGNED[role] in steps:
            continue
        trouble = facts.unsigned.get(role)
        if trouble is not None and trouble.version >= version:
            return "signing_failed"
        if lacks_sheets and not steps & _SIGNED:
            return "awaiting_subject_teacher"
        return "signing_under_way" if APPROVED[role] in steps else f"awaiting_{role}"
    return "archiving_under_way"
