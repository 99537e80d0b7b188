"""Take in a pupil's transfer dossier: checked in full, kept as it came, or refused with reasons."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from services.archive.application.check_bundle import BundleVerdict, CheckBundle
from services.archive.application.dossier_ports import ReceivedDossiers, Recipient
from services.archive.application.ports import Deposit, Location, Vault
from services.archive.domain.bundle import UnreadableBundle
from services.archive.domain.dossier import Dossier, Year
from services.chassis.clock import Clock
from services.chassis.errors import Refused


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a dossier; accepted when there are no reasons against it."""

    sha256: bytes
    reasons: tuple[str, ...]
    years: tuple[tuple[Year, BundleVerdict], ...] = ()
    missing: tuple[int, ...] = ()
    already: bool = False


@dataclass(frozen=True, slots=True)
class ReceiveDossier:
    """Keeps what was received as received: it is no transcript of this archive, gets no leaf of its log, and is handed on as it came."""

    check: Callable[[], CheckBundle]
    """The check by what is trusted now."""
    vault: Vault
    dossiers: ReceivedDossiers
    clock: Clock

    async def __call__(self, to: Recipient, data: bytes, personal_number: str) -> Receipt:
        """The receipt; a repeat gives the same and keeps nothing again. Refused for a school that isn't the caller's.

        `personal_number` is that of the pupil whom the school expects.
        """
        viewer = to.caller.viewer
        if not (viewer.everything or viewer.province == to.province_id or to.school_id in viewer.schools):
            raise Refused(f"school {to.school_id} of province {to.province_id} isn't yours", code="not_your_school")
        digest = hashlib.sha256(data).digest()
        held = await self.dossiers.of_pupil(viewer, to.pupil_id, to.school_id)
        found = await asyncio.to_thread(self._judged, data, digest, personal_number)
        already = any(kept.place.sha256 == digest for kept in held)
        if found.reasons or already:
            # A dossier that was kept is judged again all the same: the answer says what holds now.
            return Receipt(digest, found.reasons, found.years, found.missing, already)
        last = found.years[-1][0].begins
        name = f"dossier-{digest.hex()}.zip"
        pack = await self.vault.keep(to.province_id, last, [Deposit(name, to.pupil_id, data)])
        place = Location(pack.object_name(last), pack.places[name].offset, len(data), digest, to.pupil_id, to.province_id, encrypted=True)
        await self.dossiers.add(to, place, _verdict(found), self.clock.now())
        return found

    def _judged(self, data: bytes, digest: bytes, personal_number: str) -> Receipt:
        try:
            dossier = Dossier.read(data)
        except UnreadableBundle as error:
            return Receipt(digest, (f"container: {error}",))
        check = self.check()
        years = tuple((year, check(year.bundle)) for year in dossier.years)
        reasons = [f"{year.name}: {_reason(verdict)}" for year, verdict in years if not verdict.accepted]
        if dossier.years[-1].told["pupil"].get("personal_number") != personal_number:
            reasons.append("pupil: the transcripts are those of somebody with another personal number")
        return Receipt(digest, tuple(reasons), years, tuple(dossier.missing))


def _reason(verdict: BundleVerdict) -> str:
    if not verdict.log.good:
        return verdict.log.problem or verdict.log.standing.value
    if verdict.document.first is not None:
        return f"{verdict.document.first.reason.value} {verdict.document.first.detail}"
    return ", ".join(f"{one.reason.value} {one.detail}" for one in verdict.evidence.findings)


def _verdict(found: Receipt) -> str:
    """What was proven when it came, without personal data."""
    lines = []
    for year, verdict in found.years:
        leaf = verdict.log.leaf
        assert leaf is not None
        lines.append(
            {
                "school_year": year.name,
                "sha256": verdict.document.sha256.hex(),
                "log": leaf.checkpoint.origin,
                "index": leaf.index,
                "size": leaf.checkpoint.size,
                "standing": verdict.log.standing.value,
                "as_of": leaf.at.isoformat() if leaf.at else None,
                "proven_since": verdict.evidence.since.isoformat() if verdict.evidence.since else None,
            }
        )
    return json.dumps({"transcripts": lines, "missing_school_years": list(found.missing)})
