"""Register a school, or change what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import NewIds, Once, Transactions, Work
from services.enrollment.domain.authority import PROVINCE_OFFICE, Caller
from services.enrollment.domain.facts import ClassFormed, SchoolRegistered
from services.enrollment.domain.provinces import Catalogue
from services.enrollment.domain.refusals import Missing
from services.enrollment.domain.school import Level, School
from services.enrollment.domain.school_year import running_year


@dataclass(frozen=True, slots=True)
class Command:
    """A school as it shall stand; without an id a new one."""

    once: Once
    caller: Caller
    school_id: UUID | None
    code: str
    name: str
    province_id: str
    commune_name: str
    levels: frozenset[Level]
    valid_from: date
    valid_to: date | None
    predecessors: frozenset[UUID]
    public_school: bool


@dataclass(frozen=True, slots=True)
class RegisterSchool:
    """Keep the list of schools: the facts given replace the ones kept, and the version rises only when they differ."""

    transactions: Transactions
    catalogue: Catalogue
    clock: Clock
    new_id: NewIds | Callable[[], UUID]

    async def __call__(self, command: Command) -> School:
        """Give the school as it stands now. A repeat of the request gives the first answer."""
        command.caller.require(PROVINCE_OFFICE, None, command.province_id, "lập hoặc sửa danh mục trường của tỉnh này")
        today = self.clock.now().date()
        # A school that was closed keeps the province of its last day; an open one must name a province of today.
        province = self.catalogue.require_valid(command.province_id, command.valid_to or max(today, command.valid_from))
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return await work.schools.get(UUID(kept["school_id"]))
            school = self._as_told(command)
            before = await self._standing(work, command)
            if before is not None:
                command.caller.require(PROVINCE_OFFICE, None, before.province_id, "sửa trường của tỉnh khác")
                school = replace(school, version=before.version)
            for predecessor in school.predecessors:
                await work.schools.get(predecessor)
            if before is None or not school.same_facts(before):
                school = replace(school, version=school.version + 1) if before is not None else school
                await work.schools.put(school, command.caller.account_id, self.clock.now())
                await work.announce(SchoolRegistered(school, province.style_on(today).name))
                if before is not None and before.province_id != school.province_id:
                    moved = await work.schools.move_province(school, running_year(today))
                    await work.announce(*(ClassFormed(each, school.province_id) for each in moved))
            await work.keep_answer(command.once, "RegisterSchool", {"school_id": str(school.school_id), "version": school.version})
            return school

    def _as_told(self, command: Command) -> School:
        return School(
            school_id=command.school_id or self.new_id(),
            code=command.code,
            name=command.name,
            province_id=command.province_id,
            commune_name=command.commune_name,
            levels=command.levels,
            valid_from=command.valid_from,
            valid_to=command.valid_to,
            predecessors=command.predecessors,
            public_school=command.public_school,
        )

    async def _standing(self, work: Work, command: Command) -> School | None:
        """Give the school under lock, None for a new one; an id that nobody knows is taken as the caller's own new id."""
        if command.school_id is None or await work.schools.find(command.school_id) is None:
            return None
        held = await work.schools.hold(command.school_id)
        if not held:
            raise Missing("school_unknown", f"Không có trường {command.school_id}.")
        return held[0]
