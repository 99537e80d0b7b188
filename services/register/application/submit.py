"""Take a department's signed batch: check it, apply what is higher, answer with a receipt."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from services.archive.domain.signed_note import KeyText, NoteVerifier
from services.archive.domain.submission import RegisterReceipt, write_results
from services.archive.domain.witness_policy import read_policy
from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.register.application.ports import Account, Answered, Certified, ReceiptKey, Register, Signatures, Work
from services.register.domain.findings import cure
from services.register.domain.judgement import BatchRefused, Proven, applied, decide, examine


@dataclass(frozen=True, slots=True)
class Submit:
    """The same batch gets the same receipt, however often and however late it comes."""

    register: Register
    signatures: Signatures
    key: ReceiptKey
    name: str
    clock: Clock
    verifier_of: Callable[[KeyText], NoteVerifier]

    async def __call__(self, account: Account, manifest: bytes, signature: bytes) -> Answered:
        """The receipt. Refused, with a code of `findings`, when the batch as a whole is not in order; nothing was written then."""
        certified = await self.signatures.signer(manifest, signature)
        if certified is None:
            _refuse("signature_invalid", "the signature is not over these bytes")
        try:
            # Thousands of hashes: other departments' calls go on meanwhile.
            batch = await asyncio.to_thread(examine, manifest, read_policy(account.log_policy), self.verifier_of)
        except BatchRefused as refusal:
            _refuse(refusal.finding.code, refusal.finding.detail)
        if batch.manifest.department != account.department:
            _refuse("department_differs", f"the batch is one of {batch.manifest.department}, the account is {account.department}'s")
        digest = hashlib.sha256(manifest).digest()
        async with self.register.work(account.department) as work:
            known = await work.answered(digest)
            if known is not None:
                return known
            await self._approved(work, account, certified)
            root = await work.known_root(batch.checkpoint)
            if root not in (None, batch.checkpoint.root):
                _refuse("log_forked", f"another root for {batch.checkpoint.size} leaves is known here")
            proven = [one for one in batch.records if isinstance(one, Proven)]
            held = await work.held({one.record.transcript_id for one in proven})
            outcomes = decide(batch.records, held, await work.documents({one.statement.sha256 for one in proven}))
            receipt = RegisterReceipt.of(self.name, account.department, manifest, outcomes, self.clock.now())
            answer = Answered(self.key.signed(receipt), write_results(outcomes))
            note = batch.manifest.checkpoint
            await work.keep(receipt, certified.certificate_sha256, signature, answer, batch.checkpoint, note, applied(batch, outcomes))
        return answer

    async def _approved(self, work: Work, account: Account, certified: Certified) -> None:
        approval, now = await work.approval(certified.certificate_sha256), self.clock.now()
        if approval is None or approval.department != account.department:
            _refuse("certificate_not_approved", f"certificate {certified.certificate_sha256.hex()[:16]}… isn't approved for {account.department}")
        if approval.revoked_at is not None or (certified.revoked_at is not None and certified.revoked_at <= now):
            _refuse("certificate_revoked", f"revoked at {min(filter(None, (approval.revoked_at, certified.revoked_at))):%Y-%m-%dT%H:%M:%SZ}")
        if certified.valid is None:
            _refuse("certificate_untrusted", "no path leads from it to an authority that the register trusts")
        begin, end = certified.valid
        if not begin <= now <= end:
            _refuse("certificate_not_in_force", f"valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}")


def _refuse(code: str, detail: str) -> NoReturn:
    raise Refused(f"{detail}. {cure(code)}", code=code)
