"""Show the documents that were refused and still have no successor."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.ports import Catalogue, Filter, RejectedEntry, Viewer


@dataclass(frozen=True, slots=True)
class ListRejected:
    """Refused documents with their reasons, oldest first."""

    catalogue: Catalogue

    async def __call__(self, viewer: Viewer, wanted: Filter) -> Sequence[RejectedEntry]:
        """Those that the viewer may see."""
        return await self.catalogue.rejected(viewer, wanted)
