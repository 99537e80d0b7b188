"""Make the evidence record of one document from its batch's time stamps."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.archive.application.copy_ports import Copies
from services.archive.application.evidence_ports import BatchStamp, EvidenceLedger, RecordCodec
from services.archive.application.ports import Catalogue, Entry, SheetEntry, Viewer
from services.archive.domain.copies import CertifiedCopy
from services.archive.domain.evidence import ArchiveTimeStamp, Chain, HashTree, Lists
from services.chassis.errors import NotFound


@dataclass(frozen=True, slots=True)
class Evidence:
    """A document's evidence: empty while its batch has no time stamp."""

    version: int
    sha256: bytes
    record: bytes
    stamped_at: tuple[datetime, ...]
    """The times of all time stamps."""
    good_until: datetime | None
    """When the authority of the last one ends: the day by which it must be renewed."""


@dataclass(frozen=True, slots=True)
class BatchRecords:
    """Rebuilds the chains of a batch's documents; what they share is made once."""

    ledger: EvidenceLedger
    codec: RecordCodec

    async def chains(self, batch_id: int, places: Sequence[int]) -> list[tuple[Chain, ...]]:
        """The chains of the documents at these places, with every time stamp that has its token."""
        stamps = await self.ledger.stamps(batch_id)
        ways: list[list[tuple[BatchStamp, list[Lists]]]] = []
        before: BatchStamp | None = None
        for stamp in stamps:
            ways += [[]] if stamp.position == 1 else []
            ways[-1].append((stamp, await self._ways(batch_id, stamp, before, places)))
            before = stamp
        return await asyncio.to_thread(self._built, ways, len(places))

    async def _ways(self, batch_id: int, stamp: BatchStamp, before: BatchStamp | None, places: Sequence[int]) -> list[Lists]:
        if stamp.position > 1:
            leaves = await self.ledger.leaves(stamp.stamp_id)
            tree = await asyncio.to_thread(HashTree, stamp.algorithm, [[leaf] for leaf in leaves])
            return [tree.reduced(stamp.place)] * len(places)
        leaves = await (self.ledger.renewed_leaves(batch_id, before.stamp_id, stamp.algorithm) if before else self.ledger.documents(batch_id))
        tree = await asyncio.to_thread(HashTree, stamp.algorithm, [[leaf] for leaf in leaves])
        return [tree.reduced(place) for place in places]

    def _built(self, ways: Sequence[Sequence[tuple[BatchStamp, list[Lists]]]], documents: int) -> list[tuple[Chain, ...]]:
        shared: dict[tuple[int, Lists], ArchiveTimeStamp] = {}

        def one(stamp: BatchStamp, lists: Lists) -> ArchiveTimeStamp:
            # A renewal of time stamps is the same for all documents of a batch.
            key = (stamp.stamp_id, lists)
            if key not in shared:
                shared[key] = self.codec.archive_time_stamp(stamp.algorithm, lists, stamp.token)
            return shared[key]

        return [tuple(tuple(one(stamp, lists[number]) for stamp, lists in chain) for chain in ways) for number in range(documents)]


@dataclass(frozen=True, slots=True)
class GetEvidence:
    """For whoever may see the document."""

    catalogue: Catalogue
    copies: Copies
    ledger: EvidenceLedger
    records: BatchRecords

    async def of_transcript(self, viewer: Viewer, transcript_id: str, version: int) -> tuple[Entry, Evidence]:
        """The index entry of one version of a transcript (0: the latest), and its evidence. NotFound for what isn't there and for what isn't yours."""
        entry = await self.catalogue.entry(viewer, transcript_id, version)
        if entry is None:
            raise NotFound(f"the archive holds no such version of transcript {transcript_id} that you may see", code="no_transcript")
        return entry, await self._of(entry.ref.version, entry.sha256)

    async def of_sheet(self, viewer: Viewer, sheet_id: str, version: int) -> tuple[SheetEntry, Evidence]:
        """Of one version of a class-subject sheet (0: the latest). NotFound as above."""
        entry = await self.catalogue.sheet(viewer, sheet_id, version)
        if entry is None:
            raise NotFound(f"the archive holds no such version of sheet {sheet_id} that you may see", code="no_sheet")
        return entry, await self._of(entry.ref.version, entry.sha256)

    async def of_copy(self, viewer: Viewer, copy_id: str) -> tuple[CertifiedCopy, Evidence]:
        """Of a certified copy or an extract. NotFound as above, and while it waits for the seal."""
        found = await self.copies.place(viewer, copy_id)
        if found is None:
            raise NotFound(f"the archive knows no copy {copy_id} that you may see", code="no_copy")
        copy, place = found
        if place is None:
            raise NotFound(f"copy {copy_id} waits for the school's seal; there is evidence once it is issued", code="copy_not_issued")
        return copy, await self._of(1, place.sha256)

    async def _of(self, version: int, sha256: bytes) -> Evidence:
        found = await self.ledger.place_of(sha256)
        stamps = await self.ledger.stamps(found[0]) if found else ()
        if found is None or not stamps:
            return Evidence(version, sha256, b"", (), None)
        (chains,) = await self.records.chains(found[0], [found[1]])
        return Evidence(version, sha256, self.records.codec.encode(chains), tuple(stamp.stamped_at for stamp in stamps), stamps[-1].good_until)
