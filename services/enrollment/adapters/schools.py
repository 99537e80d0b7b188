"""Schools, classes and staff in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Connection, Queries
from services.enrollment.adapters import rows
from services.enrollment.domain.facts import Standing
from services.enrollment.domain.refusals import Missing
from services.enrollment.domain.school import School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.staff import Appointment, Assignment, StaffMember, StaffRole


@dataclass(frozen=True, slots=True)
class PostgresSchools:
    """The list of schools."""

    connection: Connection
    queries: Queries

    async def find(self, school_id: UUID) -> School | None:
        row = await self.connection.fetchrow(self.queries["get_school"], school_id)
        return rows.school(row) if row else None

    async def get(self, school_id: UUID) -> School:
        found = await self.find(school_id)
        if found is None:
            raise Missing("school_unknown", f"Không có trường {school_id}: kiểm tra lại mã bằng ListSchools.")
        return found

    async def hold(self, *school_ids: UUID) -> tuple[School, ...]:
        found = await self.connection.fetch(self.queries["hold_schools"], sorted(set(school_ids)))
        if len(found) < len(set(school_ids)):
            missing = set(school_ids) - {row["school_id"] for row in found}
            raise Missing("school_unknown", f"Không có trường {', '.join(map(str, sorted(missing)))}: kiểm tra lại mã bằng ListSchools.")
        return tuple(rows.school(row) for row in found)

    async def by_codes(self, codes: Sequence[str]) -> dict[str, School]:
        found = await self.connection.fetch(self.queries["schools_by_codes"], list(codes))
        return {row["code"]: rows.school(row) for row in found}

    async def listed(self, province_id: str, closed_too: bool, after_code: str, limit: int, code: str = "") -> list[School]:
        found = await self.connection.fetch(self.queries["list_schools"], province_id, closed_too, after_code, limit, code)
        return [rows.school(row) for row in found]

    async def put(self, school: School, account_id: str, now: datetime) -> None:
        await self.connection.execute(
            self.queries["put_school"],
            school.school_id,
            school.code,
            school.name,
            school.province_id,
            school.commune_name,
            sorted(level.value for level in school.levels),
            school.public_school,
            school.valid_from,
            school.valid_to,
            school.version,
        )
        await self.connection.execute(self.queries["drop_predecessors"], school.school_id, sorted(school.predecessors))
        await self.connection.execute(self.queries["add_predecessors"], school.school_id, sorted(school.predecessors))
        await self.connection.execute(self.queries["keep_school_version"], school.school_id, now, account_id)

    async def hand_over(self, source: School, target: School, from_year: SchoolYear) -> tuple[list[SchoolClass], list[Standing]]:
        to = (target.school_id, target.province_id)
        moved = await self.connection.fetch(self.queries["hand_over_classes"], source.school_id, *to, from_year.first, source.code)
        class_ids = [row["class_id"] for row in moved]
        await self.connection.execute(self.queries["hand_over_assignments"], class_ids)
        pupils = await self.connection.fetch(self.queries["hand_over_pupils"], class_ids, *to)
        await self.connection.execute(self.queries["hand_over_homes"], [row["pupil_id"] for row in pupils], *to)
        standings = await self.connection.fetch(self.queries["standings_of_class"], class_ids)
        return [rows.school_class(row) for row in moved], [rows.standing(row) for row in standings]

    async def move_province(self, school: School, from_year: SchoolYear) -> list[SchoolClass]:
        await self.connection.execute(self.queries["move_province_rows"], school.school_id, school.province_id)
        moved = await self.connection.fetch(self.queries["move_province_classes"], school.school_id, school.province_id, from_year.first)
        return [rows.school_class(row) for row in moved if row["school_year"] >= from_year.first]


@dataclass(frozen=True, slots=True)
class PostgresClasses:
    """Classes and assignments."""

    connection: Connection
    queries: Queries

    async def find(self, class_id: UUID) -> SchoolClass | None:
        row = await self.connection.fetchrow(self.queries["get_class"], class_id)
        return rows.school_class(row) if row else None

    async def get(self, class_id: UUID) -> SchoolClass:
        found = await self.find(class_id)
        if found is None:
            raise Missing("class_unknown", f"Không có lớp {class_id} tại trường của tài khoản: kiểm tra lại mã bằng ListClasses.")
        return found

    async def named(self, school_ids: Sequence[UUID], year: SchoolYear) -> list[SchoolClass]:
        found = await self.connection.fetch(self.queries["classes_of_schools"], list(school_ids), year.first)
        return [rows.school_class(row) for row in found]

    async def put(self, classes: Sequence[SchoolClass], province_of: dict[UUID, str]) -> None:
        if not classes:
            return
        await self.connection.execute(
            self.queries["put_classes"],
            [c.class_id for c in classes],
            [c.school_id for c in classes],
            [province_of[c.school_id] for c in classes],
            [c.school_year.first for c in classes],
            [c.grade for c in classes],
            [c.name for c in classes],
            [c.homeroom_staff_id for c in classes],
            [c.version for c in classes],
        )

    async def assign(self, class_id: UUID, school: School, assignments: tuple[Assignment, ...]) -> int:
        await self.connection.execute(self.queries["drop_assignments"], class_id)
        await self.connection.execute(
            self.queries["add_assignments"],
            class_id,
            school.school_id,
            school.province_id,
            [a.subject for a in assignments],
            [int(a.term) for a in assignments],
            [a.staff_id for a in assignments],
            [a.responsible for a in assignments],
        )
        return int(await self.connection.fetchval(self.queries["raise_assignments_version"], class_id))

    async def next_roll_numbers(self, wanted: dict[UUID, int]) -> dict[UUID, int]:
        if not wanted:
            return {}
        found = await self.connection.fetch(self.queries["reserve_roll_numbers"], list(wanted), list(wanted.values()))
        return {row["class_id"]: row["first"] for row in found}


@dataclass(frozen=True, slots=True)
class PostgresStaff:
    """Staff and appointments."""

    connection: Connection
    queries: Queries

    async def of_school(self, school_id: UUID) -> list[StaffMember]:
        members = await self.connection.fetch(self.queries["staff_of_school"], school_id)
        held: dict[UUID, list[Appointment]] = {row["staff_id"]: [] for row in members}
        for row in await self.connection.fetch(self.queries["appointments_of_school"], school_id):
            role = StaffRole(row["role"])
            held[row["staff_id"]].append(Appointment(role, row["valid_from"], row["valid_to"], row["acts_for"], row["authority"]))
        return [StaffMember(r["staff_id"], r["school_id"], r["person_id"], r["full_name"], tuple(held[r["staff_id"]]), r["version"]) for r in members]

    async def put(self, member: StaffMember, province_id: str) -> None:
        appointments = member.appointments
        await self.connection.execute(
            self.queries["put_staff"], member.staff_id, member.school_id, province_id, member.person_id, member.full_name, member.version
        )
        await self.connection.execute(self.queries["drop_appointments"], member.staff_id)
        await self.connection.execute(
            self.queries["add_appointments"],
            member.staff_id,
            member.school_id,
            province_id,
            list(range(len(appointments))),
            [a.role.value for a in appointments],
            [a.valid_from for a in appointments],
            [a.valid_to for a in appointments],
            [a.acts_for for a in appointments],
            [a.authority for a in appointments],
        )
