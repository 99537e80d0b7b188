"""Replace a pupil's personal number: re-determined by the authority, or written down wrongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import Once, Transactions
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.facts import Standing, by_class
from services.enrollment.domain.pupil import NumberRecord, corrected_number
from services.enrollment.domain.refusals import Missing


@dataclass(frozen=True, slots=True)
class Command:
    """The number that is right, and why the one on record isn't."""

    once: Once
    caller: Caller
    school_id: UUID
    pupil_id: UUID
    personal_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class CorrectPersonalNumber:
    """Keep the old number in the history, and let the identity check start anew. Years that are closed keep what they say."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Standing:
        """Give the pupil in his newest school year. A repeat of the request gives the pupil as he stands."""
        now = self.clock.now()
        # A pupil may end a year at one school and be enrolled at the next one already: the number changes in both places.
        async with self.transactions(every_school=True) as work:
            kept = await work.answered(command.once)
            school = await work.schools.get(command.school_id)
            command.caller.require(OFFICE, school.school_id, school.province_id, "sửa số định danh của học sinh trường này")
            if await work.pupils.home_of(command.pupil_id) != school.school_id:
                raise Missing("pupil_unknown", "Không có học sinh này tại trường: trường đang học mới được sửa số định danh.")
            standings = await work.pupils.open_standings(command.pupil_id, now.date())
            if not standings:
                raise Missing("pupil_unknown", "Học sinh này đã thôi học tại trường.")
            if kept is not None:
                return standings[-1]
            await work.schools.hold(*(s.enrolment.place.school_id for s in standings))
            here = await work.pupils.open_standings(command.pupil_id, now.date())
            pupil = corrected_number(here[-1].pupil, command.personal_number, command.reason)
            record = NumberRecord(pupil.pupil_id, pupil.personal_number, now, command.reason, command.caller.account_id)
            raised = [Standing(pupil, replace(s.enrolment, version=s.enrolment.version + 1)) for s in here]
            await work.pupils.change([pupil])
            await work.pupils.record_numbers([(record, school.school_id, school.province_id)])
            await work.pupils.place([s.enrolment for s in raised])
            await work.announce(*by_class(raised))
            await work.keep_answer(command.once, "CorrectPersonalNumber", {"version": pupil.version})
            return raised[-1]
