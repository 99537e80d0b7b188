"""Ask that an issued version be withdrawn, on the ground of a signed decision."""

from dataclasses import dataclass

from services.archive.application.revocation_ports import Caller, Revocations
from services.archive.domain.revocation import Decision, Revocation
from services.chassis.clock import Clock
from services.chassis.errors import Conflict, Malformed, NotFound, Refused


@dataclass(frozen=True, slots=True)
class RequestRevocation:
    """Takes the request down; nothing is withdrawn before another person has confirmed it."""

    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, revocation_id: str, transcript_id: str, version: int, decision: Decision) -> Revocation:
        """The revocation as it is kept; a repeat by its id gives the same. NotFound for a version that isn't there or isn't the caller's.

        Refused when the version is withdrawn already, Conflict when the id stands for another request.
        """
        now = self.clock.now()
        async with self.revocations.transaction(caller.viewer) as work:
            if (kept := await work.get(revocation_id)) is not None:
                ref = kept.version.ref
                if (ref.transcript_id, ref.version, kept.decision, kept.requester) != (transcript_id, version, decision, caller.person):
                    raise Conflict(f"revocation {revocation_id} was asked for with other words; make a new id", code="request_id_reused")
                return kept
            if fault := decision.fault(now.date()):
                raise Malformed(fault, code="decision")
            issued = await work.issued(transcript_id, version)
            if issued is None:
                raise NotFound(f"the archive holds no version {version} of transcript {transcript_id} that you may revoke", code="no_transcript")
            if await work.is_revoked(issued):
                raise Refused(f"version {version} of transcript {transcript_id} is revoked already", code="revoked_already")
            asked = Revocation(revocation_id, issued, decision, caller.person, now)
            await work.ask(asked)
            return asked
