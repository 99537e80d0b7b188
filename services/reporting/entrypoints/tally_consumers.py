"""What wakes the counting of things that are no pupils. A group of its own, so that it reads what was told before it was there."""

from collections.abc import Sequence
from dataclasses import dataclass

from hocba.enrollment.v1.events_pb2 import SchoolRegistered, StaffAppointed
from hocba.locking.v1.events_pb2 import UnlockMoved
from hocba.signing.v1.events_pb2 import CertificateMoved
from services.chassis.consumer import Received, on
from services.reporting import contracts
from services.reporting.application.tally_things import PlaceSchools, TallyThings


@dataclass(frozen=True)
class TallyConsumers:
    """Each batch is a transaction for each subject; versions in the facts make repeats and reorders harmless."""

    place_schools: PlaceSchools
    staff: TallyThings
    unlocks: TallyThings

    @on(SchoolRegistered)
    async def on_school_registered(self, events: Sequence[Received[SchoolRegistered]]) -> None:
        await self.place_schools([contracts.school(received.event) for received in events])
        await self.staff([contracts.seal_of_school(received.event) for received in events])

    @on(StaffAppointed)
    async def on_staff_appointed(self, events: Sequence[Received[StaffAppointed]]) -> None:
        await self.staff([contracts.staff_appointed(received.event) for received in events])

    @on(CertificateMoved)
    async def on_certificate_moved(self, events: Sequence[Received[CertificateMoved]]) -> None:
        await self.staff([news for received in events for news in contracts.certificate_moved(received.event)])

    @on(UnlockMoved)
    async def on_unlock_moved(self, events: Sequence[Received[UnlockMoved]]) -> None:
        await self.unlocks([contracts.unlock_step(received.event) for received in events])
