"""Keeps the log's status list beside its tiles, under names that follow from what the files hold."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from services.archive.application.log_ports import LogState, SignedCheckpoint, TileStore
from services.archive.application.log_tiles import damaged
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import leaf_hash
from services.archive.domain.signed_note import read_note
from services.archive.domain.status_list import CHUNK_LEAVES, EMPTY_CHUNK, StatusList, StatusProof, by_chunk, chunk_name, document_in, marked, said, status_root

PAGE = 16_384
"""Leaves that are held at a time while a list is made from the beginning."""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """The list of any checkpoint: grown from that of the one before, or, where that has none, from all leaves."""

    state: LogState
    store: TileStore

    async def grown(self, old: int, entries: Sequence[bytes]) -> tuple[StatusList, dict[str, bytes]]:
        """(the list of the log with `entries` behind its first `old` leaves, the files that it needs beside those of before)."""
        before = await self._of(await self.state.checkpoint(old) if old else None)
        if before is None:
            # The log is older than its status list: once, all that was ever said is looked at.
            before, files = await self._with_marks(StatusList(), old, await self._marks([found async for found in self._sayings(old)]), {})
        else:
            files = {}
        size = old + len(entries)
        marks = await self._marks([(at, *found) for at, entry in enumerate(entries, old) if (found := said(entry))])
        after, more = await self._with_marks(before, size, marks, files)
        return after, files | more | ({after.name: after.encoded()} if after != before or files else {})

    async def check(self, old: int, entries: Sequence[bytes]) -> StatusList:
        """The list to be signed, from entries and files that were read again; Refused when a file isn't what follows from them."""
        after, files = await self.grown(old, entries)
        for name, data in files.items():
            if await self.store.read(name) != data:
                raise damaged(name, "not what the log says of its leaves")
        return after

    async def proof(self, checkpoint: Checkpoint, index: int) -> StatusProof | None:
        """What shows the mark of leaf `index`; None for a checkpoint without a list."""
        root = status_root(checkpoint)
        if root is None:
            return None
        whole = await self.read(root)
        number = index // CHUNK_LEAVES
        return StatusProof(await self.chunk(whole.chunks[number]), whole.path(number))

    async def read(self, root: bytes) -> StatusList:
        """The list with this root; Refused when its file is lost or another."""
        name = f"status/list/{root.hex()}"
        data = await self.store.read(name)
        try:
            found = None if data is None else StatusList.read(data)
        except ValueError as error:
            raise damaged(name, str(error)) from error
        if found is None or found.root != root:
            raise damaged(name, "missing" if found is None else "another list")
        return found

    async def chunk(self, digest: bytes) -> bytes:
        """The chunk with this hash; Refused when its file is lost or another."""
        name = chunk_name(digest)
        if name is None:
            return EMPTY_CHUNK
        data = await self.store.read(name)
        if data is None or leaf_hash(data) != digest:
            raise damaged(name, "missing" if data is None else "another chunk")
        return data

    async def _with_marks(self, before: StatusList, size: int, marks: Mapping[int, int], files: Mapping[str, bytes]) -> tuple[StatusList, dict[str, bytes]]:
        """(the list with these marks more, the files of the chunks that have changed); `files` aren't in the store yet."""
        whole, changed = before.grown(size, {}), {}
        for number, of_chunk in by_chunk(marks).items():
            name = chunk_name(whole.chunks[number])
            bits = files.get(name or "") or await self.chunk(whole.chunks[number])
            changed[number] = marked(bits, of_chunk)
        return whole.grown(size, changed), {name: bits for bits in changed.values() if (name := chunk_name(leaf_hash(bits)))}

    async def _of(self, checkpoint: SignedCheckpoint | None) -> StatusList | None:
        if checkpoint is None:
            return StatusList()
        root = status_root(Checkpoint.read(read_note(checkpoint.note).text))
        return None if root is None else await self.read(root)

    async def _marks(self, sayings: Sequence[tuple[int, bytes, int]]) -> dict[int, int]:
        """Marks by place, from (place of the statement, document, mark). The index finds leaves; what they are is seen from themselves."""
        leaves = await self.state.places(sorted({digest for _, digest, _ in sayings}), max(at for at, _, _ in sayings)) if sayings else {}
        places = {document_in(leaf): place for place, leaf in leaves.items()}
        marks: dict[int, int] = {}
        for at, digest, mark in sayings:
            # A document is in the log once; what is said of one that comes later says nothing.
            place = places.get(digest)
            if place is not None and place < at:
                marks[place] = marks.get(place, 0) | mark
        return marks

    async def _sayings(self, size: int) -> AsyncIterator[tuple[int, bytes, int]]:
        for start in range(0, size, PAGE):
            for at, entry in enumerate(await self.state.statements(start, min(size, start + PAGE)), start):
                if found := said(entry):
                    yield at, *found
