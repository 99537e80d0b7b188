"""Hand out an archived document, proven to be the one that was admitted."""

import hashlib
from dataclasses import dataclass

from services.archive.application.ports import Catalogue, Entry, Vault, Viewer
from services.chassis.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class GetTranscript:
    """Reads one version (0: the latest) for somebody who may see it."""

    catalogue: Catalogue
    vault: Vault

    async def __call__(self, viewer: Viewer, transcript_id: str, version: int) -> tuple[Entry, bytes]:
        """The index entry and the document. The same NotFound for what isn't there and for what isn't yours."""
        entry = await self.catalogue.entry(viewer, transcript_id, version)
        if entry is None:
            which = f"version {version}" if version else "any version"
            raise NotFound(f"the archive holds no {which} of transcript {transcript_id} that you may see", code="no_transcript")
        data = await self.vault.read(entry.place)
        if hashlib.sha256(data).digest() != entry.sha256:
            # Wrong bytes are worse than none: the store is damaged, and an operator must restore the pack from a copy.
            raise Refused(
                f"the stored bytes of admission {entry.leaf_id} are damaged; restore pack {entry.place.pack_name} from a copy",
                code="archive_damaged",
            )
        return entry, data
