"""Whether a signer's certificate may sign a batch, asked once per batch and before anything of it starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.chassis.clock import Clock
from services.signing.application.ports import Certificates, Holder, Revocations
from services.signing.application.stores import Transactions
from services.signing.domain.certificate import UntrustedCertificate, unfit
from services.signing.domain.revocation import ON_HOLD, Revoked, Unknown
from services.signing.domain.roles import SignatureRole

# A batch that takes longer than this is stuck; a certificate must outlast it.
LONGEST_BATCH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Preflight:
    """Trusted, in time until the batch ends, for this purpose and person, and known not to be revoked."""

    transactions: Transactions
    certificates: Certificates
    revocations: Revocations
    clock: Clock

    async def __call__(self, holder: Holder, role: SignatureRole, staff_id: str) -> str | Unknown | None:
        """None when it may sign; a reason with its cure when it may not; Unknown when that can't be said now."""
        now = self.clock.now()
        try:
            self.certificates.check_chain(holder.certificate, holder.chain, now)
        except UntrustedCertificate as error:
            return f"certificate_untrusted: {error}"
        reason = unfit(holder.facts, role, staff_id, now, LONGEST_BATCH)
        if reason:
            return f"certificate_unfit: {reason}"
        found = await self.revocations.status(holder.certificate, holder.chain)
        if isinstance(found, Revoked):
            # Kept, so that nobody can approve with it any more; a certificate on hold may come back.
            if found.reason != ON_HOLD:
                async with self.transactions() as work:
                    await work.people.revoked(holder.facts.sha256, found.since)
                    await work.announce(*await work.people.certificate_moves(holder.facts.sha256))
            return (
                f"certificate_revoked: certificate {holder.facts.serial} is revoked since {found.since.isoformat()} ({found.reason}); "
                "register another one, then reject the manifest and retry the class"
            )
        return found if isinstance(found, Unknown) else None
