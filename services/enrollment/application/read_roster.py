"""Look things up: schools, classes, staff, pupils and one pupil's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import Transactions
from services.enrollment.domain.authority import APPOINTERS, OFFICE, Caller
from services.enrollment.domain.enrolment import Enrolment
from services.enrollment.domain.facts import ClassFormed, SchoolRegistered, Standing
from services.enrollment.domain.provinces import Catalogue, Province
from services.enrollment.domain.pupil import NumberRecord, Pupil
from services.enrollment.domain.refusals import Denied, Invalid, Missing
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.staff import StaffMember

PAGE = 500
PAGE_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class PupilHistory:
    """A pupil with all places (and their last day) and all numbers, oldest first."""

    pupil: Pupil
    places: Sequence[tuple[Enrolment, date | None]]
    numbers: Sequence[NumberRecord]


@dataclass(frozen=True, slots=True)
class ReadRoster:
    """Answer questions about the roster; rows of other schools stay invisible whatever is asked."""

    transactions: Transactions
    catalogue: Catalogue
    clock: Clock

    def provinces(self, on: date | None) -> list[tuple[Province, date]]:
        """Give the provinces of a day (today), each with that day."""
        day = on or self.clock.now().date()
        return [(province, day) for province in self.catalogue.valid_on(day)]

    async def schools(self, province_id: str, closed_too: bool, after_code: str, page_size: int, code: str = "") -> list[SchoolRegistered]:
        """Give a page of schools by code."""
        limit = min(page_size or PAGE, PAGE_LONGEST)
        today = self.clock.now().date()
        async with self.transactions() as work:
            found = await work.schools.listed(province_id, closed_too, after_code, limit, code)
        return [SchoolRegistered(school, self.catalogue.get(school.province_id).style_on(today).name) for school in found]

    async def classes(self, school_id: UUID, year: SchoolYear) -> list[ClassFormed]:
        """Give the classes of a school in a year by name."""
        async with self.transactions() as work:
            school = await work.schools.get(school_id)
            found = await work.classes.named([school_id], year)
        return [ClassFormed(each, school.province_id) for each in sorted(found, key=lambda c: (c.grade, c.name))]

    async def staff(self, caller: Caller, school_id: UUID) -> list[StaffMember]:
        """Give the staff of a school."""
        async with self.transactions() as work:
            school = await work.schools.get(school_id)
            caller.require(APPOINTERS, school_id, school.province_id, "xem nhân sự của trường này")
            return await work.staff.of_school(school_id)

    async def pupils(self, caller: Caller, school_id: UUID, class_id: UUID) -> list[Standing]:
        """Give the pupils of a class to the school's office, its principal, or the class's homeroom teacher."""
        async with self.transactions() as work:
            school = await work.schools.get(school_id)
            school_class = await work.classes.get(class_id)
            if school_class.school_id != school_id:
                raise Invalid("class_of_other_school", "Lớp này không thuộc trường đã chọn: chọn lại lớp.")
            if not (caller.may(OFFICE, school_id, school.province_id) or caller.teaches_class(class_id)):
                raise Denied("role_does_not_reach", f"Tài khoản này không được xem danh sách lớp {school_class.name}.")
            return await work.pupils.of_class(class_id)

    async def pupil(self, caller: Caller, pupil_id: UUID) -> PupilHistory:
        """Give one pupil's history as far as the caller's school may see it."""
        async with self.transactions() as work:
            places, numbers, pupil = await work.pupils.history(pupil_id)
        if not any(caller.may(OFFICE, e.place.school_id, e.place.province_id) for e, _ in places):
            raise Missing("pupil_unknown", "Không có học sinh này tại trường của tài khoản.")
        return PupilHistory(pupil, places, numbers)
