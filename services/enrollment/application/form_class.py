"""Form a class, or change its name or homeroom teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from services.enrollment.application.ports import NewIds, Once, Transactions, Work
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.facts import ClassFormed
from services.enrollment.domain.refusals import Forbidden, Invalid
from services.enrollment.domain.school import School, require_teaches
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear


@dataclass(frozen=True, slots=True)
class Command:
    """A class as it shall stand; without an id a new one."""

    once: Once
    caller: Caller
    class_id: UUID | None
    school_id: UUID
    school_year: SchoolYear
    grade: int
    name: str
    homeroom_staff_id: UUID | None


@dataclass(frozen=True, slots=True)
class FormClass:
    """Form a class of a grade that the school teaches; its homeroom teacher is of the school's staff."""

    transactions: Transactions
    new_id: NewIds | Callable[[], UUID]

    async def __call__(self, command: Command) -> tuple[UUID, int]:
        """Give the class's id and version. A repeat of the request gives the first answer."""
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return UUID(kept["class_id"]), kept["version"]
            (school,) = await work.schools.hold(command.school_id)
            command.caller.require(OFFICE, school.school_id, school.province_id, "lập lớp của trường này")
            require_teaches(school, command.grade)
            formed = await self._formed(work, command, school)
            await work.keep_answer(command.once, "FormClass", {"class_id": str(formed.class_id), "version": formed.version})
            return formed.class_id, formed.version

    async def _formed(self, work: Work, command: Command, school: School) -> SchoolClass:
        classes = await work.classes.named([school.school_id], command.school_year)
        before = next((c for c in classes if c.class_id == command.class_id), None) if command.class_id else None
        if command.class_id is not None and before is None and await work.classes.find(command.class_id) is not None:
            raise Invalid("class_of_other_year", "Lớp này thuộc trường hoặc năm học khác: không đổi được; hãy lập lớp mới.")
        if any(c.name == command.name and c is not before for c in classes):
            raise Forbidden("class_name_taken", f"Trường đã có lớp {command.name} trong năm học {command.school_year.label}.")
        if command.homeroom_staff_id is not None:
            staff = await work.staff.of_school(school.school_id)
            if command.homeroom_staff_id not in {member.staff_id for member in staff}:
                raise Invalid("homeroom_teacher_of_other_school", f"Giáo viên chủ nhiệm lớp {command.name} không thuộc trường này.")
        if before is not None and before.grade != command.grade:
            raise Forbidden("class_changes_grade", f"Lớp {before.name} không thể đổi khối: hãy lập lớp mới và chuyển lớp cho học sinh.")
        told = SchoolClass(
            class_id=command.class_id or self.new_id(),
            school_id=school.school_id,
            school_year=command.school_year,
            grade=command.grade,
            name=command.name,
            homeroom_staff_id=command.homeroom_staff_id,
        )
        if before is not None:
            told = replace(told, version=before.version)
            if told == before:
                return before
            told = replace(told, version=before.version + 1)
        await work.classes.put([told], {school.school_id: school.province_id})
        await work.announce(ClassFormed(told, school.province_id))
        return told
