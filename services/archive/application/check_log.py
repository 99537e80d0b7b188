"""Rebuild the log's root from the database and from the tiles, compare both with every signed checkpoint, and each object with its digest."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.archive.application.check_status import CheckStatus
from services.archive.application.log_ports import KeptPack, LogState, Objects, PlacedLeaf, SignedCheckpoint, TileStore
from services.archive.application.log_tiles import files_of
from services.archive.application.ports import Location, Vault
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import Frontier, leaf_hash
from services.archive.domain.signed_note import NoteError, NoteVerifier, read_note, verified
from services.archive.domain.statement import document_of, revokes
from services.archive.domain.tiles import CHECKPOINT, WIDTH, entries_of, grown, right_edge, tile_at
from services.chassis.errors import ServiceError

CHUNK = 64 * WIDTH
"""Leaves that are held at a time: 5 MB or so."""
Wanted = Callable[[bytes], bool]
"""Whether the pack or the dossier with this SHA-256 is to be read."""
Progress = Callable[[str, int, int], None]
"""Told what is looked at (`leaves` or `documents`), how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that isn't what it was: a stable code, where, and what is seen there."""

    code: str
    where: str
    detail: str = ""


@dataclass
class LogInspection:
    """What was found. `root_*` are the roots of the newest signed tree, None where it couldn't be made."""

    leaves: int = 0
    checkpoints: int = 0
    documents: int = 0
    dossiers: int = 0
    """Those that came from elsewhere."""
    root_signed: bytes | None = None
    root_database: bytes | None = None
    root_tiles: bytes | None = None
    faults: list[Fault] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is at fault."""
        return not self.faults

    @property
    def first_broken(self) -> int | None:
        """The first leaf that isn't what it was."""
        return min((int(fault.where) for fault in self.faults if fault.code in ("leaf_missing", "document_differs", "revocation_differs")), default=None)


@dataclass(frozen=True, slots=True)
class CheckLog:
    """`hocba archive fsck`. With `mend`, lost or changed tiles are made again, if the database still gives the signed root."""

    state: LogState
    store: TileStore | None
    """None where this process has no way to the log's files: then the database's leaves are compared with the checkpoints alone."""
    objects: Objects
    vault: Vault
    log_key: NoteVerifier | None
    """The log's public key; None where no signature can be checked."""

    async def __call__(
        self, progress: Progress = lambda *_: None, *, documents: bool = True, mend: bool = False, wanted: Wanted = lambda _: True
    ) -> LogInspection:
        """What was found, and mended; of packs and dossiers those that are `wanted` are read."""
        files = await self._tree(progress)
        found = files.found
        if self.store is not None and mend and files.broken and found.root_database == found.root_signed:
            for name, data in files.broken.items():
                await self.store.replace(name, data)
                found.mended.append(name)
            # Looked at again from the beginning: only what is read back counts as mended.
            again = await self._tree(progress)
            again.found.mended = found.mended
            found = again.found
        if documents:
            await self._documents(found, progress, wanted)
        return found

    async def _tree(self, progress: Progress) -> "_Files":
        # In this order: a log that grows meanwhile must not look like one that was changed.
        head = await self.state.head()
        published = await self.store.read(CHECKPOINT) if self.store is not None else None
        known = {checkpoint.size: checkpoint async for checkpoint in self.state.checkpoints(0)}
        size = head.signed
        files = _Files(size)
        found = files.found
        found.leaves = size
        signed = [checkpoint for checkpoint in known.values() if checkpoint.size <= size]
        found.checkpoints = len(signed)
        due = iter([*signed, None])
        waited_for = next(due)
        tree = Frontier()
        for start in range(0, size, CHUNK):
            leaves = await self.state.placed_leaves(start, min(size, start + CHUNK))
            if len(leaves) != min(size, start + CHUNK) - start:
                places = {leaf.index for leaf in leaves}
                found.faults.append(Fault("leaf_missing", str(next(index for index in range(start, size) if index not in places))))
                return files
            for leaf in leaves:
                self._compare_document(found, leaf)
                tree.append(leaf_hash(leaf.statement))
                if waited_for is not None and tree.size == waited_for.size:
                    self._compare_checkpoint(found, waited_for, tree.root)
                    waited_for = next(due)
            if self.store is not None:
                await files.compare(self.store, start, [leaf.statement for leaf in leaves])
            progress("leaves", start + len(leaves), size)
        found.root_database, found.root_tiles = tree.root if size else None, files.root
        found.root_signed = signed[-1].root if signed else None
        if waited_for is not None or (signed and signed[-1].size != size):
            found.faults.append(Fault("checkpoint_differs", str(signed[-1].size), f"the log says that {size} leaves are signed"))
        if self.store is not None:
            if size and found.root_tiles != found.root_signed:
                found.faults.append(Fault("tiles_root_differs", "tile", found.root_tiles.hex() if found.root_tiles else "can't be made"))
            final = await self.state.final()
            if not self._compare_published(found, published, known, head.published) and final is not None:
                files.broken[CHECKPOINT] = final.note
        await self._status(files, sorted(signed, key=lambda checkpoint: checkpoint.size), (size, head.published))
        return files

    async def _status(self, files: "_Files", signed: Sequence[SignedCheckpoint], looked_at: Sequence[int]) -> None:
        status = await CheckStatus(self.state, self.store)(signed, looked_at)
        faults = (("status_differs", status.checkpoints), ("tile_missing", status.missing), ("tile_differs", status.differing))
        files.found.faults += [Fault(code, where) for code, places in faults for where in places]
        files.broken |= status.missing | status.differing

    def _compare_document(self, found: LogInspection, leaf: PlacedLeaf) -> None:
        if leaf.sha256 is not None and document_of(leaf.statement) != leaf.sha256.hex():
            found.faults.append(Fault("document_differs", str(leaf.index), f"the index holds {leaf.sha256.hex()}"))
        if (leaf.due is not None or revokes(leaf.statement)) and leaf.due != leaf.statement:
            # A revocation that the database doesn't know, or knows otherwise: decision, version and time are in the leaf.
            found.faults.append(Fault("revocation_differs", str(leaf.index), "the database knows no such revocation" if leaf.due is None else ""))

    def _compare_checkpoint(self, found: LogInspection, checkpoint: SignedCheckpoint, root: bytes) -> None:
        try:
            note = read_note(checkpoint.note)
            told = Checkpoint.read(note.text)
            signatures = verified(note, [self.log_key]) if self.log_key else [None]
        except NoteError as error:
            found.faults.append(Fault("checkpoint_unreadable", str(checkpoint.size), str(error)))
            return
        if not (root == checkpoint.root == told.root and told.size == checkpoint.size and signatures):
            found.faults.append(Fault("checkpoint_differs", str(checkpoint.size), f"the leaves give {root.hex()}"))

    def _compare_published(self, found: LogInspection, data: bytes | None, signed: dict[int, SignedCheckpoint], published: int) -> bool:
        """Whether the file that everybody sees is a checkpoint; one that was never signed here is a fault, and left for people to see."""
        if data is None:
            if published:
                found.faults.append(Fault("checkpoint_missing", CHECKPOINT))
            return not published
        try:
            told = Checkpoint.read(read_note(data).text)
        except NoteError as error:
            found.faults.append(Fault("checkpoint_unreadable", CHECKPOINT, str(error)))
            return False
        if told.size not in signed or signed[told.size].root != told.root:
            found.faults.append(Fault("checkpoint_differs", CHECKPOINT, f"{told.size} leaves, root {told.root.hex()}, was never signed"))
        return True

    async def _documents(self, found: LogInspection, progress: Progress, wanted: Wanted) -> None:
        total = await self.state.count_documents() + await self.state.count_dossiers()
        async for pack in self.state.packs():
            if not wanted(pack.digest):
                continue
            await self._compare_pack(found, pack)
            found.documents += len(pack.documents)
            progress("documents", found.documents, total)
        async for place in self.state.dossiers():
            if wanted(place.sha256):
                await self._compare_stored(found, place, "dossier")
                found.dossiers += 1
                progress("documents", found.documents + found.dossiers, total)

    async def _compare_pack(self, found: LogInspection, pack: KeptPack) -> None:
        try:
            if hashlib.sha256(await self.objects.read(pack.name, 0, pack.size)).digest() != pack.digest:
                found.faults.append(Fault("object_differs", pack.name))
        except ServiceError as error:
            found.faults.append(Fault("object_missing", pack.name, error.message))
            return
        for place in pack.documents:
            # Opened too: a pack that is whole is of no use without its data keys.
            await self._compare_stored(found, place, "document")

    async def _compare_stored(self, found: LogInspection, place: Location, what: str) -> None:
        try:
            if hashlib.sha256(await self.vault.read(place)).digest() != place.sha256:
                found.faults.append(Fault("object_differs", place.pack_name, f"{what} {place.sha256.hex()}"))
        except ServiceError as error:
            found.faults.append(Fault(error.code, place.pack_name, f"{what} {place.sha256.hex()}: {error.message}"))


