"""A class: one grade of one school in one school year, with its homeroom teacher."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.school import Level, level_of
from services.enrollment.domain.school_year import SchoolYear

_NAME_LONGEST = 20
_LEADING_GRADE = re.compile(r"^(1[0-2]|[1-9])(?![0-9])")


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class; its name is unique within school and school year."""

    class_id: UUID
    school_id: UUID
    school_year: SchoolYear
    grade: int
    name: str
    homeroom_staff_id: UUID | None
    version: int = 1

    def __post_init__(self) -> None:
        level_of(self.grade)
        if not self.name or len(self.name) > _NAME_LONGEST:
            raise Invalid("class_name_invalid", f"Tên lớp phải có từ 1 đến {_NAME_LONGEST} ký tự, ví dụ 10A1.")
        told = grade_in(self.name)
        if told is not None and told != self.grade:
            raise Invalid("class_name_of_other_grade", f"Lớp {self.name} không thuộc khối {self.grade}: sửa tên lớp hoặc khối.")

    @property
    def level(self) -> Level:
        """The level of its grade."""
        return level_of(self.grade)


def grade_in(class_name: str) -> int | None:
    """Give the grade that a class name starts with ("10A1" is 10), or None when it tells none."""
    match = _LEADING_GRADE.match(class_name)
    return int(match.group()) if match else None
