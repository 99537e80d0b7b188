"""Confirm a revocation that somebody else has asked for: from now on the version is withdrawn, and the log says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.archive.application.ports import Viewer
from services.archive.application.revocation_ports import Caller, Revocations
from services.archive.domain.revocation import Revocation, revoking
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class ConfirmRevocation:
    """Confirmation, leaf of the log and event are one transaction."""

    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, revocation_id: str) -> Revocation:
        """The revocation as it holds; a repeat gives the same. Refused for the person who has asked for it."""
        async with self.revocations.transaction(caller.viewer) as work:
            asked = await work.get(revocation_id)
            if asked is None:
                raise NotFound(f"there is no revocation {revocation_id} that you may confirm", code="no_revocation")
            if asked.revoked_at is not None:
                return asked
            if asked.requester.person_id == caller.person.person_id:
                # Two accounts of one human are one human.
                raise Refused("whoever asks for a revocation can't confirm it; another officer of the department must", code="same_person")
            if await work.is_revoked(asked.version):
                ref = asked.version.ref
                raise Refused(f"version {ref.version} of transcript {ref.transcript_id} is revoked already", code="revoked_already")
            confirmed = replace(asked, confirmer=caller.person, revoked_at=self.clock.now())
            assert confirmed.revoked_at is not None
            await work.revoke(confirmed, revoking(asked.version, asked.decision, confirmed.revoked_at))
            return confirmed


@dataclass(frozen=True, slots=True)
class ListRevocations:
    """What was asked for and what holds, for those who may see it."""

    revocations: Revocations

    async def __call__(self, viewer: Viewer, school_id: str, *, open_only: bool) -> Sequence[Revocation]:
        """The newest first."""
        return await self.revocations.list(viewer, school_id, open_only=open_only)
