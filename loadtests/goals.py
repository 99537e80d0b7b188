"""
Goals a run must reach, read from a file, and the verdict over what was measured.

A measure that is missing is a goal that is missed: a run in which the observer died proves nothing, and must not pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BOUNDS = ("at_most", "at_least", "same_as")


class BadGoals(ValueError):
    """The goals file can't be read as goals; the message says which entry and why."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One bound on one measure: `at_most`, `at_least`, or `same_as` (which names another measure)."""

    name: str
    measure: str
    bound: str
    value: float | str

    def judge(self, measured: Mapping[str, float]) -> Verdict:
        """Say whether `measured` meets this goal, and if not, why."""
        found = _known(measured, self.measure)
        if found is None:
            return Verdict(self, None, None, met=False, remark=f"{self.measure} was not measured")
        limit = _known(measured, self.value) if isinstance(self.value, str) else self.value
        if limit is None:
            return Verdict(self, found, None, met=False, remark=f"{self.value} was not measured")
        if self.bound == "at_most":
            met = found <= limit
        elif self.bound == "at_least":
            met = found >= limit
        else:
            met = found == limit
        remark = "" if met else f"{found:g} is not {self.bound.replace('_', ' ')} {limit:g}"
        return Verdict(self, found, limit, met, remark)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal beside what was measured. `found` or `limit` is None when it was not measured."""

    goal: Goal
    found: float | None
    limit: float | None
    met: bool
    remark: str


def read(path: Path) -> list[Goal]:
    """Return the goals of a YAML file, in its order. Raises BadGoals for anything that is not exactly a goal."""
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))


def parse(document: Any, where: str = "goals") -> list[Goal]:
    """Return the goals of a document already read: a mapping with the single key `goals`, a list of mappings."""
    if not isinstance(document, dict) or set(document) != {"goals"} or not isinstance(document["goals"], list):
        raise BadGoals(f"{where}: expected one key `goals` with a list under it")
    if not document["goals"]:
        raise BadGoals(f"{where}: no goal is set; a run without goals would always pass")
    return [_goal(entry, f"{where}: goal {number}") for number, entry in enumerate(document["goals"], start=1)]


def judge(goals: Sequence[Goal], measured: Mapping[str, float]) -> list[Verdict]:
    """Return one verdict per goal, in order."""
    return [goal.judge(measured) for goal in goals]


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 0 when there are verdicts and all of them are met, else 1."""
    return 0 if verdicts and all(verdict.met for verdict in verdicts) else 1


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of `values` do not exceed (nearest rank); NaN when there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _known(measured: Mapping[str, float], measure: str) -> float | None:
    found = measured.get(measure)
    return None if found is None or math.isnan(found) else found


def _goal(entry: Any, where: str) -> Goal:
    if not isinstance(entry, dict):
        raise BadGoals(f"{where}: expected a mapping, got {entry!r}")
    bounds = [bound for bound in BOUNDS if bound in entry]
    unknown = sorted(set(entry) - {"name", "measure", *BOUNDS})
    if unknown or len(bounds) != 1 or not all(isinstance(entry.get(key), str) for key in ("name", "measure")):
        raise BadGoals(f"{where}: expected name, measure and exactly one of {', '.join(BOUNDS)}; got {sorted(entry)}")
    value = entry[bounds[0]]
    if bounds[0] == "same_as":
        if not isinstance(value, str):
            raise BadGoals(f"{where}: same_as names another measure, got {value!r}")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadGoals(f"{where}: {bounds[0]} is a number, got {value!r}")
    return Goal(entry["name"], entry["measure"], bounds[0], value)
