"""Grading's ear for enrollment, and for what the archive withdraws. Rows guard themselves by version, so a repeat or an old event changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hocba.archive.v1 import events_pb2 as archive
from hocba.enrollment.v1 import events_pb2 as enrollment
from services.chassis.consumer import Received, on
from services.chassis.envelope import Envelope
from services.grading.application.keep_roster import KeepRoster
from services.grading.application.withdraw_version import WithdrawVersion
from services.grading.contracts import roster


@dataclass(frozen=True, slots=True)
class GradingConsumers:
    """Keeps grading's copy of the roster, and out of the tallies what is withdrawn."""

    roster: KeepRoster
    withdraw: WithdrawVersion
    envelope: Envelope

    @on(enrollment.SchoolRegistered)
    async def on_school_registered(self, events: Sequence[Received[enrollment.SchoolRegistered]]) -> None:
        await self.roster.schools([roster.school(received.event) for received in events])

    @on(enrollment.StaffAppointed)
    async def on_staff_appointed(self, events: Sequence[Received[enrollment.StaffAppointed]]) -> None:
        await self.roster.staff([roster.staff(received.event, self.envelope) for received in events])

    @on(enrollment.ClassFormed)
    async def on_class_formed(self, events: Sequence[Received[enrollment.ClassFormed]]) -> None:
        await self.roster.classes([roster.formed_class(received.event) for received in events])

    @on(enrollment.TeachingAssigned)
    async def on_teaching_assigned(self, events: Sequence[Received[enrollment.TeachingAssigned]]) -> None:
        await self.roster.teaching([roster.teaching(received.event) for received in events])

    @on(enrollment.PupilsEnrolled)
    async def on_pupils_enrolled(self, events: Sequence[Received[enrollment.PupilsEnrolled]]) -> None:
        await self.roster.enrolments([one for received in events for one in roster.enrolments(received.event, self.envelope)])

    @on(enrollment.PupilTransferred)
    async def on_pupil_transferred(self, events: Sequence[Received[enrollment.PupilTransferred]]) -> None:
        await self.roster.transfers([roster.transfer(received.event) for received in events])

    @on(archive.TranscriptRevoked)
    async def on_transcript_revoked(self, events: Sequence[Received[archive.TranscriptRevoked]]) -> None:
        for received in events:
            await self.withdraw(received.event.transcript.transcript_id, received.event.transcript.version)
