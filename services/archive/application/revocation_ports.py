"""What revoking needs from the outside, in its own words."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.archive.application.ports import Viewer
from services.archive.domain.revocation import IssuedVersion, Person, Revocation


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and whose rows this person may see."""

    person: Person
    viewer: Viewer


class RevocationWork(Protocol):
    """One transaction, in which nothing is seen but what the caller may see."""

    async def issued(self, transcript_id: str, version: int) -> IssuedVersion | None:
        """An issued version, or None."""
        ...

    async def get(self, revocation_id: str) -> Revocation | None:
        """A revocation, asked for or confirmed, or None."""
        ...

    async def is_revoked(self, version: IssuedVersion) -> bool:
        """Whether a version is withdrawn."""
        ...

    async def ask(self, revocation: Revocation) -> None:
        """Keep what was asked for."""
        ...

    async def revoke(self, revocation: Revocation, statement: bytes) -> None:
        """Write the confirmation, queue its leaf, and announce it. Conflict when another process has revoked the version first."""
        ...


class Revocations(Protocol):
    """The database behind revoking."""

    def transaction(self, viewer: Viewer) -> AbstractAsyncContextManager[RevocationWork]:
        """Begin a transaction; it commits when the block ends without an error."""
        ...

    async def list(self, viewer: Viewer, school_id: str, *, open_only: bool) -> Sequence[Revocation]:
        """Revocations, the newest first."""
        ...
