"""Admit a signed class: check every document again, keep the good ones for ever, park the others one by one."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from services.archive.application.check_document import Verdict
from services.archive.application.check_pack import Checks, judge_pack
from services.archive.application.ports import Admissions, AdmissionWork, AdmittedVersion, Deposit, Staging, Vault
from services.archive.domain.admission import Admit, Already, Held, decide, standing
from services.archive.domain.class_sheets import Proof, proofs_of
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pack import Pack
from services.archive.domain.sealed_record import RecordFacts, read_facts
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.transcript import Rejection, SignedClass, SignedDocument
from services.chassis.clock import Clock
from services.chassis.errors import Conflict


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a class."""

    admitted: int
    already: int
    rejected: int


@dataclass(frozen=True, slots=True)
class _Checked:
    """A document that passed every check of its bytes."""

    document: SignedDocument
    data: bytes
    facts: RecordFacts
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class AdmitTranscripts:
    """Durable before acknowledged, harmless to repeat; one bad document never touches its classmates.

    1. read the pack from staging, 2. check each document, 3. keep one immutable pack of the good ones, 4. write index,
    leaves of the log and events in one transaction. A transcript whose sheets aren't all here waits for them, without being called
    refused: `AdmitSheets` looks at it again. A crash between 3 and 4 leaves an object nobody refers to, and the repeat
    finds it in place.
    """

    staging: Staging
    vault: Vault
    admissions: Admissions
    check: Checks
    clock: Clock

    async def __call__(self, signed: SignedClass, *, again: bool = False) -> Admission:
        """What was admitted, judged before, and newly rejected. NotFound when the pack is not in staging.

        A document that was refused is not judged anew when its event comes again, unless `again` asks for it: the
        pack may have left staging since, and a replay must change nothing.
        """
        ids = [document.ref.transcript_id for document in signed.documents]
        refused_before = frozenset() if again else await self.admissions.refused(ids)
        new, already, rejections = _sift(signed, await self.admissions.held(ids), refused_before)
        if not new and not rejections:
            return Admission(0, already, 0)
        good, bad = await self._checked(signed, new)
        rejections += bad
        deposits = [Deposit(item.document.file_name, item.document.ref.pupil_id, item.data) for item in good]
        pack = await self.vault.keep(signed.province_id, signed.school_year, deposits) if good else None
        now = self.clock.now()
        async with self.admissions.transaction() as work:
            if pack is not None:
                await _write(work, signed, pack, good, now)
            refused = await work.reject(signed, rejections, now)
        return Admission(len(good), already, refused)

    async def _checked(self, signed: SignedClass, documents: Sequence[SignedDocument]) -> tuple[list[_Checked], list[Rejection]]:
        if not documents:
            return [], []
        data = await self.staging.read(signed.pack)
        # Some 0.2 ms a document, ten of the first of a shape: away from the event loop, so that calls are answered meanwhile.
        good, bad = await asyncio.to_thread(judge_pack, self.check, data, documents, _judged, signed.province_id)
        # Sheets are never taken back, so what is found here before the transaction still holds in it.
        named = {(proof.sheet_id, proof.version) for item in good for proof in item.proofs}
        roots = await self.admissions.sheet_roots(named) if named else {}
        for item in good:
            found = standing(item.proofs, roots)
            if found is not None:
                bad.append((item.document, found))
        refused = {document.ref for document, _ in bad}
        rejections = [Rejection(document, finding.reason, finding.detail) for document, finding in bad]
        return [item for item in good if item.document.ref not in refused], rejections


def _judged(document: SignedDocument, data: bytes, verdict: Verdict) -> _Checked | Finding:
    """The document with what its record says of itself, when it is accepted and is the one that was announced."""
    if verdict.first is not None:
        return verdict.first
    record = verdict.record or b""
    facts = read_facts(record)
    if facts is None:
        return Finding(Reason.RECORD_MISSING, "the attached record doesn't say which transcript it is")
    ref = document.ref
    if (facts.transcript_id, facts.version, facts.public_id) != (ref.transcript_id, ref.version, ref.public_id):
        return Finding(Reason.RECORD_DIFFERS, "the attached record is that of another transcript or version")
    return _Checked(document, data, facts, tuple(proofs_of(record)))


def _sift(signed: SignedClass, held: Mapping[str, Held], refused_before: Set[tuple[str, int, bytes]]) -> tuple[list[SignedDocument], int, list[Rejection]]:
    """(documents to look at, number of repeats, refusals for their version alone)."""
    new: list[SignedDocument] = []
    rejections: list[Rejection] = []
    already = 0
    seen: set[str] = set()
    for document in signed.documents:
        decision = decide(document.ref, signed.school_year, document.sha256, held.get(document.ref.transcript_id))
        if (document.ref.transcript_id, document.ref.version, document.sha256) in refused_before:
            already += 1
        elif isinstance(decision, Finding):
            rejections.append(Rejection(document, decision.reason, decision.detail))
        elif isinstance(decision, Already):
            already += 1
        elif document.ref.transcript_id in seen:
            detail = "one message announces two versions of a transcript"
            rejections.append(Rejection(document, Reason.VERSION_CONTRADICTS, detail))
        else:
            seen.add(document.ref.transcript_id)
            new.append(document)
    return new, already, rejections


async def _write(work: AdmissionWork, signed: SignedClass, pack: Pack, good: Sequence[_Checked], now: datetime) -> None:
    held = await work.held(item.document.ref.transcript_id for item in good)
    versions = [_admitted(signed, pack, item, held.get(item.document.ref.transcript_id), now) for item in good]
    await work.admit(signed, pack, versions, now)


def _admitted(signed: SignedClass, pack: Pack, item: _Checked, held: Held | None, now: datetime) -> AdmittedVersion:
    ref = item.document.ref
    # Decided again: another process may have admitted a version since the first look. One that does so now is stopped by the
    # index itself, which has room for one successor of a version.
    decision = decide(ref, signed.school_year, item.document.sha256, held)
    if not isinstance(decision, Admit):
        raise Conflict(f"transcript {ref.transcript_id} was admitted by another process meanwhile; look again")
    statement = Statement(
        kind=Kind.SUPERSEDE if decision.supersedes else Kind.ISSUE,
        public_id=ref.public_id,
        version=ref.version,
        sha256=item.document.sha256,
        content_digest=ref.content_digest,
        previous=held.digests[decision.supersedes] if held is not None and decision.supersedes else None,
        school_id=signed.school_id,
        at=now,
    ).canonical()
    place = pack.places[item.document.file_name]
    return AdmittedVersion(
        ref=ref,
        sha256=item.document.sha256,
        size=len(item.data),
        offset=place.offset,
        supersedes=decision.supersedes,
        skipped=decision.skipped,
        statement=statement,
        level=item.facts.level,
        school_name=item.facts.school_name,
    )
