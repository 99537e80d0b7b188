"""How unlocks go: any order of the steps gives the same facts, and each unlock is exactly one thing now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.adapters.tally_json import unlock_from_json, unlock_to_json
from services.reporting.domain.unlock_life import DURATIONS, MEASURES, OUTCOMES, UNLOCKS, Step, UnlockLife

START = datetime(2026, 4, 30, 18, tzinfo=UTC)
STATES = (
    "confirmed",
    "reported",
    "acknowledged",
    "objected",
    "granting",
    "granted",
    "corrected",
    "expired",
    "withdrawn",
    "sealed",
    "refused",
    "cancelled",
    "lapsed",
)
LIVES = st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 5000)), max_size=7)


def steps_of(told: list[tuple[str, int]], reason: str = "remarked") -> list[Step]:
    found, at = [], START
    for version, (state, minutes) in enumerate([("requested", 0), *told], start=1):
        at += timedelta(minutes=minutes)
        found.append(Step(version, state, at.isoformat(), "s1", reason))
    return found


def life(steps: list[Step]) -> UnlockLife:
    facts = UNLOCKS.nothing
    for step in steps:
        facts = UNLOCKS.told(facts, step)
    return facts


def measures(facts: UnlockLife) -> dict[str, int]:
    return {count.measure: amount for count, amount in UNLOCKS.counts(facts, START)[0].items()}


@given(LIVES, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing_and_each_unlock_is_one_thing(told: list[tuple[str, int]], chance: object) -> None:
    steps = steps_of(told)
    shuffled = [*steps, *steps]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # A random.Random.
    facts = life(steps)
    assert life(shuffled) == facts
    assert unlock_from_json(unlock_to_json(facts)) == facts
    found = measures(facts)
    assert set(found) <= set(MEASURES)
    assert sum(found.get(outcome, 0) for outcome in OUTCOMES) == found["requested"] == 1
    assert sum(found.get(duration, 0) for duration, _ in DURATIONS) == found.get("closed", 0) <= found.get("opened", 0)


@pytest.mark.parametrize(
    ("minutes", "duration"), [(60, "within_1_hour"), (61, "within_4_hours"), (240, "within_4_hours"), (1440, "within_1_day"), (1441, "longer")]
)
def test_how_long_it_stood_open_is_from_the_grant_to_its_end(minutes: int, duration: str) -> None:
    found = measures(life(steps_of([("confirmed", 300), ("granted", 7), ("expired", minutes), ("sealed", 9)])))
    assert found == {"requested": 1, "sealed": 1, "opened": 1, "closed": 1, "open_seconds": 60 * minutes, duration: 1}


def test_it_counts_in_the_month_of_its_request_in_viet_nam_and_nowhere_before_that_is_told() -> None:
    steps = steps_of([("granted", 60)])
    assert {count.period for count in UNLOCKS.counts(life(steps), START)[0]} == {"2026-05"}
    assert UNLOCKS.counts(life(steps[1:]), START) == ({}, None)
    assert measures(life(steps)) == {"requested": 1, "open": 1, "opened": 1}


def test_a_state_of_a_newer_locking_is_still_under_way_and_no_reason_is_another_one() -> None:
    facts = life(steps_of([("pondered", 1)], reason=""))
    assert measures(facts) == {"requested": 1, "pending": 1}
    assert {count.kind for count in UNLOCKS.counts(facts, START)[0]} == {"other"}
