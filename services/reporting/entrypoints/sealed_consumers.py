"""What wakes reporting and is sealed for it: the only events that need its reader key."""

from collections.abc import Sequence
from dataclasses import dataclass

from hocba.grading.v1.events_pb2 import ResultsTallied, ResultTally
from services.chassis.consumer import Received, on
from services.chassis.envelope import Envelope
from services.reporting import contracts
from services.reporting.application.count_results import CountResults
from services.reporting.entrypoints.consumers import ReportingConsumers


@dataclass(frozen=True, kw_only=True)
class SealedConsumers(ReportingConsumers):
    """The open events and these, in one group: members of a group must all take the same types, since each gets a share of the partitions."""

    count: CountResults
    envelope: Envelope

    @on(ResultsTallied)
    async def on_results_tallied(self, events: Sequence[Received[ResultsTallied]]) -> None:
        await self.count([contracts.class_tally(received.event, self.envelope.open(received.event.tally, ResultTally)) for received in events])
