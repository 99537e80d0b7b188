"""Goals decide a load run's exit code, so each way to miss one is tried here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests import goals

ROOT = Path(goals.__file__).parent


def verdict_of(goal: dict[str, Any], measured: dict[str, float]) -> goals.Verdict:
    (parsed,) = goals.parse({"goals": [{"name": "one", **goal}]})
    return parsed.judge(measured)


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        ({"measure": "p95", "at_most": 300}, {"p95": 300.0}, True),
        ({"measure": "p95", "at_most": 300}, {"p95": 300.5}, False),
        ({"measure": "rate", "at_least": 10}, {"rate": 10.0}, True),
        ({"measure": "rate", "at_least": 10}, {"rate": 9.0}, False),
        ({"measure": "stored", "same_as": "accepted"}, {"stored": 7.0, "accepted": 7.0}, True),
        ({"measure": "stored", "same_as": "accepted"}, {"stored": 6.0, "accepted": 7.0}, False),
        ({"measure": "stored", "same_as": "accepted"}, {"stored": 8.0, "accepted": 7.0}, False),
    ],
)
def test_bound_is_judged_exactly(goal: dict[str, Any], measured: dict[str, float], met: bool) -> None:
    assert verdict_of(goal, measured).met is met


@pytest.mark.parametrize(
    ("goal", "measured"),
    [
        ({"measure": "p95", "at_most": 300}, {}),
        ({"measure": "p95", "at_most": 300}, {"p95": math.nan}),
        ({"measure": "stored", "same_as": "accepted"}, {"stored": 0.0}),
        ({"measure": "stored", "same_as": "accepted"}, {"accepted": 0.0}),
    ],
)
def test_missing_measure_misses_the_goal(goal: dict[str, Any], measured: dict[str, float]) -> None:
    verdict = verdict_of(goal, measured)
    assert not verdict.met
    assert "was not measured" in verdict.remark


def test_one_missed_goal_fails_the_run() -> None:
    met = verdict_of({"measure": "a", "at_most": 1}, {"a": 1.0})
    missed = verdict_of({"measure": "a", "at_most": 0}, {"a": 1.0})
    assert goals.exit_code([met, met]) == 0
    assert goals.exit_code([met, missed]) == 1
    assert goals.exit_code([]) == 1, "a run that judged nothing proves nothing"


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"goals": []},
        {"goals": [{"name": "x", "measure": "y"}]},
        {"goals": [{"name": "x", "measure": "y", "at_most": 1, "at_least": 0}]},
        {"goals": [{"name": "x", "measure": "y", "at_mots": 1}]},
        {"goals": [{"name": "x", "measure": "y", "at_most": "1"}]},
        {"goals": [{"name": "x", "measure": "y", "at_most": True}]},
        {"goals": [{"name": "x", "measure": "y", "at_most": math.inf}]},
        {"goals": [{"name": "x", "measure": "y", "same_as": 1}]},
        {"goals": ["p95 < 300"]},
        {"goals": [{"name": "x", "measure": "y", "at_most": 1}], "golas": []},
    ],
)
def test_malformed_goals_are_refused(document: Any) -> None:
    with pytest.raises(goals.BadGoals):
        goals.parse(document)


def test_committed_goals_are_readable_and_bound_what_matters() -> None:
    read = goals.read(ROOT / "goals.yaml")
    measures = {goal.measure for goal in read}
    assert {
        "marks.stored",
        "transcripts.archived",
        "arrivals.dropped",
        "sheet.p95_ms",
        "seal_to_archive.p95_s",
    } <= measures
    assert len({goal.name for goal in read}) == len(read)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1, 100))
def test_percentile_is_the_nearest_rank(values: list[float], percent: float) -> None:
    found = goals.percentile(values, percent)
    assert found in values
    not_above = sum(1 for value in values if value <= found)
    assert not_above * 100 >= percent * len(values) - 1e-6


def test_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(goals.percentile([], 95))
