"""Tell the public what a QR code's transcript is worth: its status and nothing about the pupil."""

from dataclasses import dataclass
from datetime import datetime

from services.archive.application.ports import Catalogue, Status
from services.chassis.clock import Clock

LONGEST_PUBLIC_ID = 64


@dataclass(frozen=True, slots=True)
class GetStatus:
    """The status as of now; unknown and malformed ids get one and the same answer."""

    catalogue: Catalogue
    clock: Clock

    async def __call__(self, public_id: str) -> tuple[Status | None, datetime]:
        """(the status or None when the id is unknown, the time of the answer)."""
        # A malformed id is looked up like any other, so that the answer takes as long as for an unknown one.
        return await self.catalogue.status(public_id[:LONGEST_PUBLIC_ID]), self.clock.now()
