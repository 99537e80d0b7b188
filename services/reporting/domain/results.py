"""Results by level: what a class's tally says, and what it changes in the counters of its province."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

STANDARDS = ("good", "fair", "pass", "fail")
"""Tốt, Khá, Đạt, Chưa đạt: học tập and rèn luyện (Thông tư 22/2021/TT-BGDĐT, articles 8 and 9)."""
RESULTS = ("excellent", "well", "complete", "incomplete")
"""Hoàn thành xuất sắc, tốt, hoàn thành, chưa: kết quả giáo dục in primary school (Thông tư 27/2020/TT-BGDĐT, article 9)."""
COMPLETIONS = ("well", "complete", "incomplete")
"""T, H, C: a subject in primary school (Thông tư 27/2020/TT-BGDĐT, article 7)."""
VERDICTS = ("pass", "fail")
"""Đạt, Chưa đạt: a subject judged by comments."""
BANDS = ("from_8_0", "from_6_5", "from_5_0", "from_3_5", "below_3_5")
"""Marks of a scored subject, by the bounds of Thông tư 22/2021/TT-BGDĐT, article 9.2."""
PROMOTIONS = ("promoted", "not_promoted")
_SCALES = {"learning": (STANDARDS,), "conduct": (STANDARDS,), "result": (RESULTS,), "promotion": (PROMOTIONS,)}
_OF_SUBJECTS = (BANDS, VERDICTS, COMPLETIONS)
_RANK = {level: rank for rank, level in enumerate(dict.fromkeys((*RESULTS, *STANDARDS, *PROMOTIONS, *BANDS)))}
_ITEM_RANK = {item: rank for rank, item in enumerate(("learning", "conduct", "result", "promotion"))}


class ResultCell(NamedTuple):
    """One counter of results: pupils of a grade in a province who reached a level. The nation is the sum over its provinces."""

    school_year: int
    province_id: str
    grade: int
    item: str
    """`learning`, `conduct`, `result`, `promotion`, `subject:<code>`."""
    level: str


@dataclass(frozen=True, slots=True)
class ClassTally:
    """How a class's results are spread in a version of its tally; version 0 before anything was told."""

    version: int = 0
    school_year: int = 0
    province_id: str = ""
    grade: int = 0
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(item, level) -> pupils."""

    def cells(self) -> dict[ResultCell, int]:
        """The counters in which the class counts."""
        return {ResultCell(self.school_year, self.province_id, self.grade, item, level): pupils for (item, level), pupils in self.counts.items()}


def newest(known: Mapping[str, ClassTally], news: Iterable[tuple[str, ClassTally]]) -> dict[str, ClassTally]:
    """The classes whose tally is replaced by a higher version. Repeats and reorders lead to the same."""
    found = dict(known)
    for class_id, tally in news:
        if tally.version > found[class_id].version:
            found[class_id] = tally
    return {class_id: tally for class_id, tally in found.items() if tally is not known[class_id]}


def moved(before: Iterable[ClassTally], after: Iterable[ClassTally]) -> dict[ResultCell, int]:
    """What must be added to each counter; counters that stay as they are aren't named."""
    change: Counter[ResultCell] = Counter()
    for tally in after:
        change.update(tally.cells())
    for tally in before:
        change.subtract(tally.cells())
    return {cell: pupils for cell, pupils in change.items() if pupils}


def scale(item: str, seen: Iterable[str]) -> Sequence[str]:
    """All levels that a result in the item may have where these were seen, the best first. At least two."""
    found = set(seen)
    for levels in _SCALES.get(item, _OF_SUBJECTS):
        if found <= set(levels):
            return levels
    return levels_in_order({*found, *VERDICTS})


def levels_in_order(levels: Iterable[str]) -> list[str]:
    """The best first; levels that this version doesn't know come last."""
    return sorted(levels, key=lambda level: (_RANK.get(level, len(_RANK)), level))


def item_order(item: str) -> tuple[int, str]:
    """Whole results before subjects."""
    return _ITEM_RANK.get(item, len(_ITEM_RANK)), item
