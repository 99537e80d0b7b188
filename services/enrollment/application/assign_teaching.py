"""Say who teaches what in a class."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.enrollment.application.ports import Once, Transactions
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.facts import TeachingAssigned
from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.staff import Assignment, check_assignments


@dataclass(frozen=True, slots=True)
class Command:
    """All assignments of a class; they replace the ones kept."""

    once: Once
    caller: Caller
    school_id: UUID
    class_id: UUID
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class AssignTeaching:
    """Keep several teachers per class, subject and term, with exactly one responsible."""

    transactions: Transactions

    async def __call__(self, command: Command) -> int:
        """Give the version of the class's assignments. A repeat of the request gives the first answer."""
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return int(kept["version"])
            (school,) = await work.schools.hold(command.school_id)
            command.caller.require(OFFICE, school.school_id, school.province_id, "phân công giảng dạy của trường này")
            school_class = await work.classes.get(command.class_id)
            if school_class.school_id != school.school_id:
                raise Invalid("class_of_other_school", f"Lớp {school_class.name} không thuộc trường {school.name}: chọn lại lớp.")
            staff = await work.staff.of_school(school.school_id)
            check_assignments(command.assignments, frozenset(member.staff_id for member in staff))
            version = await work.classes.assign(school_class.class_id, school, command.assignments)
            await work.announce(TeachingAssigned(school.school_id, school_class.class_id, version, command.assignments))
            await work.keep_answer(command.once, "AssignTeaching", {"version": version})
            return version
