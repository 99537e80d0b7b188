"""Make the read model anew from the topics, beside the one that is read, and put it in its place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

Say = Callable[[int, int], None]
"""Is told (records read, records there are)."""


class Topics(Protocol):
    """All that the others have told, from the first record on."""

    async def begin(self) -> None:
        """Before the first record. Refused when a topic no longer holds it."""
        ...

    async def catch_up(self, say: Say) -> int:
        """Apply everything up to what is there now, in order of time; how many records were read."""
        ...

    async def parked(self) -> int:
        """How many records could not be applied."""
        ...


class FreshTables(Protocol):
    """Tables of the same kinds beside those that are read, empty at first."""

    async def make(self) -> None:
        """Empty ones; what a replay that was cut off has left goes. Refused while another replay is at work."""
        ...

    async def swap(self, last: Callable[[], Awaitable[object]]) -> None:
        """In one transaction: keep writers out, have the `last` records applied, put the fresh tables in place of the others."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did."""

    records: int
    parked: int


@dataclass(frozen=True, slots=True)
class ReplayTopics:
    """The service goes on meanwhile. A replay that is cut off has changed nothing that is read, and is begun anew."""

    topics: Topics
    tables: FreshTables

    async def __call__(self, say: Say) -> Replayed:
        """1. empty tables, 2. everything that was told, 3. what was told meanwhile, 4. writers out, the last records, swap."""
        await self.topics.begin()
        await self.tables.make()
        records = await self.topics.catch_up(say)
        records += await self.topics.catch_up(say)
        last: list[int] = []

        async def apply_last() -> None:
            last.append(await self.topics.catch_up(say))

        await self.tables.swap(apply_last)
        return Replayed(records + sum(last), await self.topics.parked())
