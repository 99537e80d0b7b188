"""Results of a secondary pupil by Thông tư 22/2021/TT-BGDĐT: averages, learning, conduct, promotion, titles.

Everything is a pure function over Decimal marks; nothing here knows of sheets, teachers or storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from services.grading.domain.rulesets import RuleSet
from services.grading.domain.terms import Standard, YearEnd

_TENTH = Decimal("0.1")
TOP_MARK = Decimal("10.0")


def half_up(value: Decimal) -> Decimal:
    """Round to one decimal, halves up: 8.25 becomes 8.3. `round()` would say 8.2."""
    return value.quantize(_TENTH, rounding=ROUND_HALF_UP)


def term_average(regular: Sequence[Decimal], midterm: Decimal, final: Decimal) -> Decimal:
    """ĐTBmhk = (sum of regular marks + 2 x mid-term + 3 x final) / (number of regular marks + 5); article 9.1a."""
    return half_up((sum(regular, Decimal(0)) + 2 * midterm + 3 * final) / (len(regular) + 5))


def year_average(term_1: Decimal, term_2: Decimal) -> Decimal:
    """ĐTBmcn = (ĐTBmhkI + 2 x ĐTBmhkII) / 3 over the already rounded term averages; article 9.1a."""
    return half_up((term_1 + 2 * term_2) / 3)


def term_verdict(verdicts: Iterable[bool], *, required: int) -> bool:
    """A comment subject is Đạt in a term iff it has the required assessments and every one is Đạt; article 9.1b."""
    given = list(verdicts)
    return len(given) >= required and all(given)


@dataclass(frozen=True, slots=True)
class Learning:
    """A learning result, and whether article 9.3 raised it."""

    standard: Standard
    adjusted: bool = False


def base_learning(scored: Sequence[Decimal], verdicts: Sequence[bool], rules: RuleSet) -> Standard:
    """The learning result of a term or year before any adjustment; article 9.2."""
    bars, enough = rules.secondary, rules.switches.strong_subjects_min
    if not scored:
        return Standard.FAIL
    lowest, failed = min(scored), sum(not verdict for verdict in verdicts)

    def strong(bar: Decimal) -> bool:
        return sum(mark >= bar for mark in scored) >= enough

    if failed == 0 and lowest >= bars.good_all and strong(bars.good_strong):
        return Standard.GOOD
    if failed == 0 and lowest >= bars.fair_all and strong(bars.fair_strong):
        return Standard.FAIR
    if failed <= 1 and lowest >= bars.pass_all and strong(bars.pass_strong):
        return Standard.PASS
    return Standard.FAIL


def learning(scored: Sequence[Decimal], verdicts: Sequence[bool], rules: RuleSet) -> Learning:
    """The learning result after article 9.3: one step up when one subject alone pulled it down by two or more.

    The counterfactual asks what the result were if that one subject were fine; only Tốt and Khá are bars that count,
    and the pupil never gets back more than one step.
    """
    base = base_learning(scored, verdicts, rules)
    for hypothetical in _without_one(scored, verdicts, base, rules):
        if hypothetical >= Standard.FAIR and hypothetical - base >= 2:
            return Learning(Standard(base + 1), adjusted=True)
    return Learning(base)


def _without_one(scored: Sequence[Decimal], verdicts: Sequence[bool], base: Standard, rules: RuleSet) -> Iterable[Standard]:
    if base > Standard.PASS:
        return  # A drop of two needs room for it.
    remove = rules.switches.adjustment_reading == "remove"
    for index in range(len(scored)):
        others = [*scored[:index], *scored[index + 1 :]]
        yield base_learning(others if remove else [*others, TOP_MARK], verdicts, rules)
    if rules.switches.adjustment_counts_comment_subjects:
        for index, verdict in enumerate(verdicts):
            if not verdict:
                yield base_learning(scored, [*verdicts[:index], *verdicts[index + 1 :]], rules)


# Rows are the second term, columns the first, both from Chưa đạt to Tốt; article 8.2b.
_CONDUCT = (
    (Standard.FAIL, Standard.FAIL, Standard.FAIL, Standard.FAIL),
    (Standard.PASS, Standard.PASS, Standard.PASS, Standard.FAIR),
    (Standard.PASS, Standard.FAIR, Standard.FAIR, Standard.FAIR),
    (Standard.FAIR, Standard.FAIR, Standard.GOOD, Standard.GOOD),
)


def year_conduct(term_1: Standard, term_2: Standard) -> Standard:
    """Conduct of the year out of both terms; article 8.2b."""
    return _CONDUCT[term_2][term_1]


def must_retake(result: Decimal | bool, rules: RuleSet) -> bool:
    """Whether a subject's year result is one of those assessed again in the summer; article 14."""
    return not result if isinstance(result, bool) else result < rules.secondary.retake_below


@dataclass(frozen=True, slots=True)
class YearFacts:
    """What promotion looks at. The summer's facts are None until they are there."""

    conduct: Standard
    learning: Standard
    absences: int
    conduct_after: Standard | None = None
    learning_after: Standard | None = None


def year_end(facts: YearFacts, rules: RuleSet) -> YearEnd:
    """Where the pupil stands; articles 12 to 14.

    More than the allowed absences can't be remedied, nor can conduct and learning both at Chưa đạt.
    """
    if facts.absences > rules.switches.absences_max:
        return YearEnd.RETAINED
    conduct_ok, learning_ok = facts.conduct >= Standard.PASS, facts.learning >= Standard.PASS
    if conduct_ok and learning_ok:
        return YearEnd.PROMOTED
    if not conduct_ok and not learning_ok:
        return YearEnd.RETAINED
    after = facts.learning_after if conduct_ok else facts.conduct_after
    if after is None:
        return YearEnd.NEEDS_RETAKE if conduct_ok else YearEnd.NEEDS_SUMMER_TRAINING
    return YearEnd.PROMOTED if after >= Standard.PASS else YearEnd.RETAINED


def title(conduct: Standard, learned: Standard, scored: Sequence[Decimal], rules: RuleSet) -> str | None:
    """Title at the end of the year, or None; article 15.1. There is no "Học sinh Tiên tiến" any more."""
    if conduct is not Standard.GOOD or learned is not Standard.GOOD:
        return None
    excellent = sum(mark >= rules.secondary.excellent for mark in scored)
    return "Học sinh Xuất sắc" if excellent >= rules.switches.strong_subjects_min else "Học sinh Giỏi"
