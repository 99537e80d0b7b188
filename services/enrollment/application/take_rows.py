"""Take roster rows into classes, in one transaction: the shared heart of a direct enrolment and of a file import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from services.enrollment.application.ports import Lookup, NewIds, Work
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.enrolment import Enrolment, Place
from services.enrollment.domain.facts import ClassFormed, Standing, by_class
from services.enrollment.domain.pupil import IdentityState, NumberRecord, Pupil
from services.enrollment.domain.refusals import Overtaken
from services.enrollment.domain.roster_columns import Column
from services.enrollment.domain.roster_plan import Decision, Effect, KnownPupils, decide
from services.enrollment.domain.roster_row import RosterEntry, RowFault
from services.enrollment.domain.school import School, level_of
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear

FIRST_NUMBER = "số định danh ghi lần đầu theo danh sách của trường"


@dataclass(slots=True)
class Taken:
    """What became of the rows."""

    standings: dict[int, Standing] = field(default_factory=dict)
    taken: int = 0
    unchanged: int = 0
    faults: list[RowFault] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Rows that were not taken."""
        return len({fault.row for fault in self.faults if not fault.warning})


@dataclass(frozen=True, slots=True)
class TakeRows:
    """Enrol the pupils of the rows; a row that can't be taken is a fault, never an error."""

    new_id: NewIds | Callable[[], UUID]
    year: SchoolYear
    caller: Caller
    now: datetime
    form_classes: bool
    # The one school of the rows, or None when each row names its school by code.
    school_id: UUID | None = None

    async def __call__(self, work: Work, entries: Sequence[RosterEntry], *, write: bool) -> Taken:
        """Give what became of each row; without `write` nothing is stored or announced (dry run)."""
        taken = Taken()
        schools = await self._schools(work, entries, hold=write)
        placed = self._into_schools(entries, schools, taken.faults)
        classes = {(c.school_id, c.name): c for c in await work.classes.named(sorted({s.school_id for _, s in placed}), self.year)}
        fresh: dict[UUID, SchoolClass] = {}
        in_class = self._into_classes(placed, classes, fresh, taken.faults)
        known = KnownPupils.of(await work.pupils.known(self.year, _lookup(in_class)))
        decisions: list[tuple[Decision, SchoolClass, School]] = []
        for entry, school, school_class in in_class:
            verdict = decide(entry, school.school_id, None if school_class.class_id in fresh else school_class.class_id, known)
            if isinstance(verdict, RowFault):
                taken.faults.append(verdict)
            else:
                decisions.append((verdict, school_class, school))
        taken.unchanged = sum(d.effect is Effect.UNCHANGED for d, _, _ in decisions)
        taken.taken = len(decisions) - taken.unchanged
        if write:
            needed = {c.class_id for _, c, _ in decisions}
            await self._write(work, decisions, [c for c in fresh.values() if c.class_id in needed], taken)
        return taken

    async def _schools(self, work: Work, entries: Sequence[RosterEntry], *, hold: bool) -> dict[str, School]:
        """Give the schools of the rows by code ("" stands for the one school), locked against other writers of their rosters."""
        if self.school_id is not None:
            school = (await work.schools.hold(self.school_id))[0] if hold else await work.schools.get(self.school_id)
            return {"": school, school.code: school}
        found = await work.schools.by_codes(sorted({e.school_code for e in entries if e.school_code}))
        if hold and found:
            await work.schools.hold(*(s.school_id for s in found.values()))
        return found

    def _into_schools(self, entries: Sequence[RosterEntry], schools: dict[str, School], faults: list[RowFault]) -> list[tuple[RosterEntry, School]]:
        placed: list[tuple[RosterEntry, School]] = []
        allowed: dict[UUID, bool] = {}
        for entry in entries:
            school = schools.get(entry.school_code)
            if school is None:
                problem = "Thiếu mã trường." if not entry.school_code else "Không có trường mang mã này, hoặc không phải trường đã chọn."
                faults.append(_fault(entry, Column.SCHOOL_CODE, "school_unknown", problem, "Sửa cột 'Mã trường'."))
                continue
            if school.school_id not in allowed:
                allowed[school.school_id] = self.caller.may(OFFICE, school.school_id, school.province_id)
            if not allowed[school.school_id]:
                faults.append(
                    _fault(
                        entry,
                        Column.SCHOOL_CODE,
                        "school_not_yours",
                        "Tài khoản này không quản lý trường của dòng này.",
                        "Bỏ dòng này, hoặc nhờ trường đó nhập.",
                    )
                )
                continue
            placed.append((entry, school))
        return placed

    def _into_classes(
        self,
        placed: Sequence[tuple[RosterEntry, School]],
        classes: dict[tuple[UUID, str], SchoolClass],
        fresh: dict[UUID, SchoolClass],
        faults: list[RowFault],
    ) -> list[tuple[RosterEntry, School, SchoolClass]]:
        """Find each row's class, or form it (in memory so far)."""
        found: list[tuple[RosterEntry, School, SchoolClass]] = []
        for entry, school in placed:
            school_class = classes.get((school.school_id, entry.class_name))
            if school_class is None and not self.form_classes:
                faults.append(
                    _fault(
                        entry,
                        Column.CLASS,
                        "class_unknown",
                        f"Trường chưa có lớp {entry.class_name} trong năm học {self.year.label}.",
                        "Lập lớp trước, hoặc chọn tạo lớp khi nhập.",
                    )
                )
                continue
            if level_of(entry.grade) not in school.levels:
                faults.append(_fault(entry, Column.GRADE, "grade_not_taught", f"Trường không dạy khối {entry.grade}.", "Sửa khối học hoặc mã trường."))
                continue
            if school_class is None:
                school_class = SchoolClass(self.new_id(), school.school_id, self.year, entry.grade, entry.class_name, None)
                classes[school.school_id, entry.class_name] = fresh[school_class.class_id] = school_class
            if school_class.grade != entry.grade:
                faults.append(
                    _fault(
                        entry, Column.GRADE, "class_of_other_grade", f"Lớp {school_class.name} thuộc khối {school_class.grade}.", "Sửa khối học hoặc tên lớp."
                    )
                )
                continue
            found.append((entry, school, school_class))
        return found

    async def _write(self, work: Work, decisions: Sequence[tuple[Decision, SchoolClass, School]], fresh: Sequence[SchoolClass], taken: Taken) -> None:
        province_of = {school.school_id: school.province_id for _, _, school in decisions}
        await work.classes.put(fresh, province_of)
        await work.announce(*(ClassFormed(c, province_of[c.school_id]) for c in fresh))
        wanted: dict[UUID, int] = {}
        for decision, school_class, _ in decisions:
            if decision.effect in (Effect.NEW, Effect.JOINED):
                wanted[school_class.class_id] = wanted.get(school_class.class_id, 0) + 1
        rolls = await work.classes.next_roll_numbers(wanted)
        new: list[Standing] = []
        joined: list[Standing] = []
        changed: list[Standing] = []
        homes: list[tuple[UUID, School]] = []
        numbers: list[tuple[NumberRecord, UUID, str]] = []
        for decision, school_class, school in decisions:
            if decision.effect is Effect.UNCHANGED:
                taken.standings[decision.entry.row] = self._standing(decision, school_class, school, 0)
                continue
            roll = 0
            if decision.effect is not Effect.CHANGED:
                roll = rolls[school_class.class_id]
                rolls[school_class.class_id] += 1
            standing = self._standing(decision, school_class, school, roll)
            taken.standings[decision.entry.row] = standing
            {Effect.NEW: new, Effect.JOINED: joined, Effect.CHANGED: changed}[decision.effect].append(standing)
            if decision.effect is Effect.JOINED and decision.known is not None and decision.known.school_id != school.school_id:
                homes.append((decision.known.pupil_id, school))
            if standing.pupil.personal_number and (decision.known is None or not decision.known.personal_number):
                record = NumberRecord(standing.pupil.pupil_id, standing.pupil.personal_number, self.now, FIRST_NUMBER, self.caller.account_id)
                numbers.append((record, school.school_id, school.province_id))
        if homes and await work.pupils.take_in(homes, self.year) != {pupil_id for pupil_id, _ in homes}:
            raise Overtaken("pupil_moved", "Một học sinh vừa được ghi danh ở trường khác. Chạy lại để xem kết quả.")
        await work.pupils.add(new)
        await work.pupils.change([s.pupil for s in (*joined, *changed)])
        await work.pupils.place([s.enrolment for s in (*joined, *changed)])
        await work.pupils.record_numbers(numbers)
        await work.announce(*by_class([*new, *joined, *changed]))

    def _standing(self, decision: Decision, school_class: SchoolClass, school: School, roll: int) -> Standing:
        """Give pupil and place as they stand afterwards."""
        before = decision.known
        identity = IdentityState.UNCHECKED
        version, enrolment_version = 1, 1
        if before is not None:
            version, enrolment_version = before.version, before.enrolment_version
            roll = roll or before.roll_number
            identity = before.identity if decision.profile == before.profile and decision.personal_number == before.personal_number else identity
            if decision.effect is not Effect.UNCHANGED:
                version, enrolment_version = version + 1, enrolment_version + 1
        pupil = Pupil(before.pupil_id if before else self.new_id(), decision.profile, decision.personal_number, decision.absence, identity, version)
        joined_on = (
            before.joined_on if before is not None and before.joined_on is not None and decision.effect is not Effect.JOINED else self._joins_on(decision)
        )
        place = Place(school.school_id, school_class.class_id, school.province_id)
        return Standing(pupil, Enrolment(pupil.pupil_id, self.year, place, roll, joined_on, None, enrolment_version))

    def _joins_on(self, decision: Decision) -> date:
        """Give the first day in the class: as told, today for one who had left, else the year's first day (rosters are often late)."""
        told, today = decision.entry.profile.enrolled_on, self.now.date()
        if decision.known is not None and decision.known.left and self.year.holds(today):
            return today
        return told if told is not None and self.year.holds(told) else self.year.opens_on


def _lookup(rows: Sequence[tuple[RosterEntry, School, SchoolClass]]) -> Lookup:
    return Lookup(
        names=[(school.school_id, *entry.profile.key) for entry, school, _ in rows],
        codes=[entry.profile.ministry_code for entry, _, _ in rows if entry.profile.ministry_code],
        numbers=[entry.personal_number for entry, _, _ in rows if entry.personal_number],
        ids=[entry.pupil_id for entry, _, _ in rows if entry.pupil_id is not None],
    )


def _fault(entry: RosterEntry, column: Column, code: str, problem: str, cure: str) -> RowFault:
    return RowFault(entry.row, column.value, code, problem, cure, False)