class _Files:
    """The log's files beside what the database says that they hold."""

    def __init__(self, size: int) -> None:
        self.found = LogInspection()
        self.broken: dict[str, bytes] = {}
        """What each lost or changed file must hold."""
        self._size = size
        self._edge: dict[int, bytes] = {}
        self._tree: Frontier | None = Frontier()

    @property
    def root(self) -> bytes | None:
        """The root that the entry bundles give; None when one can't be read."""
        return self._tree.root if self._tree is not None and self._tree.size else None

    async def compare(self, store: TileStore, start: int, entries: Sequence[bytes]) -> None:
        """Compare the files of the leaves from `start` on."""
        end = start + len(entries)
        made = grown(start, self._edge, [leaf_hash(entry) for entry in entries])
        for tile, data in made.items():
            # Between chunks the right edge isn't the log's.
            if tile == tile_at(tile.level, tile.index, self._size):
                below = entries[tile.index * WIDTH - start :][: tile.width] if tile.level == 0 else ()
                whole = files_of(tile.whole, b"", ())
                for (name, expected), full in zip(files_of(tile, data, below).items(), whole, strict=True):
                    held = await store.read(name)
                    if held is None and name != full:
                        # A partial tile may go once it is full; it was the full one's beginning.
                        held = (await store.read(full) or b"")[: len(expected)] or None
                    self._compare_file(name, expected, held)
        for tile in right_edge(end):
            self._edge[tile.level] = made.get(tile, self._edge.get(tile.level, b""))

    def _compare_file(self, name: str, expected: bytes, data: bytes | None) -> None:
        if name.startswith("tile/entries/"):
            self._follow(data)
        if data != expected:
            self.broken[name] = expected
            self.found.faults.append(Fault("tile_missing" if data is None else "tile_differs", name))

    def _follow(self, bundle: bytes | None) -> None:
        if self._tree is None:
            return
        try:
            if bundle is None:
                raise ValueError("missing")
            for entry in entries_of(bundle):
                self._tree.append(leaf_hash(entry))
        except ValueError:
            self._tree = None
