"""Lines of readers who come at once: one chain, few commits, and no answer without its line."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from services.archive.application.access_ports import AccessFilter, AccessPlace
from services.archive.application.ports import Viewer
from services.archive.application.record_access import RecordAccess
from services.archive.domain.access_line import AccessLine, faults
from services.chassis.clock import SystemClock
from services.chassis.errors import OutcomeUnknown
from tests.unit.archive.test_access_line import ACCESS


@dataclass
class Ledger:
    """Keeps lines in memory. `lost`: the line is kept and the answer isn't, as when a connection breaks in COMMIT."""

    written: list[list[AccessLine]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False

    async def append(self, lines: Sequence[AccessLine]) -> None:
        self.begun.set()
        await self.open.wait()
        self.written.append(list(lines))
        if self.lost:
            self.lost = False
            raise OutcomeUnknown("the connection broke")

    async def accesses(self, viewer: Viewer, wanted: AccessFilter, behind: AccessPlace | None, limit: int) -> Sequence[AccessLine]:
        return []

    async def anchor(self, before: datetime, at: datetime) -> int:
        return 0

    @property
    def lines(self) -> list[AccessLine]:
        return sorted((line for batch in self.written for line in batch), key=lambda line: (line.stream, line.number))


async def test_readers_who_come_while_a_line_is_written_share_the_next_commit() -> None:
    ledger = Ledger()
    record = RecordAccess(ledger, SystemClock())
    first = asyncio.create_task(record([ACCESS]))
    await asyncio.wait_for(ledger.begun.wait(), 5)
    others = [asyncio.create_task(record([ACCESS])) for _ in range(20)]
    await asyncio.sleep(0)
    assert not first.done()  # Nobody gets an answer whose line isn't kept.
    ledger.open.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in ledger.written] == [1, 20]
    assert list(faults(ledger.lines, {})) == []
    assert all(line.at.tzinfo is UTC for line in ledger.lines)


async def test_an_unknown_outcome_refuses_the_answer_and_begins_another_stream() -> None:
    ledger = Ledger(lost=True)
    ledger.open.set()
    record = RecordAccess(ledger, SystemClock())
    with pytest.raises(OutcomeUnknown):
        await record([ACCESS])
    await record([ACCESS])
    one, other = ledger.written
    assert one[0].stream != other[0].stream
    assert list(faults(ledger.lines, {})) == []


async def test_a_reader_who_gives_up_takes_no_line_along() -> None:
    ledger = Ledger()
    record = RecordAccess(ledger, SystemClock())
    patient, gone = asyncio.create_task(record([ACCESS])), asyncio.create_task(record([ACCESS]))
    await asyncio.sleep(0)
    gone.cancel()
    ledger.open.set()
    await patient
    assert sum(len(batch) for batch in ledger.written) == 2


async def test_an_empty_answer_leaves_no_line() -> None:
    ledger = Ledger()
    await RecordAccess(ledger, SystemClock())([])
    assert ledger.written == []
