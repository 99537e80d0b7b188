"""Enrolment of coming years by grade, from the enrolments of past ones: cohort survival by grade progression ratios, with intervals.

*Grade progression ratio*: pupils of grade g + 1 in a year over those of grade g in the year before. Repeaters, leavers and those who move in are all in
it: it is the apparent cohort method, and not the reconstructed cohort, which needs repeaters by grade, that nobody tells reporting (UNESCO Institute for
Statistics, Education Indicators: Technical Guidelines, 2009, "Survival rate by grade"). Of the first grade the ratio is that of its pupils over those of the
year before.

*Projection*: the mean ratio m of each step, one step for each year ahead. *Interval*: each step adds the relative variance s^2 (1 + 1/n) / m^2 of a single new
ratio of n known ones (delta method, steps independent of each other); its half width is Student's t at 97.5 % with the degrees of freedom of the step that
has the fewest ratios. So it holds 95 % if coming years differ as much as past ones did, and knows nothing of a reform or of births.
One ratio has no variance: with two years there is a projection without interval, with one none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

LAST_GRADE = 12
INTAKE = 0
"""The grade from which the first grade comes."""
# Student's t, two-sided 95 %, in thousandths, by degrees of freedom from 1; beyond the list the last, which is a little wide.
_STUDENT = (
    *(12706, 4303, 3182, 2776, 2571, 2447, 2365, 2306, 2262, 2228, 2201, 2179, 2160, 2145, 2131),
    *(2120, 2110, 2101, 2093, 2086, 2080, 2074, 2069, 2064, 2060, 2056, 2052, 2048, 2045, 2042),
)

Enrolments = Mapping[tuple[int, int], int]
"""(school year, grade) -> pupils."""


@dataclass(frozen=True, slots=True)
class Progression:
    """How many of a grade were in the next one a year later, as a ratio; `grade` 0 is the intake."""

    grade: int
    school_year: int
    ratio: Decimal


@dataclass(frozen=True, slots=True)
class Projected:
    """A grade's pupils in a coming year; the bounds are None where one ratio alone is known."""

    school_year: int
    grade: int
    pupils: int
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    mean: Decimal
    relative_variance: Decimal | None
    freedom: int


def progressions(enrolled: Enrolments) -> list[Progression]:
    """The ratio of every pair of years that follow each other, by grade and year. A grade without pupils has none."""
    found = []
    for (year, grade), pupils in enrolled.items():
        for before, after in ((INTAKE, 1), (grade, grade + 1)):
            if pupils and (before or grade == 1) and (later := enrolled.get((year + 1, after))):
                found.append(Progression(before, year, Decimal(later) / pupils))
    return sorted(found, key=lambda one: (one.grade, one.school_year))


def project(enrolled: Enrolments, years_ahead: int) -> list[Projected]:
    """The years after the last known one, by year and grade; a grade that no known ratios lead to is left out."""
    base = max((year for (year, _), pupils in enrolled.items() if pupils), default=0)
    steps = _steps(progressions(enrolled))
    found = []
    for ahead in range(1, years_ahead + 1):
        for grade in range(1, LAST_GRADE + 1):
            start, way = _way(grade, ahead)
            pupils = enrolled.get((base, start), 0)
            if pupils and all(step in steps for step in way):
                found.append(_projected(base + ahead, grade, pupils, [steps[step] for step in way]))
    return found


def survival(ratios: Sequence[Progression], grades: Sequence[int]) -> Decimal | None:
    """The share of a cohort that goes all these steps, by mean ratios; None while one of them isn't known."""
    steps, product = _steps(ratios), Decimal(1)
    for grade in grades:
        if grade not in steps:
            return None
        product *= steps[grade].mean
    return product


def _way(grade: int, ahead: int) -> tuple[int, list[int]]:
    """(the grade of the last known year that this one comes from, the steps between)."""
    start = grade - ahead
    if start >= 1:
        return start, list(range(start, grade))
    # Not at school yet: as many years of intake as are lacking, then up the grades.
    return 1, [INTAKE] * (1 - start) + list(range(1, grade))


def _steps(ratios: Sequence[Progression]) -> dict[int, _Step]:
    found = {}
    for grade in {one.grade for one in ratios}:
        known = [one.ratio for one in ratios if one.grade == grade]
        mean = sum(known, Decimal(0)) / len(known)
        variance = None
        if len(known) > 1:
            variance = sum(((ratio - mean) ** 2 for ratio in known), Decimal(0)) / (len(known) - 1)
            variance *= (1 + Decimal(1) / len(known)) / mean**2
        found[grade] = _Step(mean, variance, len(known) - 1)
    return found


def _projected(school_year: int, grade: int, pupils: int, way: Sequence[_Step]) -> Projected:
    expected = Decimal(pupils)
    for step in way:
        expected *= step.mean
    known = list(_variances(way))
    if len(known) < len(way):
        return Projected(school_year, grade, _whole(expected, ROUND_HALF_UP), None, None)
    freedom = min(step.freedom for step in way)
    half = expected * sum(known, Decimal(0)).sqrt() * _STUDENT[min(freedom, len(_STUDENT)) - 1] / 1000
    return Projected(
        school_year, grade, _whole(expected, ROUND_HALF_UP), _whole(max(expected - half, Decimal(0)), ROUND_FLOOR), _whole(expected + half, ROUND_CEILING)
    )


def _variances(way: Sequence[_Step]) -> Iterator[Decimal]:
    return (step.relative_variance for step in way if step.relative_variance is not None)


def _whole(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding))
