"""Put one role's signature on the pupils of an order: the heart of the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.signing.application.announce_signed import AnnounceSigned
from services.signing.application.ports import (
    Batch,
    Certificates,
    Holder,
    KeyJournal,
    KeyStore,
    ManifestRow,
    Signatory,
    Signed,
    Staging,
    StoredPdf,
    Task,
    Terms,
)
from services.signing.application.stores import Transactions
from services.signing.domain.certificate import UntrustedCertificate, unfit
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry, ManifestState, list_of
from services.signing.domain.orders import LineResult, Order
from services.signing.domain.roles import SignatureRole, roles_for
from services.signing.domain.transcripts import Ref, Waiting
from services.signing.domain.verdict import Expectation, ExpectedSignature

# A batch that takes longer than this is stuck; a certificate must outlast it.
LONGEST_BATCH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Ready:
    """An order with all that is needed to sign it."""

    order: Order
    manifest: ManifestRow
    terms: Terms
    waiting: dict[Ref, Waiting]
    signatures: dict[Ref, tuple[ExpectedSignature, ...]]


@dataclass(frozen=True, slots=True)
class SignClass:
    """Do a SIGN order. A repeat finds what was announced and leaves it; what was cut off before that is made again, alike.

    1. read the order, the approval and the documents; check the certificate
    2. fix every byte but the signature values
    3. record all intents in one transaction that still sees the manifest ready
    4. journal, then use the key
    5. fill in the values and check each document
    6. stage the pack
    7. announce in one transaction that holds the unrevoked manifest
    """

    transactions: Transactions
    signatory: Signatory
    keys: KeyStore
    key_journal: KeyJournal
    staging: Staging
    certificates: Certificates
    clock: Clock
    announce_signed: AnnounceSigned
    order_of_roles: tuple[SignatureRole, ...]

    async def __call__(self, order_id: str) -> None:
        """Sign what can be signed; each pupil succeeds or fails alone."""
        ready = await self._ready(order_id)
        if ready is None:
            return
        failures: list[LineResult] = [
            LineResult(ref, "not_waiting: the role before isn't on, the version was replaced, or the page isn't the approved one")
            for ref in ready.order.lines
            if ref not in ready.waiting
        ]
        reason = self._unfit(ready.terms)
        if reason:
            await self.announce_signed(ready.order, [], None, [*failures, *(LineResult(ref, reason) for ref in ready.waiting)])
            return
        tasks, missing = await self._tasks(ready)
        failures += missing
        batch = await self.signatory.prepare(tasks, ready.terms)
        intents, refused = await self._intend(ready, tasks, batch)
        failures += refused
        signed, documents, broken = await self._sign(ready, tasks, batch, intents)
        failures += broken.values()
        pack = None
        if documents:
            pack = await self.staging.put(ready.order.place.class_id, ready.terms.role.value, documents)
        await self.announce_signed(ready.order, signed, pack, failures, list(broken))

    async def _ready(self, order_id: str) -> Ready | None:
        async with self.transactions() as work:
            order = await work.orders.get(order_id)
            if order is None or order.manifest_id is None or order.role is None:
                raise Refused(f"there is no signing order {order_id}", code="order_unknown")
            manifest = await work.manifests.get(order.manifest_id)
            if order.state != "released" or not order.lines or manifest is None:
                return None
            if manifest.state is not ManifestState.READY:
                return None
            approval = next((a for a in manifest.approvals if a.role is order.role), None)
            lines = await work.manifests.lines(order.manifest_id)
            # The root is worked out from the lines, so that a row changed behind our back signs nothing.
            if approval is None or approval.merkle_root != list_of(lines).root:
                raise Refused(f"manifest {manifest.manifest_id} isn't approved for {order.role.value}", code="not_approved")
            holder = await work.people.holder(order.place.school_id, order.role, approval.certificate_sha256)
            approved = {_content_of(line) for line in lines}
            found = await work.classes.waiting(order.lines, roles_for(manifest.kind, self.order_of_roles).index(order.role))
            waiting = {ref: w for ref, w in found.items() if (ref.transcript_id, ref.version, ref.content_digest, w.body_digest) in approved}
            earlier = await work.journal.finished(manifest.manifest_id, list(waiting))
            certificates = {a.role: a.certificate_sha256 for a in manifest.approvals}
        if holder is None:
            reason = "certificate_revoked: the certificate that was approved with isn't valid any more; approve again with a new one"
            await self.announce_signed(order, [], None, [LineResult(ref, reason) for ref in order.lines])
            return None
        signatures = {
            finished.ref: tuple(ExpectedSignature(s.role, self.signatory_field(s.role), certificates[s.role], s.signed_at) for s in finished.signatures)
            for finished in earlier
        }
        return Ready(order, manifest, Terms(order, order.role, holder, approval.authority), waiting, signatures)

    @staticmethod
    def signatory_field(role: SignatureRole) -> str:
        """The form field of a role; the forms name their fields by role."""
        return "".join(word.capitalize() for word in role.value.split("_"))

    def _unfit(self, terms: Terms) -> str | None:
        holder: Holder = terms.holder
        try:
            self.certificates.check_chain(holder.certificate, holder.chain, self.clock.now())
        except UntrustedCertificate as error:
            return f"certificate_untrusted: {error}"
        # Whose certificate it is was checked at the approval; here only time and purpose can have changed.
        reason = unfit(holder.facts, terms.role, holder.facts.staff_id, self.clock.now(), LONGEST_BATCH)
        return f"certificate_unfit: {reason}" if reason else None

    async def _tasks(self, ready: Ready) -> tuple[list[Task], list[LineResult]]:
        stored = [StoredPdf(w.ref, w.current_pack, w.current_digest) for w in ready.waiting.values()]
        pdfs = await self.staging.read(stored)
        tasks = [Task(waiting, pdfs[ref], self._expectation(ready, waiting)) for ref, waiting in ready.waiting.items() if ref in pdfs]
        lost = [LineResult(ref, "page_lost: the page isn't in staging as it was noted; have it prepared again") for ref in ready.waiting if ref not in pdfs]
        return tasks, lost

    def _expectation(self, ready: Ready, waiting: Waiting) -> Expectation:
        role, roles = ready.terms.role, roles_for(ready.manifest.kind, self.order_of_roles)
        new = ExpectedSignature(role, self.signatory_field(role), ready.terms.holder.facts.sha256, ready.order.fixed_at)
        return Expectation(
            body_digest=waiting.body_digest,
            content_digest=waiting.ref.content_digest,
            signatures=(*ready.signatures.get(waiting.ref, ()), new),
            order=roles,
            fields=[self.signatory_field(each) for each in roles],
        )

    async def _intend(self, ready: Ready, tasks: Sequence[Task], batch: Batch) -> tuple[dict[str, Ref], list[LineResult]]:
        planned: dict[str, tuple[Intent, Ref]] = {}
        failures: list[LineResult] = []
        for task, outcome in zip(tasks, batch.outcomes, strict=True):
            if isinstance(outcome, str):
                failures.append(LineResult(task.waiting.ref, outcome))
            else:
                planned[outcome.intent_id] = (outcome, task.waiting.ref)
        async with self.transactions() as work:
            await work.classes.hold(ready.order.place.class_id)
            manifest = await work.manifests.get(ready.manifest.manifest_id)
            if manifest is None or manifest.state is not ManifestState.READY:
                return {}, failures
            recorded = await work.journal.intend(ready.order.order_id, [intent for intent, _ in planned.values()], self.clock.now())
            await work.journal.void_orphans(ready.order.place.class_id, self.clock.now())
        accepted: dict[str, Ref] = {}
        for intent_id, (intent, ref) in planned.items():
            # What stands recorded wins: the key never sees a digest beside it.
            if recorded.get(intent_id) == intent:
                accepted[intent_id] = ref
            else:
                failures.append(LineResult(ref, "intent_differs: another document was intended before; retry makes a new intent"))
        return accepted, failures

    async def _sign(
        self, ready: Ready, tasks: Sequence[Task], batch: Batch, accepted: dict[str, Ref]
    ) -> tuple[list[Signed], list[tuple[str, bytes]], dict[str, LineResult]]:
        intents = [o for o in batch.outcomes if isinstance(o, Intent) and o.intent_id in accepted]
        if not intents:
            return [], [], {}
        key_name = ready.terms.holder.key_name
        await self.key_journal.note(key_name, ready.order.order_id, intents)
        values = await self.keys.sign(key_name, [intent.to_be_signed for intent in intents])
        results = await batch.finish({i.intent_id: v for i, v in zip(intents, values, strict=True)})
        signed: list[Signed] = []
        documents: list[tuple[str, bytes]] = []
        broken: dict[str, LineResult] = {}
        waiting = {task.waiting.ref: task.waiting for task in tasks}
        for intent in intents:
            ref, result = accepted[intent.intent_id], results[intent.intent_id]
            if isinstance(result, str):
                broken[intent.intent_id] = LineResult(ref, f"check_failed: {result}")
                continue
            signed.append(Signed(waiting[ref], intent, sha256(result).digest(), len(result)))
            documents.append((ref.file_name, result))
        return signed, documents, broken


def _content_of(line: Entry) -> tuple[str, int, bytes, bytes]:
    return line.transcript_id, line.version, line.content_digest, line.body_digest
