"""Hand out an archived class-subject sheet, proven to be the one that was admitted, and list them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.list_transcripts import PAGE, after_token
from services.archive.application.ports import Catalogue, Filter, SheetEntry, Vault, Viewer
from services.chassis.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class GetSheet:
    """Reads one version (0: the latest) for somebody who may see it."""

    catalogue: Catalogue
    vault: Vault

    async def __call__(self, viewer: Viewer, sheet_id: str, version: int) -> tuple[SheetEntry, bytes]:
        """The index entry and the document. The same NotFound for what isn't there and for what isn't yours."""
        entry = await self.catalogue.sheet(viewer, sheet_id, version)
        if entry is None:
            which = f"version {version}" if version else "any version"
            raise NotFound(f"the archive holds no {which} of sheet {sheet_id} that you may see", code="no_sheet")
        data = await self.vault.read(entry.place)
        if hashlib.sha256(data).digest() != entry.sha256:
            raise Refused(
                f"the stored bytes of admission {entry.leaf_id} are damaged; restore pack {entry.place.pack_name} from a copy",
                code="archive_damaged",
            )
        return entry, data


@dataclass(frozen=True, slots=True)
class ListSheets:
    """One page of the sheets that the viewer may see, in the order of admission."""

    catalogue: Catalogue

    async def __call__(self, viewer: Viewer, wanted: Filter, page_token: str) -> tuple[Sequence[SheetEntry], str]:
        """(the page, the token of the next one; empty at the end)."""
        entries = await self.catalogue.sheets(viewer, wanted, after_token(page_token), PAGE)
        return entries, str(entries[-1].leaf_id) if len(entries) == PAGE else ""
