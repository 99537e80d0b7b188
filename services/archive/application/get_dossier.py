"""Hand out a pupil's transcripts of all years as one package that any school's system can check."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.dossier_ports import ReceivedDossiers
from services.archive.application.get_bundle import GetBundle
from services.archive.application.ports import Catalogue, Entry, Filter, Vault, Viewer
from services.archive.domain.access_line import ReadDocument
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

    async def __call__(self, viewer: Viewer, pupil_id: str) -> tuple[Sequence[ReadDocument], Dossier | None, str]:
        """(what it holds, the dossier of the newest versions that aren't revoked, what one of them still waits for). NotFound when there is none."""
        latest = [entry for entry in await self._entries(viewer, pupil_id) if not entry.superseded_by]
        found: list[tuple[ReadDocument, Bundle]] = []
        for entry in latest[:MOST_YEARS]:
            _, bundle, waits_for = await self.bundles(viewer, entry.ref.transcript_id, entry.ref.version)
            if bundle is None:
                return [], None, waits_for
            if not await self.bundles.proofs.revoked(entry.ref.public_id):
                document = ReadDocument(entry.ref.transcript_id, entry.ref.version, entry.school_id, entry.place.province_id)
                found.append((document, bundle))
        try:
            found += await self._from_elsewhere(viewer, pupil_id, _dossier(found).years if found else ())
            if not found:
                raise NotFound("the archive holds no transcript of this pupil that you may see", code="no_transcript")
            return [document for document, _ in found], _dossier(found), ""
        except UnreadableBundle as error:
            raise Refused(f"the transcripts of this pupil make no dossier: {error}", code="no_chain") from error

    async def _from_elsewhere(self, viewer: Viewer, pupil_id: str, own: Sequence[Year]) -> Sequence[tuple[ReadDocument, Bundle]]:
        """The years that only others have issued, from the dossiers that came; of two that hold a year the later one."""
        years: dict[str, tuple[ReadDocument, Bundle]] = {}
        for kept in await self.received.of_pupil(viewer, pupil_id):
            for year in Dossier.read(await self.vault.read(kept.place)).years:
                digest = hashlib.sha256(year.bundle.document).hexdigest()
                years[year.name] = ReadDocument(digest, 0, kept.school_id, kept.place.province_id), year.bundle
        return [found for name, found in years.items() if name not in {year.name for year in own}]

    async def _entries(self, viewer: Viewer, pupil_id: str) -> Sequence[Entry]:
        wanted, found, after = Filter("", "", pupil_id, 0), list[Entry](), 0
        while page := await self.catalogue.entries(viewer, wanted, after, _VERSIONS):
            found += page
            after = page[-1].leaf_id
        return found


def _dossier(found: Sequence[tuple[ReadDocument, Bundle]]) -> Dossier:
    return Dossier.of([bundle for _, bundle in found])
