"""Results of a primary pupil by Thông tư 27/2020/TT-BGDĐT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.grading.domain.rulesets import RuleSet
from services.grading.domain.terms import Completion, PrimaryResult, Trait


@dataclass(frozen=True, slots=True)
class YearEndState:
    """What the year-end result looks at: levels, traits and end-of-year test marks; earlier moments don't count."""

    levels: Sequence[Completion]
    traits: Sequence[Trait]
    marks: Sequence[int]


def year_result(state: YearEndState, rules: RuleSet) -> PrimaryResult:
    """The result of the year, best first; article 9.2a."""
    bars, lowest = rules.primary, min(state.marks, default=10)
    best = all(level is Completion.WELL for level in state.levels) and all(t is Trait.GOOD for t in state.traits)
    if best and lowest >= bars.excellent:
        return PrimaryResult.EXCELLENT
    if best and lowest >= bars.well:
        return PrimaryResult.WELL
    enough = min(state.levels, default=Completion.INCOMPLETE) >= Completion.COMPLETE
    if enough and min(state.traits, default=Trait.NEEDS_EFFORT) >= Trait.PASS and lowest >= bars.complete:
        return PrimaryResult.COMPLETE
    return PrimaryResult.INCOMPLETE


def class_completed(result: PrimaryResult) -> bool:
    """Whether the class programme counts as completed (HTCTLH); article 11.1."""
    return result >= PrimaryResult.COMPLETE


EXEMPLARY = "Học sinh Tiêu biểu hoàn thành tốt trong học tập và rèn luyện"


def title(result: PrimaryResult, *, recognised_as_exemplary: bool) -> str | None:
    """Title at the end of the year, or None; article 13.1.

    The second title needs the class's recognition, a human judgement that can't be computed.
    """
    if result is PrimaryResult.EXCELLENT:
        return "Học sinh Xuất sắc"
    return EXEMPLARY if result is PrimaryResult.WELL and recognised_as_exemplary else None
