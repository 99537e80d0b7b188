"""Make the status list of every signed checkpoint anew from the leaves alone, and compare it with what was signed and with the files."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from services.archive.application.log_ports import LogState, SignedCheckpoint, TileStore
from services.archive.application.log_status import PAGE
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import leaf_hash
from services.archive.domain.signed_note import NoteError, read_note
from services.archive.domain.status_list import EMPTY_CHUNK, StatusList, by_chunk, chunk_name, document_in, marked, said, status_root


@dataclass
class StatusInspection:
    """What differs: sizes of checkpoints, and files with what they must hold."""

    checkpoints: list[str] = field(default_factory=list)
    missing: dict[str, bytes] = field(default_factory=dict)
    differing: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """Shares nothing with how the list grows: each leaf is looked at twice, first for what is said, then for of whom."""

    state: LogState
    store: TileStore | None

    async def __call__(self, checkpoints: Sequence[SignedCheckpoint], looked_at: Sequence[int]) -> StatusInspection:
        """The lists of all checkpoints, in order of size; the files of those of the sizes `looked_at`."""
        found = StatusInspection()
        due = await self._marks(checkpoints[-1].size if checkpoints else 0)
        whole, bits, had_one = StatusList(), dict[int, bytes](), False
        for checkpoint in checkpoints:
            changed: dict[int, bytes] = {}
            marks: dict[int, int] = {}
            while due and due[-1][0] < checkpoint.size:
                _, place, mark = due.pop()
                marks[place] = marks.get(place, 0) | mark
            for number, of_chunk in by_chunk(marks).items():
                bits[number] = changed[number] = marked(bits.get(number, EMPTY_CHUNK), of_chunk)
            whole = whole.grown(checkpoint.size, changed)
            try:
                root = status_root(Checkpoint.read(read_note(checkpoint.note).text))
            except NoteError:
                continue  # Reported by who compares checkpoints.
            if root != (whole.root if root is not None or had_one else None):
                found.checkpoints.append(str(checkpoint.size))
            had_one = had_one or root is not None
            if root == whole.root and checkpoint.size in looked_at and self.store is not None:
                files = {whole.name: whole.encoded()} | {name: data for data in bits.values() if (name := chunk_name(leaf_hash(data)))}
                for name, data in files.items():
                    held = await self.store.read(name)
                    if held != data:
                        (found.missing if held is None else found.differing)[name] = data
        return found

    async def _marks(self, size: int) -> list[tuple[int, int, int]]:
        """(place of the statement, place of the document, mark), the latest statement first."""
        sayings: dict[bytes, list[tuple[int, int]]] = {}
        async for at, entry in self._leaves(size):
            if told := said(entry):
                sayings.setdefault(told[0], []).append((at, told[1]))
        if not sayings:
            return []
        found = []
        async for place, entry in self._leaves(size):
            document = document_in(entry)
            found += [(at, place, mark) for at, mark in sayings.get(document or b"", ()) if place < at]
        return sorted(found, reverse=True)

    async def _leaves(self, size: int) -> AsyncIterator[tuple[int, bytes]]:
        for start in range(0, size, PAGE):
            for at, entry in enumerate(await self.state.statements(start, min(size, start + PAGE)), start):
                yield at, entry
