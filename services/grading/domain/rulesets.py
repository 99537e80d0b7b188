"""Rule sets as versioned data: which circular judges a grade in a school year, its bars, and its open readings.

A rule set is chosen by (grade, school year), never by "today": the law changes every year and late results of an old
year are judged by the old text. Readings that the text leaves open, and facts that could not be verified, are fields
of `Switches`, and a deployment may override each of them (see `with_switches`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from functools import cache
from typing import Any

from services.grading.domain.errors import BadInput, NotAllowed
from services.grading.domain.terms import Level, level_of_grade


@dataclass(frozen=True, slots=True)
class Switches:
    """Readings that are open or could not be verified; the defaults follow prevailing practice."""

    # Article 9.3 says "môn học": does a comment subject count as the single one that pulled the result down?
    adjustment_counts_comment_subjects: bool = True
    # "Only because of one subject": compare with that subject made good ("replace") or left out ("remove").
    adjustment_reading: str = "replace"
    # "06 môn học" of articles 9.2 and 15; continuing education has fewer subjects (Thông tư 43/2021).
    strong_subjects_min: int = 6
    # Half-day sessions; article 12.1c.
    absences_max: int = 45
    # Regular assessments of a comment subject each term; article 6.
    regular_comments: int = 2
    # Primary: the levels of the two mid-term moments of subjects, and of qualities and competences.
    midterm_levels_required: bool = True
    midterm_traits_required: bool = False
    subject_comment_required: bool = True
    homeroom_comment_required: bool = True
    # Electives out of the nine of upper secondary school.
    electives_required: int = 4
    # Completion of a level (Luật 123/2025/QH15); the implementing text was not at hand.
    completion_decision_grades: tuple[int, ...] = (5, 9)
    completion_age_max: int = 21
    completion_refuses_failed_subject: bool = True
    # Without the twelve-digit number a transcript waits; switch off where schools may issue without it.
    personal_number_required: bool = True
    # Levels in which the subject teacher signs each class-subject sheet. In primary school the homeroom teacher answers for all of it.
    signed_sheet_levels: tuple[str, ...] = ("LOWER_SECONDARY", "UPPER_SECONDARY")

    def __post_init__(self) -> None:
        if self.adjustment_reading not in ("replace", "remove"):
            raise BadInput("bad_switch", f"adjustment_reading is {self.adjustment_reading!r}; use replace or remove")
        levels = {level.value for level in Level}
        if unknown := set(self.signed_sheet_levels) - levels:
            raise BadInput("bad_switch", f"signed_sheet_levels names {', '.join(sorted(unknown))}; levels are {', '.join(sorted(levels))}")


@dataclass(frozen=True, slots=True)
class SecondaryBars:
    """Numbers of Thông tư 22/2021/TT-BGDĐT, articles 6, 7, 9, 14 and 15."""

    good_all: Decimal = Decimal("6.5")
    good_strong: Decimal = Decimal("8.0")
    fair_all: Decimal = Decimal("5.0")
    fair_strong: Decimal = Decimal("6.5")
    pass_all: Decimal = Decimal("3.5")
    pass_strong: Decimal = Decimal("5.0")
    retake_below: Decimal = Decimal("5.0")
    excellent: Decimal = Decimal("9.0")
    # Lessons a year up to and including the first number: so many regular marks a term.
    regular_marks: tuple[tuple[int, int], ...] = ((35, 2), (70, 3))
    regular_marks_beyond: int = 4
    # A cluster of specialised topics (cụm chuyên đề) adds lessons to its subject.
    cluster_lessons: int = 35

    def regular_marks_of(self, lessons: int) -> int:
        """Regular marks a term of a subject with so many lessons a year; article 6."""
        return next((marks for limit, marks in self.regular_marks if lessons <= limit), self.regular_marks_beyond)


@dataclass(frozen=True, slots=True)
class PrimaryBars:
    """Numbers of Thông tư 27/2020/TT-BGDĐT, article 9.2a: the least end-of-year mark for each result."""

    excellent: int = 9
    well: int = 7
    complete: int = 5


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One circular as applied to one level; `first_year` says from which school year each grade follows it."""

    code: str
    title: str
    level: Level
    first_year: Mapping[int, int]
    switches: Switches = Switches()
    secondary: SecondaryBars = SecondaryBars()
    primary: PrimaryBars = PrimaryBars()

    def __hash__(self) -> int:
        # Layouts are looked up by rule set hundreds of times a pupil; equality still compares everything.
        return hash((self.code, self.level))

    def printed_switches(self) -> dict[str, Any]:
        """The switches as plain JSON types, for the record."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.switches).items()}


REGISTRY = (
    RuleSet("TT27-2020", "Thông tư 27/2020/TT-BGDĐT", Level.PRIMARY, {1: 2020, 2: 2021, 3: 2022, 4: 2023, 5: 2024}),
    RuleSet("TT22-2021", "Thông tư 22/2021/TT-BGDĐT", Level.LOWER_SECONDARY, {6: 2021, 7: 2022, 8: 2023, 9: 2024}),
    RuleSet("TT22-2021", "Thông tư 22/2021/TT-BGDĐT", Level.UPPER_SECONDARY, {10: 2022, 11: 2023, 12: 2024}),
)


@cache
def rule_set_for(grade: int, school_year: int) -> RuleSet:
    """The rule set that judges this grade in this school year (its first calendar year).

    Raises NotAllowed for years under older circulars, which are not computed here.
    """
    level = level_of_grade(grade)
    for rules in REGISTRY:
        if rules.level is level and school_year >= rules.first_year[grade]:
            return rules
    older = "Thông tư 30/2014 and 22/2016" if level is Level.PRIMARY else "Thông tư 58/2011 and 26/2020"
    raise NotAllowed(
        "rule_set_archived",
        f"grade {grade} in {school_year}-{school_year + 1} was judged by {older}, whose results are kept but not "
        "computed; enter such a year as an archived transcript",
    )


def with_switches(rules: RuleSet, overrides: Mapping[str, Any]) -> RuleSet:
    """The same rules under other readings; an unknown switch raises BadInput that lists the known ones."""
    known = {field.name for field in fields(Switches)}
    if unknown := sorted(set(overrides) - known):
        raise BadInput("bad_switch", f"no switch named {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in overrides.items()}
    return replace(rules, switches=replace(rules.switches, **given))
