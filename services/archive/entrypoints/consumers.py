"""What wakes the archive: signing has finished sheets, transcripts or certified copies of a class."""

from collections.abc import Sequence
from dataclasses import dataclass

from hocba.signing.v1.events_pb2 import CopiesSigned, SheetsSigned, TranscriptsSigned
from services.archive import contracts
from services.archive.application.admit_copies import AdmitCopies
from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.evidence_window import EvidenceWindow
from services.chassis.consumer import Received, on


@dataclass(frozen=True)
class ArchiveConsumers:
    """Each class is a transaction of its own; a repeat changes nothing."""

    admit: AdmitTranscripts
    admit_sheets: AdmitSheets
    admit_copies: AdmitCopies
    window: EvidenceWindow

    @on(TranscriptsSigned)
    async def on_transcripts_signed(self, events: Sequence[Received[TranscriptsSigned]]) -> None:
        for received in events:
            await self.window.check()
            await self.admit(contracts.signed_class(received.event))

    @on(SheetsSigned)
    async def on_sheets_signed(self, events: Sequence[Received[SheetsSigned]]) -> None:
        for received in events:
            await self.window.check()
            await self.admit_sheets(contracts.signed_sheets(received.event))

    @on(CopiesSigned)
    async def on_copies_signed(self, events: Sequence[Received[CopiesSigned]]) -> None:
        for received in events:
            await self.window.check()
            await self.admit_copies(contracts.signed_copies(received.event))
