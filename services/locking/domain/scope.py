"""
Where a decision holds: the whole country, a province, a school or a class, each perhaps for one grade only.

Grades matter above the school too: the leaving grades (5, 9, 12) finish earlier than the others in most years, by
decision of the Ministry or of a province.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from uuid import UUID

from services.locking.domain.refusals import Invalid

GRADES = range(1, 13)


class Area(enum.IntEnum):
    """How wide a scope is; a higher number is narrower."""

    NATION = 1
    PROVINCE = 2
    SCHOOL = 3
    CLASS = 4


class Authority(enum.IntEnum):
    """Who speaks for a scope. A class is the school's own affair, so the school speaks for it."""

    MINISTRY = 1
    PROVINCE = 2
    SCHOOL = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where one class stands, as enrollment says."""

    class_id: UUID
    school_id: UUID
    province_id: str
    grade: int
    school_year: int


@dataclass(frozen=True, slots=True)
class Scope:
    """
    A set of classes, named by area and perhaps by grade.

    Wider coordinates stand with the narrower ones (a class scope names its school and province), so that authority
    and audit stream can be told without a look-up.
    """

    area: Area
    province_id: str | None = None
    school_id: UUID | None = None
    class_id: UUID | None = None
    grade: int | None = None

    def __post_init__(self) -> None:
        wanted = {
            "province_id": self.area >= Area.PROVINCE,
            "school_id": self.area >= Area.SCHOOL,
            "class_id": self.area == Area.CLASS,
        }
        for name, needed in wanted.items():
            given = getattr(self, name) not in (None, "")
            if given and not needed:
                raise Invalid(f"scope.{name}", f"không dùng cho phạm vi {self.area.name}: hãy bỏ trống")
            if needed and not given:
                raise Invalid(f"scope.{name}", f"còn thiếu cho phạm vi {self.area.name}: hãy điền vào")
        if self.grade is not None and (self.area == Area.CLASS or self.grade not in GRADES):
            raise Invalid("scope.grade", "phải từ 1 đến 12 và không dùng cho phạm vi CLASS")

    @property
    def authority(self) -> Authority:
        return Authority(min(self.area, Area.SCHOOL))

    @property
    def specificity(self) -> tuple[int, bool]:
        """Sorts from the widest to the narrowest; two scopes that cover one class never tie."""
        return (int(self.area), self.grade is not None)

    @property
    def key(self) -> str:
        """One text per scope, the same for ever: part of unique keys and of the audit trail."""
        names = {
            Area.NATION: "nation",
            Area.PROVINCE: f"province:{self.province_id}",
            Area.SCHOOL: f"school:{self.school_id}",
            Area.CLASS: f"class:{self.class_id}",
        }
        return names[self.area] + (f"/grade:{self.grade}" if self.grade is not None else "")

    @property
    def stream(self) -> str:
        """The audit stream that records what is decided for this scope."""
        if self.area == Area.NATION:
            return "nation"
        if self.area == Area.PROVINCE:
            return f"province:{self.province_id}"
        return f"school:{self.school_id}"

    def covers(self, place: Place) -> bool:
        return (
            (self.province_id is None or self.province_id == place.province_id)
            and (self.school_id is None or self.school_id == place.school_id)
            and (self.class_id is None or self.class_id == place.class_id)
            and (self.grade is None or self.grade == place.grade)
        )

    def overlaps(self, other: Scope) -> bool:
        """Say whether a class can lie in both scopes."""
        pairs = (
            (self.province_id, other.province_id),
            (self.school_id, other.school_id),
            (self.class_id, other.class_id),
            (self.grade, other.grade),
        )
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)
