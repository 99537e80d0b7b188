"""Enrol pupils in a class, from a form or another program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import NewIds, Once, Transactions
from services.enrollment.application.take_rows import TakeRows
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.personal_number import Absence, PersonalNumber, Warned, shape_problem
from services.enrollment.domain.pupil import Profile, profile_problems, profile_warnings, tidied
from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.roster_plan import SeenRows
from services.enrollment.domain.roster_row import RosterEntry, RowFault
from services.enrollment.domain.school_year import SchoolYear


@dataclass(frozen=True, slots=True)
class Told:
    """One pupil as told; without an id he is found by his codes, or new."""

    pupil_id: UUID | None
    profile: Profile
    personal_number: str
    absence: Absence | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Pupils of one class."""

    once: Once
    caller: Caller
    school_id: UUID
    class_id: UUID
    pupils: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Ref:
    """A pupil without anything personal; a row that wasn't taken has an empty one."""

    pupil_id: str = ""
    version: int = 0
    has_personal_number: bool = False
    identity_state: str = ""
    roll_number: int = 0
    absence_reason: str = ""
    missing_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A reference per pupil, in the order of the request, and what was wrong with which."""

    refs: tuple[Ref, ...]
    faults: tuple[RowFault, ...]


@dataclass(frozen=True, slots=True)
class EnrolPupils:
    """Enrol each pupil that can be; one at fault doesn't keep the others out."""

    transactions: Transactions
    clock: Clock
    new_id: NewIds | Callable[[], UUID]

    async def __call__(self, command: Command) -> Answer:
        """Give what became of each. A repeat of the request gives the first answer."""
        now = self.clock.now()
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return _answer(kept)
            school_class = await work.classes.get(command.class_id)
            school = await work.schools.get(command.school_id)
            command.caller.require(OFFICE, school.school_id, school.province_id, "ghi danh học sinh của trường này")
            if school_class.school_id != school.school_id:
                raise Invalid("class_of_other_school", f"Lớp {school_class.name} không thuộc trường {school.name}: chọn lại lớp.")
            faults: list[RowFault] = []
            entries: list[RosterEntry] = []
            seen = SeenRows()
            for row, told in enumerate(command.pupils, start=1):
                entry = _entry(row, told, school_class.name, school_class.grade, school_class.school_year, now.year, faults)
                repeated = seen.claim(entry) if entry is not None else None
                if repeated is not None:
                    faults.append(repeated)
                elif entry is not None:
                    entries.append(entry)
            take = TakeRows(self.new_id, school_class.school_year, command.caller, now, False, school.school_id)
            taken = await take(work, entries, write=True)
            refs = [_ref(taken.standings.get(row)) for row in range(1, len(command.pupils) + 1)]
            answer = Answer(tuple(refs), (*faults, *taken.faults))
            await work.keep_answer(command.once, "EnrolPupils", _kept(answer))
            return answer


def _entry(row: int, told: Told, class_name: str, grade: int, year: SchoolYear, this_year: int, faults: list[RowFault]) -> RosterEntry | None:
    """Check one pupil as a row of a file is checked."""
    profile, number = tidied(told.profile), told.personal_number.strip()
    today = year.opens_on.replace(year=max(this_year, year.first))
    problems = list(profile_problems(profile, today))
    if number and (problem := shape_problem(number)) is not None:
        problems.append(problem)
    faults.extend(_fault(row, problem, warning=False) for problem in problems)
    if problems:
        return None
    parsed = PersonalNumber(number) if number else None
    faults.extend(_fault(row, warned, warning=True) for warned in profile_warnings(profile, parsed, grade, year.first))
    absence = None if number else (told.absence or Absence.PENDING)
    return RosterEntry(row, "", class_name, grade, profile, number, absence, told.pupil_id)


def _fault(row: int, warned: Warned, *, warning: bool) -> RowFault:
    return RowFault(row, "", warned.code, warned.problem, warned.cure, warning)


def _ref(standing: Any) -> Ref:
    if standing is None:
        return Ref()
    pupil, enrolment = standing.pupil, standing.enrolment
    return Ref(
        str(pupil.pupil_id),
        enrolment.version,
        pupil.has_personal_number,
        pupil.identity.value,
        enrolment.roll_number,
        pupil.absence.value if pupil.absence else "",
        pupil.profile.missing,
    )


def _kept(answer: Answer) -> dict[str, Any]:
    """What is kept for repeats: ids and faults, nothing personal."""
    return {
        "refs": [[r.pupil_id, r.version, r.has_personal_number, r.identity_state, r.roll_number, r.absence_reason, r.missing_fields] for r in answer.refs],
        "faults": [[f.row, f.column, f.code, f.problem, f.cure, f.warning] for f in answer.faults],
    }


def _answer(kept: dict[str, Any]) -> Answer:
    return Answer(tuple(Ref(*values) for values in kept["refs"]), tuple(RowFault(*values) for values in kept["faults"]))
