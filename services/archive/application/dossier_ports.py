"""What dossiers that came from elsewhere need from the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Location, Viewer
from services.archive.application.revocation_ports import Caller


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose dossier it is to be, and who hands it in."""

    caller: Caller
    school_id: str
    province_id: str
    pupil_id: str


@dataclass(frozen=True, slots=True)
class ReceivedDossier:
    """One that a school has taken in, and where it lies."""

    school_id: str
    place: Location


class ReceivedDossiers(Protocol):
    """Dossiers that passed the check, written once; nothing is seen but what the viewer may see."""

    async def of_pupil(self, viewer: Viewer, pupil_id: str, school_id: str | None = None) -> Sequence[ReceivedDossier]:
        """A pupil's dossiers, the oldest first; of one school only, if it is named."""
        ...

    async def add(self, to: Recipient, place: Location, verdict: str, at: datetime) -> None:
        """Write one down with its verdict (JSON); a repeat changes nothing. Refused outside the caller's scope."""
        ...
