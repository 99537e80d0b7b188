"""Give documents that carry all signatures their proof of time (level B-LTA): the pass after the peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.chassis.clock import Clock
from services.chassis.errors import Refused, Unavailable
from services.signing.application.announce_signed import AnnounceFinished
from services.signing.application.ports import Finished, LongTerm, ManifestRow, Revocations, Staging, Stamp, StoredPdf, TimeAuthority
from services.signing.application.stores import Transactions
from services.signing.application.wait import PutOff
from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.revocation import Revoked, Unknown
from services.signing.domain.transcripts import Ref, Waiting
from services.signing.domain.validation import ValidationData


@dataclass
class Pass:
    """An order on its way: what is left of it, and what has failed so far."""

    order: Order
    manifest: ManifestRow
    waiting: dict[Ref, Waiting]
    pdfs: dict[Ref, bytes]
    signers: list[tuple[bytes, tuple[bytes, ...]]]
    failures: list[LineResult]

    def keep(self, outcomes: Mapping[Ref, bytes | str]) -> dict[Ref, bytes]:
        """The good ones of these outcomes; each of the others fails its pupil alone."""
        kept: dict[Ref, bytes] = {}
        for ref, outcome in outcomes.items():
            if isinstance(outcome, bytes):
                kept[ref] = outcome
            else:
                self.fail(ref, outcome)
        return kept

    def fail(self, ref: Ref, reason: str) -> None:
        """This pupil's document can't go on."""
        self.failures.append(LineResult(ref, reason))
        self.pdfs.pop(ref, None)


class Stopped(Exception):
    """Nothing more is to be done for the order now: it waits, was halted, or has failed with its reason."""


@dataclass(frozen=True, slots=True)
class FinishClass:
    """Do a FINISH order. What an outside party has answered is stored before it is used, so a repeat makes the same bytes.

    1. read the order and the documents
    2. time stamps over the signatures
    3. what the authorities say of the certificates now, once for all documents
    4. time stamps over that
    5. put all together and check each document
    6. stage the pack
    7. announce in one transaction that holds the unrevoked manifest
    """

    transactions: Transactions
    long_term: LongTerm
    time_authority: TimeAuthority
    revocations: Revocations
    staging: Staging
    put_off: PutOff
    clock: Clock
    announce_finished: AnnounceFinished

    async def __call__(self, order_id: str) -> None:
        """Finish what can be finished; nobody is told of a document before it is."""
        going = await self._read(order_id)
        if going is None:
            return
        try:
            first = await self._stamped(going, 1, await self.long_term.over_signatures(going.pdfs))
            data = await self._validation(going, first)
            second = await self._stamped(going, 2, await self.long_term.over_validation(going.pdfs, _tokens(first), data))
        except Stopped:
            return
        made = going.keep(await self.long_term.finished(going.pdfs, _tokens(first), _tokens(second), data))
        pack = None
        if made:
            files = [(ref.file_name, pdf) for ref, pdf in made.items()]
            pack = await self.staging.put(going.order.place.class_id, "finished", files)
        finished = [Finished(going.waiting[ref], sha256(pdf).digest(), len(pdf)) for ref, pdf in made.items()]
        await self.announce_finished(going.order, finished, pack, going.failures)

    async def _read(self, order_id: str) -> Pass | None:
        async with self.transactions() as work:
            order = await work.orders.get(order_id)
            if order is None or order.manifest_id is None:
                raise Refused(f"there is no order {order_id} to finish", code="order_unknown")
            manifest = await work.manifests.get(order.manifest_id)
            if order.state != "released" or not order.lines or manifest is None or manifest.state is not ManifestState.READY:
                return None
            waiting = await work.classes.waiting(order.lines, len(manifest.policy.roles))
            signers = await work.people.signers(order.place.school_id, [a.certificate_sha256 for a in manifest.approvals])
        pdfs = await self.staging.read([StoredPdf(w.ref, w.current_pack, w.current_digest) for w in waiting.values()])
        failures = [LineResult(ref, "not_waiting: the version was replaced, or not all signatures are on") for ref in order.lines if ref not in waiting]
        failures += [LineResult(ref, "page_lost: the signed page isn't in staging as it was noted") for ref in waiting if ref not in pdfs]
        # Every document in the order of its id, so that a pack has the same bytes again.
        return Pass(order, manifest, waiting, {ref: pdfs[ref] for ref in waiting if ref in pdfs}, signers, failures)

    async def _stamped(self, going: Pass, place: int, imprints: Mapping[Ref, bytes | str]) -> dict[Ref, tuple[bytes, Stamp]]:
        """A token over each imprint: the one that is stored, else a new one, which is stored before it is used."""
        order_id = going.order.order_id
        wanted = going.keep(imprints)
        async with self.transactions() as work:
            stored = await work.proofs.tokens(order_id, place)
        missing = [ref for ref in wanted if ref.transcript_id not in stored]
        try:
            made = await self.time_authority.stamp([wanted[ref] for ref in missing])
            read = [self.time_authority.read(token, wanted[ref]) for ref, token in zip(missing, made, strict=True)]
        except Unavailable as error:
            raise await self._later(going, f"time_stamp_missing: {error.message}") from None
        except Refused as error:
            raise await self._fail_all(going, f"{error.code}: {error.message}; nothing was announced: look at the authority, then retry the class") from None
        async with self.transactions() as work:
            await work.classes.hold(going.order.place.class_id)
            manifest = await work.manifests.get(going.manifest.manifest_id)
            if manifest is None or manifest.state is not ManifestState.READY:
                raise Stopped
            if made:
                kept = [(ref, wanted[ref], token, stamp.at) for ref, token, stamp in zip(missing, made, read, strict=True)]
                await work.proofs.keep_tokens(order_id, place, kept, self.clock.now())
            stored = await work.proofs.tokens(order_id, place)
        tokens: dict[Ref, tuple[bytes, Stamp]] = {}
        for ref, imprint in wanted.items():
            stamped, token = stored[ref.transcript_id]
            if stamped == imprint:
                tokens[ref] = token, self.time_authority.read(token, imprint)
            else:
                going.fail(ref, "intent_differs: another document was stamped before; retry stamps this one")
        return tokens

    async def _validation(self, going: Pass, first: Mapping[Ref, tuple[bytes, Stamp]]) -> ValidationData:
        """One set of answers for all documents, none older than the newest of their first stamps."""
        order_id, stamps = going.order.order_id, [stamp for _, stamp in first.values()]
        async with self.transactions() as work:
            stored = await work.proofs.data(order_id)
        if stored is None and stamps:
            not_before = max(stamp.at for stamp in stamps)
            asked = dict.fromkeys([*going.signers, *((stamp.certificate, stamp.chain) for stamp in stamps)])
            answer = await self.revocations.proofs(list(asked), not_before)
            if isinstance(answer, Unknown):
                raise await self._later(going, f"revocation_unknown: {answer.why}")
            if isinstance(answer, Revoked):
                why = f"a certificate was revoked at {answer.since.isoformat()} ({answer.reason}), before the signatures' time was proven"
                raise await self._fail_all(going, f"certificate_revoked: {why}; register another one, then reject the manifest and retry the class")
            async with self.transactions() as work:
                await work.proofs.keep_data(order_id, not_before, answer, self.clock.now())
                stored = await work.proofs.data(order_id)
        if stored is None:
            return ValidationData((), (), ())
        not_before, data = stored
        for ref, (_, stamp) in first.items():
            # Stamped by a later try than the one that asked the authorities: a new order asks anew.
            if stamp.at > not_before:
                going.fail(ref, "validation_too_old: the revocation data is older than the time stamp; retry the class")
        return data

    async def _later(self, going: Pass, reason: str) -> Stopped:
        refs = list(going.pdfs)
        if not await self.put_off(going.order, refs, reason):
            return await self._fail_all(going, reason)
        return Stopped()

    async def _fail_all(self, going: Pass, reason: str) -> Stopped:
        failures: Sequence[LineResult] = [*going.failures, *(LineResult(ref, reason) for ref in going.pdfs)]
        await self.announce_finished(going.order, [], None, failures)
        return Stopped()


def _tokens(stamped: Mapping[Ref, tuple[bytes, Stamp]]) -> dict[Ref, bytes]:
    return {ref: token for ref, (token, _) in stamped.items()}
