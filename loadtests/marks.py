"""What a teacher writes into a sheet: plausible values in the form in which grading keeps them, so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from loadtests.plan import Gradebook

# Most pupils pass. A pupil has some sixty cells a year, so these are about one in ten who waits for a re-assessment.
_FAILS = 0.001
_COMMENTS = (
    "Nắm vững kiến thức, vận dụng tốt.",
    "Có tiến bộ rõ rệt so với đầu năm.",
    "Cần luyện tập thêm ở nhà.",
    "Tích cực phát biểu, hợp tác tốt với bạn.",
)


def value_for(column: str, draw: Random) -> str | None:
    """Return a canonical value for a column code, or None for a column that teachers mostly leave empty."""
    if re.fullmatch(r"tx\d|gk|ck", column):
        return f"{draw.triangular(5.0, 10.0, 8.0):.1f}"
    if re.fullmatch(r"(mid|end)[12]", column):
        return str(draw.randint(5, 10))
    if re.fullmatch(r"level_(mid|end)[12]", column):
        return "C" if draw.random() < _FAILS else draw.choice("THHH")
    if re.fullmatch(r"nx\d|nx_gk|nx_ck", column):
        return "CD" if draw.random() < _FAILS else "D"
    if re.match(r"(mid_)?(quality|competence)_", column):
        return "D" if draw.random() < 0.6 else "T"
    if column == "conduct":
        return draw.choice(("T", "T", "T", "K", "D"))
    if column.startswith("absences_"):
        return str(draw.randint(0, 4))
    if column == "comment" or column.endswith("_comment"):
        return draw.choice(_COMMENTS)
    return None


def sheet(book: Gradebook, draw: Random, share: float = 1.0) -> Iterator[tuple[str, str, str]]:
    """Yield (pupil, column, value) for a share of a gradebook's pupils: all of them, or those somebody looked at again."""
    for pupil in book.pupils:
        if share < 1.0 and draw.random() > share:
            continue
        for column in book.columns:
            value = value_for(column, draw)
            if value is not None:
                yield pupil, column, value
