"""Headings of the Ministry's roster exports, and which column of a file holds what.

Exports differ by product and year: headings are compared without case, diacritics and punctuation, and several spellings are
known for each. Above the headings there may be title rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from services.enrollment.domain.vietnamese import plain


class Column(StrEnum):
    """A column that the import understands; the value is the heading as shown to people."""

    SCHOOL_CODE = "Mã trường"
    MINISTRY_CODE = "Mã định danh Bộ GD&ĐT"
    FULL_NAME = "Họ tên"
    BIRTH_DATE = "Ngày sinh"
    GENDER = "Giới tính"
    ETHNICITY = "Dân tộc"
    NATIONALITY = "Quốc tịch"
    STATUS = "Trạng thái"
    PERSONAL_NUMBER = "Số định danh cá nhân"
    ABSENCE = "Lý do chưa có số định danh"
    GRADE = "Khối học"
    CLASS = "Lớp học"
    BIRTH_PLACE = "Nơi sinh"
    HOME_TOWN = "Quê quán"
    ADDRESS = "Chỗ ở hiện nay"
    FATHER = "Họ tên cha"
    MOTHER = "Họ tên mẹ"
    GUARDIAN = "Họ tên người giám hộ"
    POLICY = "Đối tượng chính sách"
    REGISTER_NUMBER = "Số đăng bộ"
    ENROLLED_ON = "Ngày vào trường"


REQUIRED = (Column.FULL_NAME, Column.BIRTH_DATE, Column.CLASS)

_OTHER_SPELLINGS: dict[Column, tuple[str, ...]] = {
    Column.SCHOOL_CODE: ("Mã trường học", "Mã đơn vị"),
    Column.MINISTRY_CODE: (
        "Mã định danh Bộ",
        "Mã định danh Bộ GDĐT",
        "Mã định danh",
        "Mã học sinh",
        "Mã HS",
        "Mã định danh học sinh",
    ),
    Column.FULL_NAME: ("Họ và tên", "Họ và tên học sinh", "Họ tên học sinh", "Tên học sinh"),
    Column.BIRTH_DATE: ("Ngày tháng năm sinh", "Ngày, tháng, năm sinh"),
    Column.GENDER: ("Nam/Nữ", "Phái"),
    Column.STATUS: ("Trạng thái học sinh", "Trạng thái học"),
    Column.PERSONAL_NUMBER: (
        "Số ĐDCN",
        "Số CCCD",
        "CCCD",
        "Số định danh cá nhân/CCCD",
        "Số CMND/CCCD/ĐDCN",
        "Số định danh",
        "Mã định danh cá nhân",
    ),
    Column.ABSENCE: ("Lý do không có số định danh", "Lý do thiếu số định danh"),
    Column.GRADE: ("Khối", "Khối lớp"),
    Column.CLASS: ("Lớp", "Tên lớp", "Tên lớp học"),
    Column.HOME_TOWN: ("Nguyên quán",),
    Column.ADDRESS: ("Nơi ở hiện nay", "Chỗ ở hiện tại", "Địa chỉ", "Nơi ở hiện tại", "Địa chỉ thường trú"),
    Column.FATHER: ("Họ và tên cha", "Họ tên bố", "Họ và tên bố", "Tên cha"),
    Column.MOTHER: ("Họ và tên mẹ", "Tên mẹ"),
    Column.GUARDIAN: ("Họ và tên người giám hộ", "Người giám hộ", "Người đỡ đầu"),
    Column.POLICY: ("Đối tượng", "Diện chính sách"),
    Column.ENROLLED_ON: ("Ngày nhập học", "Ngày vào trường/chuyển đến"),
}

_BY_HEADING: dict[str, Column] = {plain(spelling): column for column in Column for spelling in (column.value, *_OTHER_SPELLINGS.get(column, ()))}


class Headings:
    """Which position of a row holds which column."""

    def __init__(self, positions: dict[Column, int]) -> None:
        self.positions = positions

    @property
    def missing(self) -> tuple[Column, ...]:
        """Required columns that the file lacks."""
        return tuple(column for column in REQUIRED if column not in self.positions)


def read_headings(cells: Sequence[object]) -> Headings | None:
    """Give the columns if the row looks like headings: three known ones at least, each at its first position."""
    positions: dict[Column, int] = {}
    for position, cell in enumerate(cells):
        if isinstance(cell, str) and (column := _BY_HEADING.get(plain(cell))) is not None:
            positions.setdefault(column, position)
    return Headings(positions) if len(positions) >= 3 else None
