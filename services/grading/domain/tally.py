"""How the results of a class are spread: counts by item and level, and nothing about anybody.

Levels are the law's own where it has some: rèn luyện, học tập (Thông tư 22/2021/TT-BGDĐT, articles 8 and 9), kết quả giáo dục and the
levels of primary subjects (Thông tư 27/2020/TT-BGDĐT, articles 7 and 9). A scored subject has a mark and no level: its marks are grouped by the bounds
that article 9.2 sets for Tốt, Khá and Đạt. What counts is what the year ended with, later results included. Nobody is ranked and nothing is averaged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Tally = Mapping[tuple[str, str], int]
"""(item, level) -> pupils; what nobody has isn't there."""

_STANDARDS = {"Tốt": "good", "Khá": "fair", "Đạt": "pass", "Chưa đạt": "fail"}
_RESULTS = {"Hoàn thành xuất sắc": "excellent", "Hoàn thành tốt": "well", "Hoàn thành": "complete", "Chưa hoàn thành": "incomplete"}
_COMPLETIONS = {"T": "well", "H": "complete", "C": "incomplete"}
_BANDS = ((Decimal("8.0"), "from_8_0"), (Decimal("6.5"), "from_6_5"), (Decimal("5.0"), "from_5_0"), (Decimal("3.5"), "from_3_5"))
_LOWEST = "below_3_5"


def tally(records: Iterable[bytes]) -> Tally:
    """Count canonical records (`record.py`), each of one pupil. A pupil without a result in an item isn't counted in it."""
    counted: Counter[tuple[str, str]] = Counter()
    for content in records:
        record = json.loads(content)
        counted.update({**_results(record), **{f"subject:{row['code']}": _subject(row) for row in record["subjects"] if row["taken"]}}.items())
    return {key: pupils for key, pupils in sorted(counted.items()) if key[1]}


def _results(record: Mapping[str, Any]) -> dict[str, str]:
    results = record["results"]
    # "Không được lên lớp" and "Không hoàn thành chương trình …" keep a pupil where he or she is.
    promotion = "" if not results["promotion"] else "not_promoted" if results["promotion"].startswith("Không") else "promoted"
    if record["level"] == "PRIMARY":
        return {"result": _RESULTS.get(results["result_after_supplement"] or results["result"], ""), "promotion": promotion}
    year, after = results["year"], results["after_summer"] or {}
    return {part: _STANDARDS.get(after.get(part) or year[part] or "", "") for part in ("learning", "conduct")} | {"promotion": promotion}


def _subject(row: Mapping[str, Any]) -> str:
    if "level" in row:
        return _COMPLETIONS.get(row["level_after_supplement"] or row["level"] or "", "")
    final = row["after_retake"] or row["year"]
    if final is None:
        return ""
    if row["mode"] == "COMMENT":
        return _STANDARDS.get(final, "")
    return next((band for bound, band in _BANDS if Decimal(final) >= bound), _LOWEST)
