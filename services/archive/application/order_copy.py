"""Order a certified copy of an issued transcript, or an extract from it: number it, and let signing make it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.archive.application.copy_ports import Copies, OriginalStaging
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.revocation_ports import Caller
from services.archive.domain.copies import CertifiedCopy, CopyRef, content_of, number_text, year_of
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.extracts import NotInTheRecord, chosen, content_of_extract, part_of
from services.archive.domain.pack import build_pack
from services.chassis.clock import Clock
from services.chassis.errors import Conflict, Malformed, NotFound, Refused


@dataclass(frozen=True, slots=True)
class OrderCopy:
    """1. read the original, 2. put it where signing finds it, 3. number, order and event in one transaction."""

    get: GetTranscript
    copies: Copies
    staging: OriginalStaging
    new_public_id: Callable[[], str]
    clock: Clock

    async def __call__(self, caller: Caller, copy_id: str, transcript_id: str, version: int, parts: Sequence[str] | None = None) -> CertifiedCopy:
        """The copy as it is kept; a repeat by its id gives the same and puts the original into staging again.

        Version 0 is the latest. Refused for a version that another has replaced or that is revoked: what it is worth says its status.
        With `parts` it is an extract of these; Malformed when the record lacks one, with all that it has.
        """
        async with self.copies.transaction(caller.viewer) as work:
            kept = await work.get(copy_id)
        if kept is not None:
            if kept.source.ref.transcript_id != transcript_id or version not in (0, kept.source.ref.version):
                raise Conflict(f"copy {copy_id} was ordered of another original; make a new id", code="request_id_reused")
            version = kept.source.ref.version
        entry, original = await self.get(caller.viewer, transcript_id, version)
        record = examine(original, TRANSCRIPT).record
        if record is None:
            raise Refused(f"the record of transcript {transcript_id} can't be read; have the archive checked (fsck)", code="archive_damaged")
        try:
            wanted = () if parts is None else chosen(record, parts)
        except NotInTheRecord as error:
            raise Malformed(str(error), code="parts") from None
        if kept is not None:
            if kept.parts != wanted:
                raise Conflict(f"copy {copy_id} was ordered with other parts; make a new id", code="request_id_reused")
            await self._stage(kept, original, record)
            return kept
        if entry.superseded_by:
            raise Refused(f"version {entry.ref.version} was replaced by version {entry.superseded_by}; order a copy of that one", code="superseded")
        now = self.clock.now()
        year = year_of(now)
        public_id = self.new_public_id()
        async with self.copies.transaction(caller.viewer) as work:
            source = await work.issued(transcript_id, entry.ref.version)
            if source is None:
                raise NotFound(f"the archive holds no version {entry.ref.version} of transcript {transcript_id} that you may see", code="no_transcript")
            if await work.is_revoked(source):
                raise Refused(f"version {entry.ref.version} of transcript {transcript_id} is revoked", code="revoked")
            number = await work.next_number(source.school_id, source.province_id, year)
            told = copy_id, public_id, number_text(number, year, is_extract=bool(wanted)), source, record
            content = content_of_extract(*told, wanted) if wanted else content_of(*told)
            ref = CopyRef(copy_id, hashlib.sha256(content).digest(), public_id)
            copy = CertifiedCopy(ref, number, year, source, content, caller.person.account_id, now, wanted)
            # Before the order is told; what is put there and never ordered is swept with the rest of staging.
            await self._stage(copy, original, record)
            await work.order(copy)
        return copy

    async def _stage(self, copy: CertifiedCopy, original: bytes, record: bytes) -> None:
        if copy.issued_at is None:
            beside = part_of(record, copy.parts, copy.ref.copy_id) if copy.is_extract else original
            await self.staging.keep(copy.pack_name, build_pack({copy.file_name: beside}).data)
