"""Hand out certified copies, and list them by their numbers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.copy_ports import Copies
from services.archive.application.ports import Vault, Viewer
from services.archive.domain.copies import CertifiedCopy
from services.chassis.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class GetCopy:
    """A copy with its file, once it is issued."""

    copies: Copies
    vault: Vault

    async def __call__(self, viewer: Viewer, copy_id: str) -> tuple[CertifiedCopy, bytes]:
        """(the copy, its file or nothing while it waits for the seal). The same NotFound for what isn't there and for what isn't yours."""
        found = await self.copies.place(viewer, copy_id)
        if found is None:
            raise NotFound(f"the archive knows no copy {copy_id} that you may see", code="no_copy")
        copy, place = found
        if place is None:
            return copy, b""
        data = await self.vault.read(place)
        if hashlib.sha256(data).digest() != copy.sha256:
            raise Refused(f"the stored bytes of copy {copy_id} are damaged; restore pack {place.pack_name} from a copy", code="archive_damaged")
        return copy, data


@dataclass(frozen=True, slots=True)
class ListCopies:
    """The register of copies (sổ cấp bản sao)."""

    copies: Copies

    async def __call__(self, viewer: Viewer, school_id: str, year: int) -> Sequence[CertifiedCopy]:
        """By school, year and number."""
        return await self.copies.list(viewer, school_id, year)
