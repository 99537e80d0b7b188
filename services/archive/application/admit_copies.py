"""Admit certified copies and extracts that signing has sealed: checked again, kept for ever, a leaf of the log each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.archive.application.check_document import CheckDocument, Verdict
from services.archive.application.check_pack import judge_pack
from services.archive.application.copy_ports import Copies
from services.archive.application.ports import Deposit, Staging, Vault, Viewer
from services.archive.domain.copies import CertifiedCopy, SignedCopies, SignedCopy
from services.archive.domain.findings import Finding
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, Refused

_ITSELF = Viewer(everything=True)


@dataclass(frozen=True, slots=True)
class AdmitCopies:
    """Each copy is a transaction of its own. One that fails a check is refused with the reason, so that its record is parked and shown."""

    staging: Staging
    vault: Vault
    copies: Copies
    check: CheckDocument
    check_extract: CheckDocument
    clock: Clock

    async def __call__(self, signed: SignedCopies) -> int:
        """How many were admitted; a repeat admits none. NotFound for a copy that was never ordered, Refused for one that isn't what was ordered."""
        new = [(document, ordered) for document in signed.documents if (ordered := await self._ordered(document)).issued_at is None]
        if not new:
            return 0
        data = await self.staging.read(signed.pack)
        good, bad = [], []
        for check, are_extracts in ((self.check, False), (self.check_extract, True)):
            documents = [document for document, ordered in new if ordered.is_extract is are_extracts]
            if documents:
                accepted, refused = await asyncio.to_thread(judge_pack, check, data, documents, _judged)
                good += accepted
                bad += refused
        files = {document.ref.copy_id: (document, file) for document, file in good}
        for document, ordered in new:
            if document.ref.copy_id in files:
                await self._admit(document, ordered, files[document.ref.copy_id][1])
        _refuse(bad)
        return len(good)

    async def _ordered(self, document: SignedCopy) -> CertifiedCopy:
        ref = document.ref
        async with self.copies.transaction(_ITSELF) as work:
            ordered = await work.get(ref.copy_id)
        if ordered is None:
            raise NotFound(f"copy {ref.copy_id} was never ordered here", code="no_copy")
        if ordered.ref != ref or ordered.sha256 not in (None, document.sha256):
            raise Refused(f"copy {ref.copy_id} was ordered or issued with other words or bytes", code="copy_contradicts")
        return ordered

    async def _admit(self, document: SignedCopy, ordered: CertifiedCopy, data: bytes) -> None:
        source = ordered.source
        pack = await self.vault.keep(source.province_id, source.school_year, [Deposit(document.file_name, source.ref.pupil_id, data)])
        async with self.copies.transaction(_ITSELF) as work:
            await work.issue(ordered, pack, len(data), document.sha256, self.clock.now())


def _judged(document: SignedCopy, data: bytes, verdict: Verdict) -> tuple[SignedCopy, bytes] | Finding:
    # That the content is what was ordered says its digest, and that the original is the one which the content names, the check.
    return verdict.first or (document, data)


def _refuse(bad: Sequence[tuple[SignedCopy, Finding]]) -> None:
    if bad:
        document, finding = bad[0]
        raise Refused(f"copy {document.ref.copy_id}: {finding.detail}", code=finding.reason)
