"""What wakes reporting: everything that the others tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from hocba.archive.v1.events_pb2 import TranscriptRevoked, TranscriptsAcknowledged, TranscriptsArchived, TranscriptsRejected, TranscriptsSubmitted
from hocba.enrollment.v1.events_pb2 import ClassFormed, PupilsEnrolled, PupilTransferred, SchoolRegistered
from hocba.grading.v1.events_pb2 import ClassSealed, SheetSaved
from hocba.locking.v1.events_pb2 import UnlockMoved
from hocba.signing.v1.events_pb2 import ManifestMoved, RoleSigned, SheetsSigned, TranscriptsSigned
from services.chassis.consumer import Received, on
from services.reporting import contracts
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.keep_details import KeepDetails


@dataclass(frozen=True)
class ReportingConsumers:
    """Each batch is one transaction; versions in the facts make repeats and reorders harmless."""

    apply: ApplyNews
    keep: KeepDetails

    @on(SchoolRegistered)
    async def on_school_registered(self, events: Sequence[Received[SchoolRegistered]]) -> None:
        await self.keep(schools=[contracts.school(received.event) for received in events])

    @on(ClassFormed)
    async def on_class_formed(self, events: Sequence[Received[ClassFormed]]) -> None:
        await self.apply([], [contracts.class_formed(received.event) for received in events])

    @on(PupilsEnrolled)
    async def on_pupils_enrolled(self, events: Sequence[Received[PupilsEnrolled]]) -> None:
        await self.apply(*contracts.merged(contracts.pupils_enrolled(received.event, received.at) for received in events))

    @on(PupilTransferred)
    async def on_pupil_transferred(self, events: Sequence[Received[PupilTransferred]]) -> None:
        await self.apply(*contracts.merged(contracts.pupil_transferred(received.event, received.at) for received in events))

    @on(SheetSaved)
    async def on_sheet_saved(self, events: Sequence[Received[SheetSaved]]) -> None:
        await self.keep(sheets=[contracts.sheet(received.event) for received in events])

    @on(ClassSealed)
    async def on_class_sealed(self, events: Sequence[Received[ClassSealed]]) -> None:
        await self.apply(*contracts.merged(contracts.class_sealed(received.event, received.at) for received in events))

    @on(UnlockMoved)
    async def on_unlock_moved(self, events: Sequence[Received[UnlockMoved]]) -> None:
        await self.keep(unlocks=[contracts.unlock(received.event) for received in events])

    @on(ManifestMoved)
    async def on_manifest_moved(self, events: Sequence[Received[ManifestMoved]]) -> None:
        await self.apply(*contracts.merged(contracts.manifest_moved(received.event, received.at) for received in events))

    @on(RoleSigned)
    async def on_role_signed(self, events: Sequence[Received[RoleSigned]]) -> None:
        await self.apply(*contracts.merged(contracts.role_signed(received.event, received.at) for received in events))

    @on(SheetsSigned)
    async def on_sheets_signed(self, events: Sequence[Received[SheetsSigned]]) -> None:
        await self.apply(*contracts.merged(contracts.sheets_signed(received.event, received.at) for received in events))

    @on(TranscriptsSigned)
    async def on_transcripts_signed(self, events: Sequence[Received[TranscriptsSigned]]) -> None:
        await self.apply(*contracts.merged(contracts.transcripts_signed(received.event, received.at) for received in events))

    @on(TranscriptsArchived)
    async def on_transcripts_archived(self, events: Sequence[Received[TranscriptsArchived]]) -> None:
        await self.apply(*contracts.merged(contracts.transcripts_archived(received.event, received.at) for received in events))

    @on(TranscriptRevoked)
    async def on_transcript_revoked(self, events: Sequence[Received[TranscriptRevoked]]) -> None:
        await self.apply(*contracts.merged(contracts.transcript_revoked(received.event, received.at) for received in events))

    @on(TranscriptsRejected)
    async def on_transcripts_rejected(self, events: Sequence[Received[TranscriptsRejected]]) -> None:
        await self.apply(*contracts.merged(contracts.transcripts_rejected(received.event, received.at) for received in events))

    @on(TranscriptsSubmitted)
    async def on_transcripts_submitted(self, events: Sequence[Received[TranscriptsSubmitted]]) -> None:
        await self.apply(*contracts.merged(contracts.transcripts_submitted(received.event, received.at) for received in events))

    @on(TranscriptsAcknowledged)
    async def on_transcripts_acknowledged(self, events: Sequence[Received[TranscriptsAcknowledged]]) -> None:
        await self.apply(*contracts.merged(contracts.transcripts_acknowledged(received.event, received.at) for received in events))
