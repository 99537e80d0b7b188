"""List who read what, for those who answer for a school or a province."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.archive.application.access_ports import AccessFilter, AccessLedger, AccessPlace
from services.archive.application.ports import Viewer
from services.archive.domain.access_line import AccessLine
from services.chassis.errors import Malformed

PAGE = 500


@dataclass(frozen=True, slots=True)
class ListAccesses:
    """One page of the lines that the viewer may see, the newest first."""

    ledger: AccessLedger

    async def __call__(self, viewer: Viewer, wanted: AccessFilter, page_token: str) -> tuple[Sequence[AccessLine], str]:
        """(the page, the token of the next one; empty at the end)."""
        lines = await self.ledger.accesses(viewer, wanted, _place(page_token), PAGE)
        last = lines[-1] if len(lines) == PAGE else None
        return lines, f"{last.at.isoformat()}/{last.stream}/{last.number}" if last else ""


def _place(page_token: str) -> AccessPlace | None:
    if not page_token:
        return None
    try:
        at, stream, number = page_token.split("/")
        return AccessPlace(datetime.fromisoformat(at), stream, int(number))
    except ValueError:
        raise Malformed("page_token is not one that this service gave out; begin without it", code="page_token") from None
