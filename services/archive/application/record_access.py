"""Write down who reads what, durably, before the answer goes out."""

import asyncio
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.archive.application.access_ports import AccessLedger
from services.archive.domain.access_line import GENESIS, Access, AccessLine, line_behind
from services.chassis.clock import Clock


@dataclass
class _Batch:
    accesses: list[Access] = field(default_factory=list)
    written: "asyncio.Task[None] | None" = None


@dataclass
class RecordAccess:
    """This process's stream of lines. What comes while a batch is written forms the next one, so that many readers share a commit."""

    ledger: AccessLedger
    clock: Clock
    _stream: str = field(default_factory=lambda: str(uuid.uuid4()))
    _number: int = 0
    _hash: bytes = GENESIS
    _next: _Batch = field(default_factory=_Batch)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, accesses: Sequence[Access]) -> None:
        """Returns when the lines are durable; an error means that the answer must not go out."""
        if not accesses:
            return
        batch = self._next
        batch.accesses += accesses
        if batch.written is None:
            batch.written = asyncio.create_task(self._write())
        # A caller who gives up must not take the lines of the others along.
        await asyncio.shield(batch.written)

    async def _write(self) -> None:
        async with self._turn:
            batch, self._next = self._next, _Batch()
            lines: list[AccessLine] = []
            number, previous, now = self._number, self._hash, self.clock.now()
            for access in batch.accesses:
                number += 1
                lines.append(line_behind(self._stream, number, previous, access, now, os.urandom(16)))
                previous = lines[-1].hash
            try:
                await self.ledger.append(lines)
            except BaseException:
                # Whether the lines stand there may be unknown; a stream of its own never contradicts them.
                self._stream, self._number, self._hash = str(uuid.uuid4()), 0, GENESIS
                raise
            self._number, self._hash = number, previous
