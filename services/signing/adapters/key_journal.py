"""A file in which a worker says what a key is about to do, forced to disk before the key does it.

One line per signature: JSON with the hash of the line before, so that a line that is taken out or changed shows. An audit
compares these lines with the intents: a digest that stands here and in no intent was signed behind the service's back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.signing.application.ports import Noted
from services.signing.domain.key_use import KeyUse

_FIRST = "0" * 64


class FileKeyJournal:
    """Fulfils ports.KeyJournal: one file per worker, `<folder>/<instance>.jsonl`, which nobody else writes."""

    def __init__(self, folder: Path, instance: str, clock: Clock) -> None:
        self._path = folder / f"{instance}.jsonl"
        self._clock = clock
        self._lock = threading.Lock()
        self._previous: str | None = None

    async def note(self, key_name: str, order_id: str, uses: Sequence[Noted]) -> None:
        """Append and force to disk; durable on return."""
        await asyncio.to_thread(self._note, key_name, order_id, uses)

    def _note(self, key_name: str, order_id: str, uses: Sequence[Noted]) -> None:
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = not self._path.exists()
            previous = _healed(self._path) if self._previous is None else self._previous
            # Unknown until the lines are on disk: after a failure the file itself says where it ends.
            self._previous = None
            lines: list[bytes] = []
            for use in uses:
                line = self._line(key_name, order_id, use, previous)
                previous = hashlib.sha256(line).hexdigest()
                lines.append(line)
            _append(self._path, b"".join(lines))
            if new:
                _force(self._path.parent)  # A file whose name is not on disk is lost with the power.
            self._previous = previous

    def _line(self, key_name: str, order_id: str, use: Noted, previous: str) -> bytes:
        said = {
            "at": self._clock.now().isoformat(),
            "key": key_name,
            "order": order_id,
            "intent": use.intent_id,
            "digest": use.to_be_signed.hex(),
            "certificate": use.certificate_sha256.hex(),
            "previous": previous,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        rest = memoryview(data)
        while rest:  # A disk that is nearly full takes a part and says so by the count alone.
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _force(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def key_uses(folder: Path) -> Iterator[KeyUse]:
    """What all workers' journals in a folder say, each line with its place."""
    for path in sorted(folder.glob("*.jsonl")):
        for number, said in enumerate(read_journal(path), start=1):
            yield KeyUse(said["intent"], bytes.fromhex(said["digest"]), f"{path.name}, line {number}")


def read_journal(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a journal, oldest first; Refused at the first one that doesn't follow from the one before."""
    previous = _FIRST
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # Cut off by a crash before the force to disk was answered: the key wasn't used for it.
            said = json.loads(line)
            if said["previous"] != previous:
                raise Refused(f"{path.name}, line {number}: doesn't follow from the line before", code="journal_broken")
            previous = hashlib.sha256(line).hexdigest()
            yield said


def _healed(path: Path) -> str:
    """The hash of the last whole line; half a line at the end, left by a crash, is cut off."""
    if not path.exists():
        return _FIRST
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        os.truncate(path, len(whole))
    lines = whole.splitlines(keepends=True)
    return hashlib.sha256(lines[-1]).hexdigest() if lines else _FIRST
