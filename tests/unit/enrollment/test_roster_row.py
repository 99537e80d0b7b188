"""What one row of a file becomes, cell by cell: an entry, or faults with a cure."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrollment.domain.personal_number import Absence, Gender
from services.enrollment.domain.roster_columns import Column, Headings, read_headings
from services.enrollment.domain.roster_row import RosterEntry, RowFault, RowReader, as_date
from services.enrollment.domain.school_year import SchoolYear

TODAY = date(2026, 11, 22)
GOOD: dict[Column, object] = {
    Column.MINISTRY_CODE: "7900000001",
    Column.FULL_NAME: "Lê Thị Hòa",
    Column.BIRTH_DATE: "05/09/2015",
    Column.GENDER: "Nữ",
    Column.STATUS: "Đang học",
    Column.PERSONAL_NUMBER: "079315123456",
    Column.CLASS: "6A1",
    Column.GRADE: "Khối 6",
    Column.ABSENCE: "",
    Column.NATIONALITY: "",
}


def read(**cells: object) -> tuple[RosterEntry | None, list[RowFault]]:
    """Read the good row with some cells changed; names are those of the columns."""
    row = GOOD | {Column[name.upper()]: cell for name, cell in cells.items()}
    headings = Headings({column: position for position, column in enumerate(row)})
    return RowReader(headings, SchoolYear(2026), TODAY).read(7, list(row.values()))


def stops(faults: list[RowFault]) -> list[str]:
    return [fault.code for fault in faults if not fault.warning]


def warned(faults: list[RowFault]) -> list[str]:
    return [fault.code for fault in faults if fault.warning]


def test_a_good_row_is_taken_without_a_word() -> None:
    entry, faults = read()
    assert faults == []
    assert entry is not None
    assert (entry.row, entry.class_name, entry.grade, entry.personal_number) == (7, "6A1", 6, "079315123456")
    assert (entry.profile.full_name, entry.profile.born_on, entry.profile.gender) == ("Lê Thị Hòa", date(2015, 9, 5), Gender.FEMALE)


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        ({"full_name": ""}, "name_missing", Column.FULL_NAME),
        ({"full_name": "Lê 3"}, "name_odd", Column.FULL_NAME),
        ({"birth_date": ""}, "birth_date_missing", Column.BIRTH_DATE),
        ({"birth_date": "30/02/2015"}, "date_unreadable", Column.BIRTH_DATE),
        ({"birth_date": "2015"}, "date_unreadable", Column.BIRTH_DATE),
        ({"birth_date": "05/09/1920"}, "birth_date_impossible", Column.BIRTH_DATE),
        ({"gender": "x"}, "gender_unreadable", Column.GENDER),
        ({"personal_number": "07931512345x"}, "personal_number_not_digits", Column.PERSONAL_NUMBER),
        ({"personal_number": "079123456"}, "personal_number_length", Column.PERSONAL_NUMBER),
        ({"personal_number": "7.93E+10"}, "personal_number_rounded", Column.PERSONAL_NUMBER),
        ({"class": ""}, "class_missing", Column.CLASS),
        ({"class": "7A1"}, "class_of_other_grade", Column.CLASS),
        ({"class": "A1", "grade": ""}, "grade_missing", Column.GRADE),
        ({"grade": "Khối mười"}, "grade_unreadable", Column.GRADE),
        ({"grade": 13}, "grade_unreadable", Column.GRADE),
        ({"status": "Chuyển đi"}, "status_left", Column.STATUS),
        ({"status": "???abc"}, "status_unknown", Column.STATUS),
        ({"ministry_code": "7" * 21}, "ministry_code_long", Column.MINISTRY_CODE),
    ],
)
def test_a_bad_cell_is_named_with_its_cure(cells: dict[str, object], code: str, column: Column) -> None:
    entry, faults = read(**cells)
    assert entry is None
    assert stops(faults) == [code]
    fault = next(f for f in faults if not f.warning)
    assert (fault.row, fault.column) == (7, column.value)
    assert fault.problem
    assert fault.cure


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"personal_number": "079215123456"}, "personal_number_gender"),
        ({"personal_number": "079314123456"}, "personal_number_birth_year"),
        ({"personal_number": "003315123456"}, "personal_number_place"),
        ({"personal_number": ""}, "personal_number_absent"),
        ({"personal_number": 79315123456}, "leading_zero_restored"),
        ({"ministry_code": "AB1"}, "ministry_code_unusual"),
        ({"gender": ""}, "gender_missing"),
        ({"birth_date": "05/09/2002", "personal_number": ""}, "age_unusual"),
    ],
)
def test_what_only_looks_odd_warns_and_is_taken(cells: dict[str, object], code: str) -> None:
    entry, faults = read(**cells)
    assert entry is not None
    assert code in warned(faults)
    assert stops(faults) == []


def test_a_number_that_excel_shortened_gets_its_zero_back() -> None:
    entry, _ = read(personal_number=79315123456)
    assert entry is not None
    assert entry.personal_number == "079315123456"
    assert read(personal_number=1315123456.0)[0] is not None  # "001..." as a float has lost two zeros


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({}, Absence.PENDING),
        ({"nationality": "Hàn Quốc"}, Absence.FOREIGNER),
        ({"nationality": "Việt Nam"}, Absence.PENDING),
        ({"absence": "Chưa đăng ký khai sinh"}, Absence.NO_BIRTH_REGISTRATION),
        ({"absence": "foreigner"}, Absence.FOREIGNER),
    ],
)
def test_a_missing_number_has_a_reason(cells: dict[str, object], reason: Absence) -> None:
    entry, _ = read(personal_number="", **cells)
    assert entry is not None
    assert entry.absence is reason


@pytest.mark.parametrize("cell", ["05/09/2015", "5/9/2015", "05-09-2015", "5.9.2015", "2015-09-05", datetime(2015, 9, 5), date(2015, 9, 5), "42252", 42252])  # noqa: DTZ001
def test_every_way_to_write_a_date_is_one_date(cell: object) -> None:
    assert as_date(cell) == date(2015, 9, 5)


@given(st.dates(date(1960, 1, 1), date(2060, 12, 31)))
def test_a_date_written_day_first_reads_back(day: date) -> None:
    assert as_date(f"{day.day}/{day.month}/{day.year}") == day


@given(st.lists(st.one_of(st.none(), st.text(max_size=30), st.integers(), st.floats(), st.dates(), st.booleans()), min_size=10, max_size=10))
def test_no_content_of_a_row_stops_a_file(cells: list[object]) -> None:
    headings = Headings({column: position for position, column in enumerate(GOOD)})
    entry, faults = RowReader(headings, SchoolYear(2026), TODAY).read(3, cells)
    assert (entry is None) == bool(stops(faults))


def test_headings_are_found_in_any_order_and_spelling() -> None:
    headings = read_headings(["STT", "HỌ VÀ TÊN", "Lớp", None, "ngày sinh", "Số CCCD", 3, "Họ tên"])
    assert headings is not None
    assert headings.positions == {Column.FULL_NAME: 1, Column.CLASS: 2, Column.BIRTH_DATE: 4, Column.PERSONAL_NUMBER: 5}
    assert headings.missing == ()
    assert read_headings(["DANH SÁCH HỌC SINH", None]) is None
    few = read_headings(["Họ tên", "Ngày sinh", "Giới tính"])
    assert few is not None
    assert few.missing == (Column.CLASS,)


def test_no_two_columns_share_a_spelling() -> None:
    for column in Column:
        headings = read_headings([column.value, *(other.value for other in list(Column)[:4])])
        assert headings is not None
        assert headings.positions[column] == 0 or column in list(Column)[:4]
