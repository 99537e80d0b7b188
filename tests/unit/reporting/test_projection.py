"""Projection of enrolment: worked examples, and what too few years can't tell."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.projection import INTAKE, Progression, Projected, progressions, project, survival

# Grade 1 grows from 100 to 110; of it 90 and 99 come to grade 2 a year later, 90 % each time.
STEADY = {(2023, 1): 100, (2024, 1): 110, (2025, 1): 121, (2024, 2): 90, (2025, 2): 99}


def test_ratios_of_a_steady_cohort() -> None:
    assert progressions(STEADY) == [
        Progression(INTAKE, 2023, Decimal("1.1")),
        Progression(INTAKE, 2024, Decimal("1.1")),
        Progression(1, 2023, Decimal("0.9")),
        Progression(1, 2024, Decimal("0.9")),
    ]
    assert survival(progressions(STEADY), [1]) == Decimal("0.9")
    assert survival(progressions(STEADY), [1, 2]) is None


def test_steady_ratios_have_an_interval_of_rounding_alone() -> None:
    assert project(STEADY, 2) == [
        Projected(2026, 1, 133, 133, 134),
        Projected(2026, 2, 109, 108, 109),
        Projected(2027, 1, 146, 146, 147),
        Projected(2027, 2, 120, 119, 120),
    ]


def test_interval_of_two_ratios_by_hand() -> None:
    """Ratios 0.8 and 1.0: mean 0.9, s^2 = 0.02, relative variance 0.02 * 1.5 / 0.81; t with one degree of freedom is 12.706."""
    enrolled = {(2023, 1): 1000, (2024, 1): 1000, (2025, 1): 1000, (2024, 2): 800, (2025, 2): 1000}
    found = next(one for one in project(enrolled, 1) if one.grade == 2)
    half = 900 * (Decimal("0.03") / Decimal("0.81")).sqrt() * Decimal("12.706")
    assert (found.pupils, found.low, found.high) == (900, 0, int(900 + half) + 1)


def test_two_years_give_no_interval_and_one_year_nothing() -> None:
    two = {(2024, 1): 100, (2025, 1): 100, (2025, 2): 95}
    assert project(two, 1) == [Projected(2026, 1, 100, None, None), Projected(2026, 2, 95, None, None)]
    assert project({(2025, grade): 100 for grade in range(1, 13)}, 5) == []
    assert project({}, 5) == []


def test_years_that_do_not_follow_each_other_have_no_ratio() -> None:
    assert progressions({(2020, 1): 100, (2022, 1): 100, (2022, 2): 90}) == []


def test_a_grade_without_pupils_has_no_ratio() -> None:
    assert progressions({(2024, 6): 0, (2025, 7): 30, (2024, 8): 30, (2025, 9): 0}) == []


@given(st.dictionaries(st.tuples(st.integers(2020, 2025), st.integers(1, 12)), st.integers(0, 5000)), st.integers(1, 12))
def test_whatever_is_known_the_interval_holds_the_projection(enrolled: dict[tuple[int, int], int], ahead: int) -> None:
    for one in project(enrolled, ahead):
        assert one.pupils >= 0
        assert one.low is None or one.high is None or 0 <= one.low <= one.pupils <= one.high


@given(st.integers(1, 9))
def test_great_numbers_lead_to_the_same_shares(factor: int) -> None:
    enrolled = {key: pupils * 10**factor for key, pupils in STEADY.items()}
    assert [one.ratio for one in progressions(enrolled)] == [one.ratio for one in progressions(STEADY)]
