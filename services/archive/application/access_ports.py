"""What the access log needs from the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Viewer
from services.archive.domain.access_line import AccessLine


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """Which accesses a list asks for; empty fields don't narrow."""

    school_id: str = ""
    document_id: str = ""
    account_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessPlace:
    """Behind which line a page begins: newest lines come first."""

    at: datetime
    stream: str
    number: int


class AccessLedger(Protocol):
    """The database behind the access log. Lines are written once."""

    async def append(self, lines: Sequence[AccessLine]) -> None:
        """Keep lines of one stream; they are durable on return. Unavailable when they aren't, OutcomeUnknown when nobody can tell."""
        ...

    async def accesses(self, viewer: Viewer, wanted: AccessFilter, behind: AccessPlace | None, limit: int) -> Sequence[AccessLine]:
        """Lines that aren't erased, the newest first."""
        ...

    async def anchor(self, before: datetime, at: datetime) -> int:
        """Tell the transparency log the last line of each stream that has an untold one from before `before`; how many streams were told."""
        ...
