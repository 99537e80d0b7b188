"""Appoint a member of staff: roles with validity, and deputies with the authority that is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from services.enrollment.application.ports import NewIds, Once, Transactions
from services.enrollment.domain.authority import APPOINTERS, Caller
from services.enrollment.domain.facts import StaffAppointed
from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.staff import Appointment, StaffMember, check_appointments


@dataclass(frozen=True, slots=True)
class Command:
    """A member with all appointments; they replace the ones kept."""

    once: Once
    caller: Caller
    staff_id: UUID | None
    school_id: UUID
    person_id: str
    full_name: str
    appointments: tuple[Appointment, ...]


@dataclass(frozen=True, slots=True)
class AppointStaff:
    """Keep one row per person and school; there is one principal at a time, and nobody deputises without a decision."""

    transactions: Transactions
    new_id: NewIds | Callable[[], UUID]

    async def __call__(self, command: Command) -> tuple[UUID, int]:
        """Give the member's id and version. A repeat of the request gives the first answer."""
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return UUID(kept["staff_id"]), kept["version"]
            (school,) = await work.schools.hold(command.school_id)
            command.caller.require(APPOINTERS, school.school_id, school.province_id, "bổ nhiệm nhân sự của trường này")
            colleagues = await work.staff.of_school(school.school_id)
            before = next((c for c in colleagues if c.person_id == command.person_id), None)
            if before is not None and command.staff_id is not None and before.staff_id != command.staff_id:
                raise Invalid("person_has_other_staff_id", "Người này đã có trong danh sách nhân sự của trường với mã khác: dùng mã đó.")
            if before is None:
                before = next((c for c in colleagues if c.staff_id == command.staff_id), None)
                if before is not None:
                    raise Invalid("staff_id_of_other_person", "Mã nhân sự này thuộc về người khác: để trống mã để thêm người mới.")
            member = StaffMember(
                staff_id=before.staff_id if before else (command.staff_id or self.new_id()),
                school_id=school.school_id,
                person_id=command.person_id,
                full_name=command.full_name,
                appointments=command.appointments,
                version=before.version if before else 1,
            )
            check_appointments(member, colleagues)
            if member != before:
                member = replace(member, version=member.version + 1) if before else member
                await work.staff.put(member, school.province_id)
                await work.announce(StaffAppointed(member))
            await work.keep_answer(command.once, "AppointStaff", {"staff_id": str(member.staff_id), "version": member.version})
            return member.staff_id, member.version
