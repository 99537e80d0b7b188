"""Move a pupil to another class, school or province, in mid-year too.

Each of the two schools sends its consent once; the second one moves the pupil. The caller's right is checked here for each side,
because the transaction sees both schools. Ended years stay where they are: only the place of the named school year moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import NewIds, Once, Transactions, Work
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.enrolment import Agreement, Enrolment, Place, Transfer, TransferState, check_transfer, moved
from services.enrollment.domain.facts import PupilTransferred, Standing
from services.enrollment.domain.refusals import Denied, Forbidden, Overtaken
from services.enrollment.domain.school import School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear


@dataclass(frozen=True, slots=True)
class Command:
    """A move as one side wants it; no school: the pupil leaves hocba's schools."""

    once: Once
    caller: Caller
    pupil_id: UUID
    school_year: SchoolYear
    to_school_id: UUID | None
    to_class_id: UUID | None
    transferred_on: date
    reason: str
    seen_version: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The pupil as he stands now, and whom the transfer waits for."""

    standing: Standing
    transfer_id: UUID
    state: TransferState


@dataclass(frozen=True, slots=True)
class TransferPupil:
    """Move a pupil once both schools agree (`both_sides`, policy); of two competing moves one wins, the other is told."""

    transactions: Transactions
    clock: Clock
    new_id: NewIds | Callable[[], UUID]
    both_sides: bool = True

    async def __call__(self, command: Command) -> Answer:
        """Give where the transfer stands. A repeat of the request gives where it stands now."""
        async with self.transactions(every_school=True) as work:
            kept = await work.answered(command.once)
            before = await work.pupils.standing(command.pupil_id, command.school_year)
            if kept is not None:
                self._sides(command, before.enrolment.place, await self._school(work, command.to_school_id), repeated=True)
                return Answer(before, UUID(kept["transfer_id"]), TransferState(kept["state"]))
            target_school = await self._school(work, command.to_school_id)
            sides = self._sides(command, before.enrolment.place, target_school)
            # Both rosters are held from here on; whoever comes second reads what the first one left behind.
            wanted = {before.enrolment.place.school_id} | ({target_school.school_id} if target_school else set())
            await work.schools.hold(*wanted)
            standing = await work.pupils.standing(command.pupil_id, command.school_year)
            if standing.enrolment != before.enrolment or command.seen_version not in (0, standing.enrolment.version):
                raise Overtaken("pupil_moved", "Học sinh vừa được chuyển sang lớp khác. Xem lại nơi học hiện tại rồi quyết định lại.")
            transfer = await self._agreed(work, command, standing.enrolment.place, sides)
            target = await work.classes.get(transfer.target_class_id) if transfer.target_class_id else None
            check_transfer(transfer, standing.enrolment, target, target_school)
            if target is not None:
                await self._same_grade(work, standing.enrolment, target)
            state = transfer.state(self.both_sides)
            await work.transfers.put(transfer, state, target_school.province_id if target_school else None)
            if state is TransferState.DONE:
                standing = await self._move(work, standing, transfer, target, target_school)
            await work.keep_answer(command.once, "TransferPupil", {"transfer_id": str(transfer.transfer_id), "state": state.value})
            return Answer(standing, transfer.transfer_id, state)

    async def _school(self, work: Work, school_id: UUID | None) -> School | None:
        return await work.schools.get(school_id) if school_id is not None else None

    def _sides(self, command: Command, source: Place, target: School | None, *, repeated: bool = False) -> tuple[bool, bool]:
        """Tell for which sides the caller speaks; whoever speaks for none learns nothing about the pupil."""
        for_source = command.caller.may(OFFICE, source.school_id, source.province_id)
        for_target = target is not None and command.caller.may(OFFICE, target.school_id, target.province_id)
        if not (for_source or for_target):
            raise Denied("not_a_side", "Chỉ trường đang học hoặc trường nhận mới làm thủ tục chuyển cho học sinh này.")
        if command.to_class_id is not None and not for_target and not repeated:
            raise Denied("class_is_for_target", "Lớp do trường nhận chọn: để trống lớp khi trường chuyển đi xác nhận.")
        return for_source, for_target

    async def _agreed(self, work: Work, command: Command, source: Place, sides: tuple[bool, bool]) -> Transfer:
        """Give the transfer with the caller's consent, joined to the other side's if that came first."""
        agreement = Agreement(command.caller.account_id, self.clock.now())
        mine = Transfer(
            transfer_id=self.new_id(),
            pupil_id=command.pupil_id,
            school_year=command.school_year,
            source=source,
            target_school_id=command.to_school_id,
            target_class_id=command.to_class_id,
            transferred_on=command.transferred_on,
            reason=command.reason,
            source_agreed=agreement if sides[0] else None,
            target_agreed=agreement if sides[1] else None,
        )
        waiting = await work.transfers.open_one(command.pupil_id, command.school_year)
        if waiting is None:
            return mine
        if waiting.source != source:
            raise Forbidden("transfer_stale", "Đề nghị chuyển trường đang chờ không còn khớp nơi học hiện tại của học sinh.")
        return waiting.joined_by(mine)

    async def _same_grade(self, work: Work, enrolment: Enrolment, target: SchoolClass) -> None:
        present = await work.classes.get(enrolment.place.class_id)
        if present.grade != target.grade:
            raise Forbidden("transfer_changes_grade", f"Lớp {target.name} thuộc khối {target.grade}, học sinh đang học khối {present.grade}.")

    async def _move(self, work: Work, standing: Standing, transfer: Transfer, target: SchoolClass | None, school: School | None) -> Standing:
        source = standing.enrolment.place
        place, roll_number = None, 0
        if target is not None and school is not None:
            place = Place(school.school_id, target.class_id, school.province_id)
            roll_number = (await work.classes.next_roll_numbers({target.class_id: 1}))[target.class_id]
            await work.pupils.leave_place(standing.enrolment, transfer.transferred_on)
        enrolment = moved(standing.enrolment, transfer, place, roll_number)
        await work.pupils.place([enrolment])
        if school is not None and school.school_id != source.school_id:
            await work.pupils.move_home(standing.pupil.pupil_id, school)
        told_to = [source.school_id] + ([place.school_id] if place is not None and place.school_id != source.school_id else [])
        await work.announce(*(PupilTransferred(school_id, enrolment, source, place, transfer.transferred_on) for school_id in told_to))
        return Standing(standing.pupil, enrolment)
