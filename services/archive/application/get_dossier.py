"""Hand out a pupil's transcripts of all years as one package that any school's system can check."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.dossier_ports import ReceivedDossiers
from services.archive.application.get_bundle import GetBundle
from services.archive.application.ports import Catalogue, Entry, Filter, Vault, Viewer
from services.archive.domain.bundle import Bundle, UnreadableBundle
from services.archive.domain.dossier import MOST_YEARS, Dossier, Year
from services.chassis.errors import NotFound, Refused

_VERSIONS = 100
"""Entries that are read at a time: each year may have versions that were superseded."""


@dataclass(frozen=True, slots=True)
class GetDossier:
    """For whoever may see the transcripts. A dossier is whole or isn't given out."""

    catalogue: Catalogue
    bundles: GetBundle
    received: ReceivedDossiers
    vault: Vault

    async def __call__(self, viewer: Viewer, pupil_id: str) -> tuple[Dossier | None, str]:
        """(the dossier of the newest versions that aren't revoked, what one of them still waits for). NotFound when there is none."""
        latest = [entry for entry in await self._entries(viewer, pupil_id) if not entry.superseded_by]
        found: list[Bundle] = []
        for entry in latest[:MOST_YEARS]:
            _, bundle, waits_for = await self.bundles(viewer, entry.ref.transcript_id, entry.ref.version)
            if bundle is None:
                return None, waits_for
            if not await self.bundles.proofs.revoked(entry.ref.public_id):
                found.append(bundle)
        try:
            found += await self._from_elsewhere(viewer, pupil_id, Dossier.of(found).years if found else ())
            if not found:
                raise NotFound("the archive holds no transcript of this pupil that you may see", code="no_transcript")
            return Dossier.of(found), ""
        except UnreadableBundle as error:
            raise Refused(f"the transcripts of this pupil make no dossier: {error}", code="no_chain") from error

    async def _from_elsewhere(self, viewer: Viewer, pupil_id: str, own: Sequence[Year]) -> Sequence[Bundle]:
        """The years that only others have issued, from the dossiers that came; of two that hold a year the later one."""
        years: dict[str, Bundle] = {}
        for place in await self.received.of_pupil(viewer, pupil_id):
            years |= {year.name: year.bundle for year in Dossier.read(await self.vault.read(place)).years}
        return [bundle for name, bundle in years.items() if name not in {year.name for year in own}]

    async def _entries(self, viewer: Viewer, pupil_id: str) -> Sequence[Entry]:
        wanted, found, after = Filter("", "", pupil_id, 0), list[Entry](), 0
        while page := await self.catalogue.entries(viewer, wanted, after, _VERSIONS):
            found += page
            after = page[-1].leaf_id
        return found
