"""A signer approves exactly one list, by its Merkle root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from services.chassis.clock import Clock
from services.chassis.errors import Denied, Malformed, NotFound, Refused
from services.signing.application.ports import Approval, Certificates, Holder, ManifestRow, Request
from services.signing.application.preflight import LONGEST_BATCH
from services.signing.application.release import release_role
from services.signing.application.stores import Transactions, Work
from services.signing.domain.certificate import UntrustedCertificate, unfit
from services.signing.domain.events import ManifestMoved
from services.signing.domain.manifest import ManifestState
from services.signing.domain.people import Authority, Caller, authority_for
from services.signing.domain.roles import OFFICES, SignatureRole


@dataclass(frozen=True, slots=True)
class Command:
    """Who approves what as whom; `merkle_root` is what the signer was shown."""

    request: Request
    caller: Caller
    manifest_id: str
    role: SignatureRole
    merkle_root: bytes


@dataclass(frozen=True, slots=True)
class ApproveManifest:
    """Keep the approval; it goes to the workers at once when the role before is on, and waits otherwise."""

    transactions: Transactions
    certificates: Certificates
    clock: Clock
    express_limit: int

    async def __call__(self, command: Command) -> Mapping[str, str]:
        """`state` of the manifest, and `released` ("true" or "false")."""
        async with self.transactions(command.caller) as work:
            kept = await work.answered(command.request)
            if kept is not None:
                return kept
            manifest = await ready_manifest(work, command.manifest_id, command.role)
            if manifest.merkle_root != command.merkle_root:
                raise Refused(f"manifest {manifest.manifest_id} isn't the list that was shown; read it again before approving", code="manifest_differs")
            now = self.clock.now()
            authority = await acting(work, command.caller, command.role, manifest, now.date())
            released = False
            before = next((a for a in manifest.approvals if a.role is command.role), None)
            if before is not None and before.person_id != command.caller.person_id:
                raise Refused(f"{command.role.value} has approved this manifest already", code="approved_already")
            if before is None:
                released = await self._approve(work, command, manifest, authority, now)
            answer = {"state": manifest.state.value, "released": str(released).lower()}
            await work.keep_answer(command.request, answer)
            return answer

    async def _approve(self, work: Work, command: Command, manifest: ManifestRow, authority: Authority, now: datetime) -> bool:
        seal = command.role is SignatureRole.SCHOOL_SEAL
        staff_id = None if seal else authority.staff_id
        holder = await work.people.holder_for(manifest.held.place.school_id, command.role, staff_id)
        if holder is None:
            raise Refused(f"no certificate is registered for {command.role.value}; register one, then approve", code="certificate_missing")
        self._check(holder, command.role, authority.staff_id, now)
        caller = command.caller
        approval = Approval(
            command.role,
            manifest.merkle_root,
            caller.account_id,
            caller.person_id,
            authority.staff_id,
            authority.authority,
            holder.facts.sha256,
            now,
            holder.image_digest,
        )
        version = await work.manifests.approve(manifest.manifest_id, approval)
        entries = tuple(row.ref for row in await work.manifests.entries(manifest.manifest_id))
        await work.announce(ManifestMoved(manifest.held.place, manifest.manifest_id, version, "approved", command.role, manifest.merkle_root, entries))
        return await release_role(work, manifest, command.role, entries, now, self.express_limit)

    def _check(self, holder: Holder, role: SignatureRole, staff_id: str, now: datetime) -> None:
        try:
            self.certificates.check_chain(holder.certificate, holder.chain, now)
        except UntrustedCertificate as error:
            raise Refused(str(error), code="certificate_untrusted") from None
        reason = unfit(holder.facts, role, staff_id, now, LONGEST_BATCH)
        if reason:
            raise Refused(reason, code="certificate_unfit")


async def acting(work: Work, caller: Caller, role: SignatureRole, manifest: ManifestRow, day: date) -> Authority:
    """In which capacity the caller speaks as this role of a manifest; Denied when he or she may not."""
    place = manifest.held.place
    own = await work.people.staff_of_person(place.school_id, caller.person_id)
    authority = authority_for(role, own, manifest.answerable_staff_id, day)
    if authority is None or not caller.holds(OFFICES[role], f"school:{place.school_id}", f"class:{place.class_id}"):
        raise Denied(f"only the {role.value} of this list or a deputy with a recorded decision may approve or reject as {role.value}", code="not_the_signer")
    if authority.authority and role not in manifest.policy.deputies:
        raise Denied(f"by policy no deputy signs as {role.value}; the holder of the office approves or rejects", code="no_deputies")
    return authority


async def ready_manifest(work: Work, manifest_id: str, role: SignatureRole) -> ManifestRow:
    """The manifest with its class locked; refused unless it can still be moved."""
    seen = await work.manifests.get(manifest_id)
    if seen is None:
        raise NotFound(f"no manifest {manifest_id} for you", code="manifest_unknown")
    if role not in seen.policy.roles:
        raise Malformed(f"{role.value} signs nothing here; roles are {', '.join(seen.policy.roles)}", code="role_unknown")
    await work.classes.hold(seen.held.place.class_id)
    manifest = await work.manifests.get(manifest_id)
    assert manifest is not None
    if manifest.state is not ManifestState.READY:
        raise Refused(f"manifest {manifest_id} is {manifest.state.value}; the pupils come back in a new one", code="manifest_not_ready")
    return manifest
