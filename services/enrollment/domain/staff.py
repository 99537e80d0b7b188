"""Staff of a school: who they are, what they may do and since when, and who teaches what.

A deputy signs for the principal only by an authority that is written down (number of the decision) and valid on the day.
Integrated subjects have two or three teachers; exactly one of them answers for the sheet of a term.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from uuid import UUID

from services.enrollment.domain.refusals import Forbidden, Invalid


class StaffRole(StrEnum):
    """What a member of staff may be at a school."""

    PRINCIPAL = "principal"
    VICE_PRINCIPAL = "vice_principal"
    CLERK = "clerk"  # văn thư: applies the seal
    HOMEROOM_TEACHER = "homeroom_teacher"
    SUBJECT_TEACHER = "subject_teacher"
    REGISTRAR = "registrar"


class Term(IntEnum):
    """The terms an assignment covers; BOTH is the usual case."""

    BOTH = 0
    FIRST = 1
    SECOND = 2

    def covers(self, term: Term) -> bool:
        """Tell whether an assignment for these terms covers one of them."""
        return self in (Term.BOTH, term)


@dataclass(frozen=True, slots=True)
class Appointment:
    """A role from a day on, until a last day or further notice; a deputy's names whom it stands for and by which decision."""

    role: StaffRole
    valid_from: date
    valid_to: date | None = None
    acts_for: UUID | None = None
    authority: str = ""

    def __post_init__(self) -> None:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise Invalid("appointment_reversed", f"Vai trò {self.role} kết thúc trước khi bắt đầu: sửa một trong hai ngày.")
        if self.acts_for is not None and not self.authority:
            raise Invalid(
                "authority_missing",
                f"Vai trò {self.role} thay mặt người khác nhưng thiếu số quyết định ủy quyền: ghi số và ngày của văn bản.",
            )
        if self.acts_for is None and self.authority and self.role is StaffRole.VICE_PRINCIPAL:
            raise Invalid("deputy_for_nobody", "Có quyết định ủy quyền nhưng chưa ghi ủy quyền thay mặt cho ai.")

    def valid_on(self, day: date) -> bool:
        """Tell whether the role is held on the day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def overlaps(self, other: Appointment) -> bool:
        """Tell whether there is a day on which both are held."""
        starts, ends = (
            max(self.valid_from, other.valid_from),
            [d for d in (self.valid_to, other.valid_to) if d is not None],
        )
        return not ends or starts <= min(ends)

    def lies_within(self, other: Appointment) -> bool:
        """Tell whether the other is held on each day of this one."""
        if not other.valid_on(self.valid_from):
            return False
        return other.valid_to is None or (self.valid_to is not None and self.valid_to <= other.valid_to)


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person at one school; the same human being keeps one `person_id` over schools and accounts."""

    staff_id: UUID
    school_id: UUID
    person_id: str
    full_name: str
    appointments: tuple[Appointment, ...]
    version: int = 1

    def __post_init__(self) -> None:
        if not self.person_id or not self.full_name:
            raise Invalid("staff_incomplete", "Nhân sự cần mã cá nhân (person_id) và họ tên.")

    def holds(self, role: StaffRole, day: date) -> bool:
        """Tell whether the member holds the role in his own right on the day."""
        return any(a.role is role and a.acts_for is None and a.valid_on(day) for a in self.appointments)


def check_appointments(member: StaffMember, colleagues: Iterable[StaffMember]) -> None:
    """Refuse a second principal on any day, a deputy of himself, and a deputy of somebody who isn't what he stands for."""
    others = {other.staff_id: other for other in colleagues if other.staff_id != member.staff_id}
    for mine in member.appointments:
        if mine.role is StaffRole.PRINCIPAL and mine.acts_for is None:
            for other in others.values():
                if any(theirs.role is StaffRole.PRINCIPAL and theirs.acts_for is None and theirs.overlaps(mine) for theirs in other.appointments):
                    raise Forbidden(
                        "second_principal",
                        "Trường đã có hiệu trưởng trong thời gian này: ghi ngày kết thúc cho người trước rồi bổ nhiệm lại.",
                    )
        if mine.acts_for is None:
            continue
        if mine.acts_for == member.staff_id:
            raise Invalid("deputy_of_himself", "Không thể được ủy quyền thay mặt chính mình.")
        head = others.get(mine.acts_for)
        if head is None or not any(a.role is StaffRole.PRINCIPAL and a.acts_for is None and mine.lies_within(a) for a in head.appointments):
            raise Forbidden(
                "deputy_without_head",
                "Người được thay mặt không phải hiệu trưởng của trường trong suốt thời gian ủy quyền: sửa người được thay mặt hoặc thời gian.",
            )


@dataclass(frozen=True, slots=True)
class Assignment:
    """One teacher of one subject in one class, for a term or both; subject codes are grading's."""

    subject: str
    staff_id: UUID
    responsible: bool
    term: Term = Term.BOTH


def check_assignments(assignments: tuple[Assignment, ...], staff_of_school: frozenset[UUID]) -> None:
    """Refuse strangers, a teacher listed twice, and any subject and term with none or several responsible teachers."""
    for assignment in assignments:
        if not assignment.subject:
            raise Invalid("assignment_without_subject", "Phân công giảng dạy thiếu mã môn học.")
        if assignment.staff_id not in staff_of_school:
            raise Invalid("teacher_of_other_school", f"Môn {assignment.subject}: giáo viên được phân công không thuộc trường này.")
    for term in (Term.FIRST, Term.SECOND):
        for subject in sorted({a.subject for a in assignments if a.term.covers(term)}):
            teachers = [a for a in assignments if a.subject == subject and a.term.covers(term)]
            if len({a.staff_id for a in teachers}) != len(teachers):
                raise Invalid("teacher_listed_twice", f"Môn {subject}, học kì {term.value}: một giáo viên được ghi hai lần.")
            responsible = sum(a.responsible for a in teachers)
            if responsible != 1:
                raise Invalid(
                    "responsible_teacher",
                    f"Môn {subject}, học kì {term.value}: có {responsible} giáo viên chịu trách nhiệm, cần đúng một. Đánh dấu lại trong phân công.",
                )
