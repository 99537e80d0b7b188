"""What certified copies need from the outside, in its own words."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Location, Viewer
from services.archive.domain.copies import CertifiedCopy
from services.archive.domain.pack import Pack
from services.archive.domain.revocation import IssuedVersion


class CopyWork(Protocol):
    """One transaction, in which nothing is seen but what the caller may see."""

    async def issued(self, transcript_id: str, version: int) -> IssuedVersion | None:
        """An issued version, or None."""
        ...

    async def is_revoked(self, version: IssuedVersion) -> bool:
        """Whether a version is withdrawn."""
        ...

    async def get(self, copy_id: str) -> CertifiedCopy | None:
        """A copy, ordered or issued."""
        ...

    async def next_number(self, school_id: str, province_id: str, year: int) -> int:
        """The school's next number of that year; it is taken when the transaction commits, and by nobody else until then."""
        ...

    async def order(self, copy: CertifiedCopy) -> None:
        """Keep an ordered copy and tell signing. Conflict when another process has ordered it first."""
        ...

    async def issue(self, copy: CertifiedCopy, pack: Pack, size: int, sha256: bytes, at: datetime) -> None:
        """Write pack, leaf and issued copy. Conflict when another process wrote them first."""
        ...


class Copies(Protocol):
    """The database behind copies."""

    def transaction(self, viewer: Viewer) -> AbstractAsyncContextManager[CopyWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...

    async def list(self, viewer: Viewer, school_id: str, year: int) -> Sequence[CertifiedCopy]:
        """Copies of a calendar year (0: all) by their numbers."""
        ...

    async def place(self, viewer: Viewer, copy_id: str) -> tuple[CertifiedCopy, Location | None] | None:
        """A copy and where its file lies, once it is issued."""
        ...


class OriginalStaging(Protocol):
    """Where signing finds what it makes copies of."""

    async def keep(self, name: str, data: bytes) -> None:
        """Put a pack, unless it is there; on return it survives a crash."""
        ...
