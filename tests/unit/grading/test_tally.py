"""A class's tally: what each record ended with, later results included, and nobody's name or mark."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.grading.domain.tally import tally

RECORDS = Path(__file__).resolve().parents[3] / "protos" / "examples" / "record"


def record(level: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((RECORDS / f"{level}.json").read_text(encoding="utf-8"))
    return kept


def counted(*records: dict[str, Any]) -> dict[tuple[str, str], int]:
    return dict(tally(json.dumps(one).encode() for one in records))


@pytest.mark.parametrize("level", ["primary", "lower_secondary", "upper_secondary"])
def test_each_subject_taken_and_each_result_counts_once(level: str) -> None:
    one = record(level)
    found = counted(one, one)
    assert set(found.values()) == {2}
    items = Counter(item for item, _ in found)
    assert set(items.values()) == {1}
    assert {item.removeprefix("subject:") for item in items if item.startswith("subject:")} == {row["code"] for row in one["subjects"] if row["taken"]}
    results = {"result"} if level == "primary" else {"learning", "conduct"}
    assert {item for item in items if not item.startswith("subject:")} == results | {"promotion"}


@pytest.mark.parametrize(
    ("mark", "band"), [("10.0", "from_8_0"), ("8.0", "from_8_0"), ("7.9", "from_6_5"), ("5.0", "from_5_0"), ("3.5", "from_3_5"), ("3.4", "below_3_5")]
)
def test_marks_are_grouped_by_the_bounds_of_the_law(mark: str, band: str) -> None:
    one = record("lower_secondary")
    row = next(row for row in one["subjects"] if row["code"] == "toan")
    row |= {"year": mark, "after_retake": None}
    assert ("subject:toan", band) in counted(one)


def test_what_came_later_replaces_the_year() -> None:
    one = record("lower_secondary")
    one["results"] |= {"year": {"conduct": "Đạt", "learning": "Chưa đạt"}, "after_summer": {"conduct": None, "learning": "Đạt"}, "promotion": "Được lên lớp"}
    next(row for row in one["subjects"] if row["code"] == "toan")["after_retake"] = "5.5"
    found = counted(one)
    assert {("learning", "pass"), ("conduct", "pass"), ("promotion", "promoted"), ("subject:toan", "from_5_0")} <= set(found)
    child = record("primary")
    child["results"] |= {"result": "Chưa hoàn thành", "result_after_supplement": "Hoàn thành", "promotion": "Không hoàn thành chương trình tiểu học"}
    next(row for row in child["subjects"] if row["code"] == "toan").update(level="C", level_after_supplement="H")
    assert {("result", "complete"), ("promotion", "not_promoted"), ("subject:toan", "complete")} <= set(counted(child))


def test_who_has_no_result_in_an_item_is_not_counted_in_it() -> None:
    one = record("lower_secondary")
    one["results"] |= {"year": {"conduct": None, "learning": None}, "after_summer": None}
    for row in one["subjects"]:
        row |= {"year": None, "after_retake": None}
    assert {item for item, _ in counted(one)} == {"promotion"}
