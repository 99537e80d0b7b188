"""What retention needs from the outside."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.domain.access_line import AccessLine

Counts = Mapping[tuple[str, str], int]
"""How many, by (school, province)."""


@dataclass(frozen=True, slots=True)
class Holds:
    """Where legal holds apply: a hold on a pupil or a transcript keeps all that is of the schools where the pupil has documents."""

    schools: frozenset[str]
    unknown: frozenset[str]
    """Ids of which the archive has nothing; a slip of the pen, perhaps."""


class RetentionLedger(Protocol):
    """The database, where retention is concerned."""

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether this process is the one that deletes now."""
        ...

    async def holds(self, ids: frozenset[str]) -> Holds:
        """Where these holds apply."""
        ...

    async def due(self, before: datetime, holds: Holds) -> tuple[int, int]:
        """(lines of the access log whose bodies may go, those that a hold keeps)."""
        ...

    async def erase(self, before: datetime, holds: Holds, limit: int, tell: Callable[[Counts], Sequence[AccessLine]]) -> int:
        """Erase up to `limit` bodies and keep the lines that tell it, in one transaction; how many were erased."""
        ...

    async def settled(self, documents: Sequence[tuple[str, int]]) -> Sequence[tuple[str, str]]:
        """(school, province) of each of these (id, version) that needs staging no more: issued in this version, or a transcript in a later one."""
        ...


class StagedPacks(Protocol):
    """Staging, where retention is concerned."""

    def older(self, before: datetime) -> AsyncIterator[str]:
        """Names of objects that were written before. Unavailable when they can't be listed."""
        ...

    async def files(self, name: str) -> Sequence[str]:
        """Names of the files in a pack; none when it is gone or is no pack."""
        ...

    async def remove(self, name: str) -> None:
        """Remove a pack; one that is gone is a repeat."""
        ...
