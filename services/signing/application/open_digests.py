"""What an agent at a school does: it comes for the digests that wait for its certificate, and brings the values back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import NotFound, Refused
from services.signing.application.ports import CheckValue, OpenRequest
from services.signing.application.stores import Transactions
from services.signing.application.take_values import Resume, wrong_values
from services.signing.domain.key_names import Home
from services.signing.domain.people import Caller


@dataclass(frozen=True, slots=True)
class ListOpenDigests:
    """Open requests under approved manifests, for one certificate of one school."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, caller: Caller, school_id: str, certificate_sha256: bytes) -> list[OpenRequest]:
        """Oldest first; nothing of schools that the caller doesn't belong to."""
        async with self.transactions(caller) as work:
            return await work.remote.open_for(school_id, certificate_sha256, Home.AGENT.value, self.clock.now())


@dataclass(frozen=True, slots=True)
class SubmitSignatures:
    """Keep the values that an agent brings; bringing them again changes nothing."""

    transactions: Transactions
    resume: Resume
    check: CheckValue

    async def __call__(self, caller: Caller, signing_request_id: str, values: Mapping[str, bytes]) -> tuple[str, int]:
        """The request's state and how many values were new. Wrong values are refused and the request stays open: the agent has
        another key than the certificate's, and that can be mended at the school."""
        async with self.transactions(caller) as work:
            request = await work.remote.get(signing_request_id)
            if request is None or request.home is not Home.AGENT:
                raise NotFound(f"no request {signing_request_id} for you", code="request_unknown")
            holder = await work.people.holder(request.place.school_id, request.role, request.certificate_sha256)
        if holder is None:
            raise Refused("the certificate was revoked; register a new one and approve again", code="certificate_revoked")
        wrong = wrong_values(request, holder.certificate, values, self.check)
        if wrong:
            raise Refused(
                f"{len(wrong)} of {len(values)} values aren't by the key of certificate {holder.facts.serial}; look at the key's label", code="wrong_signature"
            )
        state, new = await self.resume.values(request, holder.certificate, values, caller)
        return state.value, new
