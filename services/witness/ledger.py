"""What a witness has seen: the newest checkpoint of each log, on the disk before it is cosigned."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import EMPTY


@dataclass(frozen=True)
class Ledger:
    """A folder with a file per log; one process at a time holds it."""

    folder: Path
    _lock: IO[bytes]

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """The ledger in a folder. BlockingIOError when another process holds it: two witnesses with one key could cosign a fork."""
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            lock = undo.enter_context((folder / "lock").open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            undo.pop_all()
        return cls(folder, lock)

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    def last(self, origin: str) -> Checkpoint:
        """The newest checkpoint of a log; that of the empty tree when there is none. Raises NoteError rather than forget one that it can't read."""
        try:
            return Checkpoint.read(self._file(origin).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Checkpoint(origin, 0, EMPTY)

    def advance(self, checkpoint: Checkpoint) -> None:
        """Make this the newest; on return it survives a crash."""
        self._write(self._file(checkpoint.origin), checkpoint.text.encode())

    def keep_contradiction(self, checkpoint: Checkpoint, note: bytes) -> Path:
        """Keep what a log has signed against what it had signed before: the proof of a fork, for people to see."""
        file = self._file(checkpoint.origin).with_suffix(f".fork-{checkpoint.size}-{checkpoint.root.hex()[:16]}")
        self._write(file, note)
        return file

    def _file(self, origin: str) -> Path:
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.checkpoint"

    def _write(self, path: Path, data: bytes) -> None:
        draft = path.with_name(f".{path.name}")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
