"""What the page says."""

from typing import Any

import pytest

from services.signing.domain.record import Level, read_record
from services.signing.domain.sheet import ROW_FIELDS, grouped, lookup_url, sheet_of
from services.signing.domain.words import date_text, mark_text, province_authority
from tests.support.records import LEVELS, canonical, example


def sheet(record: dict[str, Any]) -> dict[str, Any]:
    return sheet_of(read_record(canonical(record)))


def rows(record: dict[str, Any]) -> list[dict[str, str]]:
    """The subjects' rows with their fields named."""
    fields = ROW_FIELDS[Level(record["level"])]
    return [dict(zip(fields, row, strict=True)) for row in sheet(record)["rows"]]


@pytest.mark.parametrize("level", LEVELS)
def test_same_record_gives_the_same_sheet(level: str) -> None:
    assert sheet(example(level)) == sheet(example(level))


def test_marks_have_a_decimal_comma() -> None:
    record = example("lower_secondary")
    record["subjects"][0] |= {"term_1": "7.5", "term_2": "10.0", "year": "9.2"}
    row = rows(record)[0]
    assert (row["term_1"], row["term_2"], row["year"]) == ("7,5", "10,0", "9,2")


def test_subject_not_taken_is_dashed_and_exempted_one_says_so() -> None:
    record = example("upper_secondary")
    first, second = record["subjects"][0], record["subjects"][1]
    first |= {"taken": False, "term_1": None, "term_2": None, "year": None}
    second |= {"exempt": ["TERM_1", "TERM_2"], "term_1": None, "term_2": None, "year": None}
    first_row, second_row, *_ = rows(record)
    assert [first_row[key] for key in ("term_1", "term_2", "year")] == ["–"] * 3
    assert [second_row[key] for key in ("term_1", "term_2", "year")] == ["Miễn"] * 3


def test_corrections_are_counted_and_named() -> None:
    record = example()
    record["corrections"] = {"count": 2, "subjects": ["Toán", "Ngữ văn"]}
    assert sheet(record)["corrections"] == "Trong bảng này có sửa chữa ở: 2 chỗ, thuộc các môn học: Toán, Ngữ văn."


def test_a_corrected_version_says_which_it_is_and_what_it_replaces() -> None:
    record = example()
    assert sheet(record)["state"] == ("", "")
    record["transcript"] |= {"version": 3, "supersedes": 2}
    assert sheet(record)["state"] == ("BẢN ĐIỀU CHỈNH LẦN 2", "Thay thế phiên bản 2")
    record["transcript"]["supersedes"] = None
    assert sheet(record)["state"] == ("BẢN ĐIỀU CHỈNH LẦN 2", "")


def test_completion_decision_is_printed_with_number_and_date() -> None:
    record = example("primary")
    (note,) = [value for label, value in sheet(record)["notes"] if "Công nhận hoàn thành chương trình" in label]
    assert "12/QĐ-HT" in note
    assert "25/05/2026" in note


def test_result_after_a_supplement_stands_beside_the_first() -> None:
    record = example("primary")
    record["subjects"][0] |= {"mark": "4", "mark_after_supplement": "6", "level": "C", "level_after_supplement": "H"}
    row = rows(record)[0]
    assert (row["level"], row["mark"]) == ("C → H", "4 → 6")


def test_code_is_grouped_for_reading_and_the_link_has_one_slash() -> None:
    assert grouped("ABCDEFGHIJK") == "ABCDE-FGHIJ-K"
    assert lookup_url("https://tra.cuu.example/t/", "AB") == "https://tra.cuu.example/t/AB"


@pytest.mark.parametrize(
    ("province", "authority"),
    [
        ("Thành phố Hồ Chí Minh", "Sở Giáo dục và Đào tạo TP. Hồ Chí Minh"),
        ("Tỉnh Lào Cai", "Sở Giáo dục và Đào tạo Lào Cai"),
        ("Đắk Lắk", "Sở Giáo dục và Đào tạo Đắk Lắk"),
    ],
)
def test_authority_is_named_as_letterheads_do(province: str, authority: str) -> None:
    assert province_authority(province) == authority


def test_small_words() -> None:
    assert mark_text("7.5") == "7,5"
    assert mark_text("Đạt") == "Đạt"
    assert date_text("2026-05-31") == "31/05/2026"
    assert date_text("") == ""
