"""Extend the transparency log: sequence, integrate, check, sign. Publication is another step (`publish_log.py`)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.archive.application.log_ports import CheckpointSigner, LogState, SignedCheckpoint, TileStore
from services.archive.application.log_status import LogStatus
from services.archive.application.log_tiles import LogTiles, damaged, files_of
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import EMPTY, is_consistent, leaf_hash, root_of
from services.archive.domain.signed_note import NoteError, SignedNote, read_note
from services.archive.domain.tiles import CHECKPOINT, HEIGHT, WIDTH, Tile, changed, grown, right_edge, split_hashes
from services.chassis.clock import Clock
from services.chassis.errors import Conflict, Refused

BATCH = 4096


@dataclass(frozen=True, slots=True)
class ExtendLog:
    """Phases that may each be repeated after a crash between any two of them; the same leaves give the same bytes.

    1. SEQUENCE   the oldest waiting leaves get their places, for ever
    2. INTEGRATE  entry bundles, tiles and what has changed of the status list are written from the database's leaves, put if absent
    3. CHECK      what was written is read again, its root computed anew and compared with the last signed checkpoint: a flipped
                  bit on the way must never be signed. The status list is made anew from the entries that were read
    4. SIGN       compare and swap on size and epoch, so that a second integrator, or one that slept, signs no fork
    """

    state: LogState
    store: TileStore
    signer: CheckpointSigner
    clock: Clock
    batch: int = BATCH

    async def take_over(self) -> int:
        """The epoch under which this process may go on. Refused when the published log is not the database's."""
        epoch = await self.state.take_over()
        published = await self.store.read(CHECKPOINT)
        if published is not None:
            try:
                told = Checkpoint.read(read_note(published).text)
            except NoteError as error:
                raise damaged(CHECKPOINT, f"no checkpoint ({error})") from error
            known = await self.state.checkpoint(told.size)
            if told.origin != self.signer.public.name or known is None or known.root != told.root:
                raise Refused(
                    f"the published checkpoint of {told.origin} with {told.size} leaves was never signed by this database's log. Was an old backup "
                    "restored, or another log's folder set? Going on would fork the log; restore the newest database, or set an empty folder and a new key",
                    code="log_forked",
                )
        return epoch

    async def __call__(self, epoch: int) -> int:
        """How many leaves the newest checkpoint has more than the one before; 0 when nothing waits."""
        await self.state.sequence(epoch, self.batch)
        head = await self.state.head()
        old, new = head.signed, min(head.sequenced, head.signed + self.batch)
        if new == old:
            return 0
        await self.integrate(old, new)
        checkpoint = await self.check(old, new)
        await self.state.sign(epoch, old, self.signed(checkpoint), self.clock.now())
        return new - old

    async def integrate(self, old: int, new: int) -> None:
        """Write the tiles and bundles that a tree of `new` leaves has and one of `old` lacks."""
        tiles = LogTiles(self.store)
        edge = {tile.level: await tiles.tile(tile) for tile in right_edge(old)}
        # From the beginning of the bundle that the old tree ends in, since that is written anew with what comes behind.
        start = old // WIDTH * WIDTH
        entries = await self.state.statements(start, new)
        if len(entries) != new - start:
            raise Conflict(f"the database has {len(entries)} of the leaves from {start} to {new}; look again", code="log_behind")
        # Some 20 ms of hashing a batch: away from the event loop, so that calls are answered meanwhile.
        await self.store.keep(await asyncio.to_thread(_files, old, start, edge, entries))
        _, of_status = await LogStatus(self.state, self.store).grown(old, entries[old - start :])
        await self.store.keep(of_status)

    async def check(self, old: int, new: int) -> Checkpoint:
        """The checkpoint of `new` leaves, from files read again; Refused when they don't fit each other or the last checkpoint."""
        tiles = LogTiles(self.store, kept=BATCH // WIDTH)
        added: list[bytes] = []
        for tile in changed(old, new):
            hashes = split_hashes(await tiles.tile(tile))
            first = 0
            if tile.level == 0:
                entries = await tiles.entries(tile)
                added += entries[max(0, old - tile.index * WIDTH) :]
                below = [leaf_hash(entry) for entry in entries]
            else:
                # What stood in it before is held by the consistency with the last checkpoint.
                first = max(0, (old >> HEIGHT * tile.level) - tile.index * WIDTH)
                children = [Tile(tile.level - 1, tile.index * WIDTH + place) for place in range(first, tile.width)]
                below = [root_of(split_hashes(await tiles.tile(child))) for child in children]
            if hashes[first:] != below:
                raise damaged(tile.name, "not made of the hashes of what lies below it")
        root = await tiles.root(new)
        before = await self.state.checkpoint(old) if old else None
        path = await tiles.consistency(old, new)
        if not is_consistent(old, before.root if before else EMPTY, new, root, path):
            raise Refused(f"the log's {new} leaves don't continue the checkpoint of {old}; nothing is signed. See `hocba archive fsck`", code="log_damaged")
        status = await LogStatus(self.state, self.store).check(old, added)
        return Checkpoint(self.signer.public.name, new, root, (status.line,))

    def signed(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        """The checkpoint as a note; it leaves this process only with the row that wins the swap."""
        note = SignedNote(checkpoint.text, (self.signer.sign(checkpoint.text),))
        return SignedCheckpoint(checkpoint.size, checkpoint.root, note.encoded())


def _files(old: int, start: int, edge: Mapping[int, bytes], entries: Sequence[bytes]) -> dict[str, bytes]:
    """The files that the entries from `start` on add to a log of `old` leaves, by name."""
    files: dict[str, bytes] = {}
    for tile, data in grown(old, edge, [leaf_hash(entry) for entry in entries[old - start :]]).items():
        first = tile.index * WIDTH - start
        files |= files_of(tile, data, entries[first : first + tile.width] if tile.level == 0 else ())
    return files
