"""What enrollment tells, taken in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hocba.enrollment.v1 import events_pb2 as pb
from services.chassis.consumer import Received, on
from services.locking import contracts
from services.locking.application.follow_roster import FollowRoster
from services.locking.contracts import refusals_spoken


@dataclass(frozen=True, slots=True)
class LockingConsumers:
    """Kafka face of locking; every handler is guarded by versions, so a repeat is harmless."""

    follow: FollowRoster

    @on(pb.SchoolRegistered)
    async def on_school_registered(self, events: Sequence[Received[pb.SchoolRegistered]]) -> None:
        with refusals_spoken():
            await self.follow.schools([contracts.school_row(received.event) for received in events])

    @on(pb.ClassFormed)
    async def on_class_formed(self, events: Sequence[Received[pb.ClassFormed]]) -> None:
        with refusals_spoken():
            await self.follow.classes([contracts.class_row(received.event) for received in events])

    @on(pb.StaffAppointed)
    async def on_staff_appointed(self, events: Sequence[Received[pb.StaffAppointed]]) -> None:
        with refusals_spoken():
            await self.follow.staff([contracts.staff_row(received.event) for received in events])

    @on(pb.TeachingAssigned)
    async def on_teaching_assigned(self, events: Sequence[Received[pb.TeachingAssigned]]) -> None:
        with refusals_spoken():
            await self.follow.teaching([contracts.teaching_row(received.event) for received in events])

    @on(pb.PupilsEnrolled)
    async def on_pupils_enrolled(self, events: Sequence[Received[pb.PupilsEnrolled]]) -> None:
        with refusals_spoken():
            await self.follow.pupils(sorted({UUID(received.event.class_id) for received in events}))
