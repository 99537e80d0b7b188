"""Schools: levels, validity, and who came before whom. Schools merge, split, close and change level every year."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from services.enrollment.domain.refusals import Forbidden, Invalid

_CODE_LONGEST = 20
_NAME_LONGEST = 200


class Level(StrEnum):
    """Cấp học; a school may teach several."""

    PRIMARY = "primary"
    LOWER_SECONDARY = "lower_secondary"
    UPPER_SECONDARY = "upper_secondary"

    @property
    def label(self) -> str:
        """The Vietnamese name."""
        return _LABELS[self]

    @property
    def grades(self) -> range:
        """Grades of the level."""
        return _GRADES[self]


_LABELS = {
    Level.PRIMARY: "tiểu học",
    Level.LOWER_SECONDARY: "trung học cơ sở",
    Level.UPPER_SECONDARY: "trung học phổ thông",
}
_GRADES = {Level.PRIMARY: range(1, 6), Level.LOWER_SECONDARY: range(6, 10), Level.UPPER_SECONDARY: range(10, 13)}


def level_of(grade: int) -> Level:
    """Give the level that a grade from 1 to 12 belongs to."""
    for level, grades in _GRADES.items():
        if grade in grades:
            return level
    raise Invalid("grade_out_of_range", f"Khối {grade} không có: ghi một số từ 1 đến 12.")


@dataclass(frozen=True, slots=True)
class School:
    """A school as it stands; `valid_to` is its last day. Its id outlives a change of name, level or province."""

    school_id: UUID
    code: str
    name: str
    province_id: str
    commune_name: str
    levels: frozenset[Level]
    valid_from: date
    valid_to: date | None
    predecessors: frozenset[UUID]
    public_school: bool
    version: int = 1

    def __post_init__(self) -> None:
        if not self.code or len(self.code) > _CODE_LONGEST:
            raise Invalid("school_code_invalid", f"Mã trường phải có từ 1 đến {_CODE_LONGEST} ký tự.")
        if not self.name or len(self.name) > _NAME_LONGEST:
            raise Invalid("school_name_invalid", f"Tên trường phải có từ 1 đến {_NAME_LONGEST} ký tự.")
        if not self.levels:
            raise Invalid("school_without_level", f"Trường {self.name} chưa có cấp học: chọn ít nhất một cấp.")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise Invalid(
                "school_validity_reversed",
                f"Trường {self.name} kết thúc ({self.valid_to:%d/%m/%Y}) trước khi bắt đầu ({self.valid_from:%d/%m/%Y}).",
            )
        if self.school_id in self.predecessors:
            raise Invalid("school_precedes_itself", f"Trường {self.name} không thể là tiền thân của chính mình.")

    def teaches(self, grade: int) -> bool:
        """Tell whether a class of the grade may be formed here."""
        return level_of(grade) in self.levels

    def open_on(self, day: date) -> bool:
        """Tell whether the school exists on the day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def same_facts(self, other: School) -> bool:
        """Tell whether nothing but the version differs: such a repeat raises no version."""
        return replace(self, version=0) == replace(other, version=0)


def require_teaches(school: School, grade: int) -> None:
    """Refuse a grade that the school has no level for."""
    if not school.teaches(grade):
        taught = ", ".join(level.label for level in Level if level in school.levels)
        raise Forbidden(
            "grade_not_taught",
            f"Trường {school.name} dạy {taught}, không có khối {grade}. Kiểm tra lại khối, hoặc sửa cấp học của trường.",
        )


def closed(school: School, last_day: date) -> School:
    """Give the school with its last day; a school that is closed already keeps the day it has."""
    if school.valid_to is not None:
        raise Forbidden("school_closed", f"Trường {school.name} đã kết thúc từ {school.valid_to:%d/%m/%Y}.")
    return replace(school, valid_to=last_day, version=school.version + 1)


def merged(successor: School, predecessors: tuple[School, ...], day: date) -> tuple[School, tuple[School, ...]]:
    """Merge schools into a successor that opens (or goes on) on a day: the others end the day before, and it names them all."""
    if not predecessors:
        raise Invalid("merge_of_none", "Sáp nhập cần ít nhất một trường tiền thân.")
    if not successor.open_on(day):
        raise Forbidden("merge_into_closed", f"Trường {successor.name} chưa hoặc không còn hoạt động vào ngày {day:%d/%m/%Y}.")
    ended = tuple(closed(school, day - timedelta(days=1)) for school in predecessors)
    named = successor.predecessors | {school.school_id for school in predecessors}
    return replace(successor, predecessors=named, version=successor.version + 1), ended
