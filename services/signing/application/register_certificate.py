"""Register whose certificate signs in which role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.chassis.clock import Clock
from services.chassis.errors import Denied, Malformed, NotFound, Refused
from services.signing.application.ports import Certificates, Holder, Request
from services.signing.application.stores import Transactions
from services.signing.domain.certificate import UntrustedCertificate, unfit
from services.signing.domain.key_names import KeyName, UnreadableKeyName
from services.signing.domain.people import Caller
from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import Stencil, UnusableImage

_MAY = ("registrar", "principal")


@dataclass(frozen=True, slots=True)
class Command:
    """A certificate (DER) with its chain, for a member of staff or, without one, for the school's seal; with a picture (PNG) or without."""

    request: Request
    caller: Caller
    school_id: str
    role: SignatureRole
    staff_id: str | None
    certificate: bytes
    chain: tuple[bytes, ...]
    key_name: str
    image: bytes = b""


@dataclass(frozen=True, slots=True)
class RegisterCertificate:
    """Keep a certificate that leads to a trust anchor and fits the role and the person."""

    transactions: Transactions
    certificates: Certificates
    stencil_of: Callable[[bytes, SignatureRole], Stencil]
    clock: Clock

    async def __call__(self, command: Command) -> Mapping[str, str]:
        """`serial`: the certificate's serial number in lower-case hexadecimal; `image`: the digest of its picture, if one came with it."""
        allowed = command.caller.service or command.caller.holds(["system_operator"], "nation")
        if not allowed and not command.caller.holds(_MAY, f"school:{command.school_id}"):
            raise Denied("only the school's registrar or principal registers its certificates", code="not_the_registrar")
        if (command.role is SignatureRole.SCHOOL_SEAL) != (command.staff_id is None):
            raise Malformed("the school's seal has no staff_id, and every person's certificate has one", code="staff_id")
        if not command.key_name:
            raise Malformed("key_name is empty: say which key behind the key port belongs to the certificate", code="key_name")
        try:
            KeyName.read(command.key_name)
        except UnreadableKeyName as error:
            raise Malformed(str(error), code="key_name") from None
        now = self.clock.now()
        try:
            facts = self.certificates.read(command.certificate)
            self.certificates.check_chain(command.certificate, command.chain, now)
        except UntrustedCertificate as error:
            raise Refused(str(error), code="certificate_untrusted") from None
        reason = unfit(facts, command.role, command.staff_id or "", now, timedelta())
        if reason:
            raise Refused(reason, code="certificate_unfit")
        try:
            image = self.stencil_of(command.image, command.role) if command.image else None
        except UnusableImage as error:
            raise Malformed(str(error), code="image") from None
        async with self.transactions(command.caller) as work:
            kept = await work.answered(command.request)
            if kept is not None:
                return kept
            province = await work.people.province_of(command.school_id)
            if province is None:
                raise NotFound(f"school {command.school_id} isn't known here yet; try again in a moment", code="school_unknown")
            if command.staff_id is not None:
                member = await work.people.staff(command.staff_id)
                if member is None or member.school_id != command.school_id:
                    raise NotFound(f"staff {command.staff_id} isn't known at this school yet; try again in a moment", code="staff_unknown")
            holder = Holder(command.certificate, command.chain, command.key_name, facts, image.digest if image else b"")
            if image is not None:
                await work.people.keep_image(command.school_id, province, image, now)
            by = command.caller.account_id
            await work.people.register(command.school_id, province, command.role, command.staff_id, holder, by, now)
            await work.announce(*await work.people.certificate_moves(facts.sha256))
            answer = {"serial": facts.serial, "image": holder.image_digest.hex()}
            await work.keep_answer(command.request, answer)
            return answer
