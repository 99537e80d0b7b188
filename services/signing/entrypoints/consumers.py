"""What wakes signing: grading sealed a class, or enrollment told of schools, staff and who teaches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hocba.archive.v1.events_pb2 import CopyOrdered
from hocba.enrollment.v1.events_pb2 import ClassFormed, SchoolRegistered, StaffAppointed, StaffProfile, TeachingAssigned
from hocba.grading.v1.events_pb2 import ClassSealed, SealedRecords
from services.chassis.consumer import Received, on
from services.signing import contracts
from services.signing.application.know_people import KnowPeople
from services.signing.application.take_copy import TakeCopy
from services.signing.application.take_sealed_class import TakeSealedClass

Open = Callable[[Any, type[Any]], Any]
"""Opens a sealed part of an event as a message."""


@dataclass(frozen=True)
class SigningConsumers:
    """Each class is a transaction of its own; versions make a repeat harmless."""

    take_sealed_class: TakeSealedClass
    take_copy: TakeCopy
    know_people: KnowPeople
    open: Open

    @on(ClassSealed)
    async def on_class_sealed(self, events: Sequence[Received[ClassSealed]]) -> None:
        for received in events:
            opened = self.open(received.event.records, SealedRecords) if received.event.records.jwe else SealedRecords()
            await self.take_sealed_class(contracts.sealed_class_of(received.event, opened.records, opened.sheets))

    @on(CopyOrdered)
    async def on_copy_ordered(self, events: Sequence[Received[CopyOrdered]]) -> None:
        for received in events:
            await self.take_copy(*contracts.ordered_copy_of(received.event))

    @on(SchoolRegistered)
    async def on_school_registered(self, events: Sequence[Received[SchoolRegistered]]) -> None:
        await self.know_people([contracts.school_fact_of(received.event) for received in events])

    @on(StaffAppointed)
    async def on_staff_appointed(self, events: Sequence[Received[StaffAppointed]]) -> None:
        await self.know_people([contracts.staff_fact_of(r.event, self.open(r.event.profile, StaffProfile)) for r in events])

    @on(ClassFormed)
    async def on_class_formed(self, events: Sequence[Received[ClassFormed]]) -> None:
        await self.know_people([contracts.homeroom_fact_of(received.event) for received in events])

    @on(TeachingAssigned)
    async def on_teaching_assigned(self, events: Sequence[Received[TeachingAssigned]]) -> None:
        await self.know_people([contracts.teaching_fact_of(received.event) for received in events])
