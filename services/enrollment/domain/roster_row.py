"""One row of a roster file: read into an entry, or into faults that name column, problem and cure.

A fault never carries a name or a number of a pupil further than the row it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from services.enrollment.domain.personal_number import LENGTH, Absence, Gender, PersonalNumber, Warned, shape_problem
from services.enrollment.domain.pupil import Profile, profile_problems, profile_warnings
from services.enrollment.domain.roster_columns import Column, Headings
from services.enrollment.domain.school_class import grade_in
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.vietnamese import plain, tidy

_DATE = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})$")
_ISO_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00:00)?$")
_SCIENTIFIC = re.compile(r"^\d(?:[.,]\d+)?E\+?\d+$", re.IGNORECASE)
_GRADE = re.compile(r"(\d{1,2})$")
# Excel counts days from here (with its leap-year error of 1900 folded in); a date cell saved as a number arrives so.
_EXCEL_EPOCH = date(1899, 12, 30)
_EXCEL_DAYS = range(20_000, 60_000)
_GENDERS = {
    "nam": Gender.MALE,
    "nu": Gender.FEMALE,
    "male": Gender.MALE,
    "female": Gender.FEMALE,
    "1": Gender.MALE,
    "2": Gender.FEMALE,
}
_STUDYING = frozenset({"", "dang hoc", "chuyen den", "hoc lai", "luu ban", "moi tuyen"})
_LEFT = frozenset(
    {
        "chuyen di",
        "chuyen truong",
        "thoi hoc",
        "bo hoc",
        "bao luu",
        "tot nghiep",
        "da tot nghiep",
        "nghi hoc",
        "xin hoc lai noi khac",
    }
)
_VIETNAM = frozenset({"", "viet nam", "vietnam", "vn", "vnm"})
_ABSENCES = {"": None} | {plain(reason.label): reason for reason in Absence} | {reason.value.replace("_", " "): reason for reason in Absence}

_COLUMN_OF_CODE = {
    "name_missing": Column.FULL_NAME,
    "name_odd": Column.FULL_NAME,
    "birth_date_missing": Column.BIRTH_DATE,
    "birth_date_impossible": Column.BIRTH_DATE,
    "age_unusual": Column.BIRTH_DATE,
    "gender_missing": Column.GENDER,
    "ministry_code_long": Column.MINISTRY_CODE,
    "ministry_code_unusual": Column.MINISTRY_CODE,
}


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong in one cell (or one row, when `column` is empty); a warning doesn't keep the row out."""

    row: int
    column: str
    code: str
    problem: str
    cure: str
    warning: bool


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A row that can be taken: where the pupil belongs, and everything the row tells about him."""

    row: int
    school_code: str
    class_name: str
    grade: int
    profile: Profile
    personal_number: str
    absence: Absence | None
    pupil_id: UUID | None = None  # a caller that knows the pupil names him; files never do


class RowReader:
    """Reads rows of one file; holds what all its rows share."""

    def __init__(self, headings: Headings, school_year: SchoolYear, today: date) -> None:
        self._at = headings.positions
        self._year = school_year
        self._today = today

    def read(self, row: int, cells: Sequence[object]) -> tuple[RosterEntry | None, list[RowFault]]:
        """Give the entry (None when a fault forbids it) and all faults of the row, warnings too."""
        faults: list[RowFault] = []
        grade, class_name = self._class(row, cells, faults)
        number = self._number(row, cells, faults)
        status = plain(self._text(cells, Column.STATUS))
        if status in _LEFT:
            _fault(
                faults,
                row,
                Column.STATUS,
                "status_left",
                "Học sinh không còn học tại lớp này.",
                "Không cần làm gì nếu đúng; nếu không, ghi 'Đang học'.",
            )
        elif status not in _STUDYING and not status.startswith("dang hoc"):
            _fault(
                faults,
                row,
                Column.STATUS,
                "status_unknown",
                "Trạng thái này hệ thống không hiểu.",
                "Ghi 'Đang học', hoặc để trống.",
            )
        profile = self._profile(row, cells, faults)
        for problem in profile_problems(profile, self._today):
            if not any(f.column == _COLUMN_OF_CODE[problem.code] and not f.warning for f in faults):
                faults.append(_from(problem, row, _COLUMN_OF_CODE[problem.code], warning=False))
        if any(not fault.warning for fault in faults):
            return None, faults
        absence = self._absence(row, cells, profile, number, faults)
        parsed = PersonalNumber(number) if number else None
        for warned in profile_warnings(profile, parsed, grade, self._year.first):
            faults.append(_from(warned, row, _COLUMN_OF_CODE.get(warned.code, Column.PERSONAL_NUMBER), warning=True))
        school_code = self._text(cells, Column.SCHOOL_CODE)
        return RosterEntry(row, school_code, class_name, grade, profile, number, absence), faults

    def _cell(self, cells: Sequence[object], column: Column) -> object:
        position = self._at.get(column)
        return cells[position] if position is not None and position < len(cells) else None

    def _text(self, cells: Sequence[object], column: Column) -> str:
        cell = self._cell(cells, column)
        return tidy(cell) if isinstance(cell, str) else as_text(cell)

    def _class(self, row: int, cells: Sequence[object], faults: list[RowFault]) -> tuple[int, str]:
        """Read class and grade; each is checked against the other when both are told."""
        name = self._text(cells, Column.CLASS)
        if plain(name).startswith("lop "):
            name = name.split(" ", 1)[1]
        told = self._text(cells, Column.GRADE)
        match = _GRADE.search(told)
        grade = int(match.group(1)) if match else 0
        in_name = grade_in(name)
        if not name or len(name) > 20:
            _fault(
                faults,
                row,
                Column.CLASS,
                "class_missing",
                "Thiếu tên lớp, hoặc tên lớp quá 20 ký tự.",
                "Ghi tên lớp, ví dụ 6A1.",
            )
        elif told and not 1 <= grade <= 12:
            _fault(
                faults,
                row,
                Column.GRADE,
                "grade_unreadable",
                "Khối học phải là một số từ 1 đến 12.",
                "Ghi khối, ví dụ 6 hoặc 'Khối 6'.",
            )
        elif told and in_name is not None and in_name != grade:
            _fault(
                faults,
                row,
                Column.CLASS,
                "class_of_other_grade",
                f"Lớp {name} không thuộc khối {grade}.",
                "Sửa tên lớp hoặc khối học cho khớp.",
            )
        elif not told and in_name is None:
            _fault(faults, row, Column.GRADE, "grade_missing", f"Không biết khối của lớp {name}.", "Thêm cột 'Khối học'.")
        return grade or in_name or 0, name

    def _number(self, row: int, cells: Sequence[object], faults: list[RowFault]) -> str:
        """Read the personal number; what Excel does to long numbers is mended where that is certain and named where it isn't."""
        cell = self._cell(cells, Column.PERSONAL_NUMBER)
        digits = as_text(cell).replace(" ", "").lstrip("'")
        if not digits:
            return ""
        if _SCIENTIFIC.match(digits):
            _fault(
                faults,
                row,
                Column.PERSONAL_NUMBER,
                "personal_number_rounded",
                "Excel đã làm tròn số định danh (dạng 7,9E+10): các số cuối đã mất.",
                "Định dạng cột là Text rồi nhập lại số.",
            )
            return ""
        if digits.isdigit() and LENGTH - 3 < len(digits) < LENGTH and (isinstance(cell, int | float) or digits[0] != "0"):
            # Vietnamese place codes begin with 0 and Excel drops leading zeros of numbers, so the lost digits are known.
            digits = digits.zfill(LENGTH)
            _fault(
                faults,
                row,
                Column.PERSONAL_NUMBER,
                "leading_zero_restored",
                "Số định danh thiếu số 0 ở đầu (Excel bỏ mất); đã thêm lại.",
                "Định dạng cột là Text để giữ số 0.",
                warning=True,
            )
        problem = shape_problem(digits)
        if problem is not None:
            faults.append(_from(problem, row, Column.PERSONAL_NUMBER, warning=False))
            return ""
        return digits

    def _date(self, row: int, cells: Sequence[object], column: Column, faults: list[RowFault]) -> date | None:
        cell = self._cell(cells, column)
        if cell is None or cell == "":
            return None
        try:
            day = as_date(cell)
        except ValueError:
            _fault(
                faults,
                row,
                column,
                "date_unreadable",
                f"{column.value} không phải một ngày có thật.",
                "Ghi ngày/tháng/năm, ví dụ 05/09/2015.",
            )
            return None
        return day

    def _profile(self, row: int, cells: Sequence[object], faults: list[RowFault]) -> Profile:
        gender_text = plain(self._text(cells, Column.GENDER))
        gender = _GENDERS.get(gender_text, Gender.UNKNOWN)
        if gender_text and gender is Gender.UNKNOWN:
            _fault(
                faults,
                row,
                Column.GENDER,
                "gender_unreadable",
                "Giới tính này hệ thống không hiểu.",
                "Ghi Nam hoặc Nữ.",
            )
        text = self._text
        return Profile(
            full_name=text(cells, Column.FULL_NAME),
            gender=gender,
            born_on=self._date(row, cells, Column.BIRTH_DATE, faults),
            birth_place=text(cells, Column.BIRTH_PLACE),
            ethnicity=text(cells, Column.ETHNICITY),
            nationality=text(cells, Column.NATIONALITY),
            address=text(cells, Column.ADDRESS),
            home_town=text(cells, Column.HOME_TOWN),
            father_name=text(cells, Column.FATHER),
            mother_name=text(cells, Column.MOTHER),
            guardian_name=text(cells, Column.GUARDIAN),
            policy_category=text(cells, Column.POLICY),
            ministry_code=text(cells, Column.MINISTRY_CODE),
            register_number=text(cells, Column.REGISTER_NUMBER),
            enrolled_on=self._date(row, cells, Column.ENROLLED_ON, faults),
        )

    def _absence(self, row: int, cells: Sequence[object], profile: Profile, number: str, faults: list[RowFault]) -> Absence | None:
        """Give why there is no number: as told, else foreigner by nationality, else pending with a warning."""
        if number:
            return None
        told = self._text(cells, Column.ABSENCE)
        known = _ABSENCES.get(plain(told))
        if known is not None:
            return known
        if plain(profile.nationality) not in _VIETNAM:
            return Absence.FOREIGNER
        _fault(
            faults,
            row,
            Column.PERSONAL_NUMBER,
            "personal_number_absent",
            "Chưa có số định danh cá nhân; học bạ chưa thể phát hành.",
            "Bổ sung số khi có, hoặc ghi lý do vào cột 'Lý do chưa có số định danh'.",
            warning=True,
        )
        return Absence.PENDING


def as_text(cell: object) -> str:
    """Give a cell as tidy text; a whole number without its decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return tidy(cell)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return f"{cell:%d/%m/%Y}"
    return tidy(str(cell))


def as_date(cell: object) -> date:
    """Give a cell as a date: a date cell, dd/mm/yyyy, yyyy-mm-dd, or Excel's day number. Raises ValueError for anything else."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = as_text(cell)
    if match := _DATE.match(text):
        return date(int(match.group(3)), int(match.group(2)), int(match.group(1)))
    if match := _ISO_DATE.match(text):
        return date(int(match.group(1)), int(match.group(2)), int(match.group(3)))
    if text.isascii() and text.isdigit() and int(text) in _EXCEL_DAYS:
        return _EXCEL_EPOCH + timedelta(days=int(text))
    raise ValueError("not a date")


def _fault(faults: list[RowFault], row: int, column: Column, code: str, problem: str, cure: str, *, warning: bool = False) -> None:
    faults.append(RowFault(row, column.value, code, problem, cure, warning))


def _from(warned: Warned, row: int, column: Column, *, warning: bool) -> RowFault:
    return RowFault(row, column.value, warned.code, warned.problem, warned.cure, warning)
