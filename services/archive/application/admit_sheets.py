"""Admit signed class-subject sheets, and the transcripts that waited for them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import CheckDocument, Verdict
from services.archive.application.check_pack import judge_pack
from services.archive.application.ports import Admissions, AdmissionWork, AdmittedSheet, Deposit, Staging, Vault
from services.archive.domain.admission import Already, decide_sheet
from services.archive.domain.class_sheets import SheetFacts, read_sheet_facts
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pack import Pack
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import Rejection, SignedClass, SignedSheet, SignedSheets
from services.chassis.clock import Clock
from services.chassis.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class _Checked:
    """A sheet that passed every check of its bytes."""

    document: SignedSheet
    data: bytes
    facts: SheetFacts


@dataclass(frozen=True, slots=True)
class AdmitSheets:
    """The same way as a class of transcripts; versions stand side by side, since each holds other rows."""

    staging: Staging
    vault: Vault
    admissions: Admissions
    check: CheckDocument
    clock: Clock
    admit_transcripts: AdmitTranscripts

    async def __call__(self, signed: SignedSheets, *, again: bool = False) -> Admission:
        """What was admitted, judged before, and newly rejected; whoever waited for one of these sheets is looked at again."""
        admission = await self._admit(signed, again)
        # After a repeat too: the process may have died between admitting the sheets and looking at who waited.
        for waiting in await self.admissions.refused_classes(signed.class_id, Reason.WAITING_FOR_SHEET):
            if isinstance(waiting, SignedClass):
                await self._admit_waiting(waiting)
        return admission

    async def _admit_waiting(self, waiting: SignedClass) -> None:
        try:
            await self.admit_transcripts(waiting, again=True)
        except NotFound:
            # Its pack has left staging. It stays in the list of open refusals, for an operator to restore the pack and retry.
            return

    async def _admit(self, signed: SignedSheets, again: bool) -> Admission:
        ids = [document.ref.sheet_id for document in signed.documents]
        refused_before = frozenset() if again else await self.admissions.refused(ids)
        held = await self.admissions.held_sheets(ids)
        new: list[SignedSheet] = []
        rejections: list[Rejection] = []
        for document in signed.documents:
            decision = decide_sheet(document.ref, document.sha256, held)
            if (document.ref.sheet_id, document.ref.version, document.sha256) in refused_before or isinstance(decision, Already):
                continue
            if isinstance(decision, Finding):
                rejections.append(Rejection(document, decision.reason, decision.detail))
            else:
                new.append(document)
        already = len(signed.documents) - len(new) - len(rejections)
        if not new and not rejections:
            return Admission(0, already, 0)
        good: list[_Checked] = []
        if new:
            data = await self.staging.read(signed.pack)
            good, bad = await asyncio.to_thread(judge_pack, self.check, data, new, _judged)
            rejections += [Rejection(document, finding.reason, finding.detail) for document, finding in bad]
        deposits = [Deposit(item.document.file_name, signed.class_id, item.data) for item in good]
        pack = await self.vault.keep(signed.province_id, signed.school_year, deposits) if good else None
        now = self.clock.now()
        async with self.admissions.transaction() as work:
            if pack is not None:
                await _write(work, signed, pack, good, now)
            refused = await work.reject(signed, rejections, now)
        return Admission(len(good), already, refused)


def _judged(document: SignedSheet, data: bytes, verdict: Verdict) -> _Checked | Finding:
    """The sheet with what its content says of itself, when it is accepted and is the one that was announced."""
    if verdict.first is not None:
        return verdict.first
    ref, facts = document.ref, read_sheet_facts(verdict.record or b"")
    if facts is None:
        return Finding(Reason.RECORD_MISSING, "the attached content doesn't say which sheet it is")
    if (facts.sheet_id, facts.version, facts.public_id, facts.subject) != (ref.sheet_id, ref.version, ref.public_id, ref.subject):
        return Finding(Reason.RECORD_DIFFERS, "the attached content is that of another sheet or version")
    return _Checked(document, data, facts)


async def _write(work: AdmissionWork, signed: SignedSheets, pack: Pack, good: Sequence[_Checked], now: datetime) -> None:
    # Looked up again: another process may have admitted one since the first look.
    held = await work.held_sheets([item.document.ref.sheet_id for item in good])
    admitted: list[AdmittedSheet] = []
    for item in good:
        ref = item.document.ref
        if (ref.sheet_id, ref.version) in held:
            raise Conflict(f"sheet {ref.sheet_id} was admitted by another process meanwhile; look again")
        statement = Statement(
            kind=Kind.SHEET,
            public_id=ref.public_id,
            version=ref.version,
            sha256=item.document.sha256,
            content_digest=ref.content_digest,
            previous=None,
            school_id=signed.school_id,
            at=now,
        ).canonical()
        place = pack.places[item.document.file_name]
        admitted.append(AdmittedSheet(ref, item.facts, item.document.sha256, len(item.data), place.offset, statement))
    await work.admit_sheets(signed, pack, admitted, now)
