"""List archived versions in the order of admission."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.ports import Catalogue, Entry, Filter, Viewer
from services.chassis.errors import Malformed

PAGE = 500


@dataclass(frozen=True, slots=True)
class ListTranscripts:
    """One page of the versions that the viewer may see."""

    catalogue: Catalogue

    async def __call__(self, viewer: Viewer, wanted: Filter, page_token: str) -> tuple[Sequence[Entry], str]:
        """(the page, the token of the next one; empty at the end)."""
        entries = await self.catalogue.entries(viewer, wanted, after_token(page_token), PAGE)
        return entries, str(entries[-1].leaf_id) if len(entries) == PAGE else ""


def after_token(page_token: str) -> int:
    """The admission after which a page begins."""
    if page_token and not page_token.isdigit():
        raise Malformed("page_token is not one that this service gave out; begin without it", code="page_token")
    return int(page_token or 0)
