"""Put one role's signature on the pupils of an order: the heart of the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from services.chassis.clock import Clock
from services.chassis.errors import Refused
from services.signing.application.announce_signed import AnnounceSigned
from services.signing.application.ports import (
    Batch,
    CheckValue,
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
from services.signing.application.preflight import Preflight
from services.signing.application.stores import Transactions
from services.signing.application.wait import PutOff
from services.signing.domain.intent import Intent
from services.signing.domain.key_names import Answers, Home, KeyName, UnreadableKeyName
from services.signing.domain.manifest import Entry, ManifestState, list_of
from services.signing.domain.orders import INTENT_LIFE, LineResult, Order
from services.signing.domain.remote import Item, RemoteRequest, RequestState, parcels, request_name
from services.signing.domain.revocation import Unknown
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Ref, Waiting
from services.signing.domain.verdict import Expectation, ExpectedSignature

_NOT_BY_THE_KEY = "the key's home gave a value that the certificate's key didn't make"


@dataclass(frozen=True, slots=True)
class Ready:
    """An order with all that is needed to sign it."""

    order: Order
    manifest: ManifestRow
    terms: Terms
    staff_id: str
    waiting: dict[Ref, Waiting]
    signatures: dict[Ref, tuple[ExpectedSignature, ...]]


@dataclass(slots=True)
class Made:
    """What came of using the key: documents, intents whose document failed its check, and pupils whom the key's home refused."""

    signed: list[Signed] = field(default_factory=list)
    documents: list[tuple[str, bytes]] = field(default_factory=list)
    spoilt: dict[str, LineResult] = field(default_factory=dict)
    refused: list[LineResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SignClass:
    """Do a SIGN order. A repeat finds what was announced and leaves it; what was cut off before that is made again, alike.

    1. read the order, the approval and the documents; check the certificate, its revocation too
    2. fix every byte but the signature values
    3. record all intents in one transaction that still sees the manifest ready
    4. journal, then use the key; where its answer comes later, keep the request and let the message go
    5. fill in the values and check each document
    6. stage the pack
    7. announce in one transaction that holds the unrevoked manifest
    """

    transactions: Transactions
    signatory: Signatory
    keys: KeyStore
    key_journal: KeyJournal
    staging: Staging
    preflight: Preflight
    put_off: PutOff
    clock: Clock
    announce_signed: AnnounceSigned
    check_value: CheckValue
    remote_batch: int

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
        reason = await self.preflight(ready.terms.holder, ready.terms.role, ready.staff_id)
        if isinstance(reason, Unknown):
            reason = f"revocation_unknown: {reason.why}"
            if await self.put_off(ready.order, list(ready.waiting), reason):
                return
        if reason:
            await self.announce_signed(ready.order, [], None, [*failures, *(LineResult(ref, reason) for ref in ready.waiting)])
            return
        tasks, missing = await self._tasks(ready)
        failures += missing
        batch = await self.signatory.prepare(tasks, ready.terms)
        intents, refused = await self._intend(ready, tasks, batch)
        failures += refused
        made = await self._sign(ready, tasks, batch, intents)
        if made is None:
            return  # Whoever brings the values sends the order again.
        failures += [*made.refused, *made.spoilt.values()]
        pack = None
        if made.documents:
            pack = await self.staging.put(ready.order.place.class_id, ready.terms.role.value, made.documents)
        await self.announce_signed(ready.order, made.signed, pack, failures, list(made.spoilt))

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
            image = await work.people.image(order.place.school_id, approval.image_digest)
            approved = {_content_of(line) for line in lines}
            found = await work.classes.waiting(order.lines, manifest.policy.roles.index(order.role))
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
        return Ready(order, manifest, Terms(order, order.role, holder, approval.authority, image), approval.staff_id or "", waiting, signatures)

    @staticmethod
    def signatory_field(role: SignatureRole) -> str:
        """The form field of a role; the forms name their fields by role."""
        return "".join(word.capitalize() for word in role.value.split("_"))

    async def _tasks(self, ready: Ready) -> tuple[list[Task], list[LineResult]]:
        stored = [StoredPdf(w.ref, w.current_pack, w.current_digest) for w in ready.waiting.values()]
        pdfs = await self.staging.read(stored)
        tasks = [Task(waiting, pdfs[ref], self._expectation(ready, waiting)) for ref, waiting in ready.waiting.items() if ref in pdfs]
        lost = [LineResult(ref, "page_lost: the page isn't in staging as it was noted; have it prepared again") for ref in ready.waiting if ref not in pdfs]
        return tasks, lost

    def _expectation(self, ready: Ready, waiting: Waiting) -> Expectation:
        role, roles = ready.terms.role, ready.manifest.policy.roles
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
            void = await work.journal.void_reasons([intent_id for intent_id in planned if intent_id not in recorded])
        accepted: dict[str, Ref] = {}
        for intent_id, (intent, ref) in planned.items():
            # What stands recorded wins: the key never sees a digest beside it.
            if recorded.get(intent_id) == intent:
                accepted[intent_id] = ref
            elif intent_id in void:
                reason = void[intent_id]
                failures.append(LineResult(ref, reason if ": " in reason else f"intent_void: {reason}; retry makes a new intent"))
            else:
                failures.append(LineResult(ref, "intent_differs: another document was intended before; retry makes a new intent"))
        return accepted, failures

    async def _sign(self, ready: Ready, tasks: Sequence[Task], batch: Batch, accepted: dict[str, Ref]) -> Made | None:
        """What came of it; None when the values come later."""
        made = Made()
        intents = [o for o in batch.outcomes if isinstance(o, Intent) and o.intent_id in accepted]
        if not intents:
            return made
        try:
            values = await self._values(ready, intents)
        except Refused as error:
            # Told per signer: a repeat of the order would meet the same refusal. No key was used, so the intents live on.
            made.refused += [LineResult(accepted[i.intent_id], f"{error.code}: {error.message}") for i in intents]
            return made
        if values is None:
            return None
        results = await batch.finish(values)
        waiting = {task.waiting.ref: task.waiting for task in tasks}
        for intent in intents:
            ref, result = accepted[intent.intent_id], results.get(intent.intent_id, _NOT_BY_THE_KEY)
            if isinstance(result, str):
                made.spoilt[intent.intent_id] = LineResult(ref, f"check_failed: {result}")
                continue
            made.signed.append(Signed(waiting[ref], intent, sha256(result).digest(), len(result)))
            made.documents.append((ref.file_name, result))
        return made

    async def _values(self, ready: Ready, intents: Sequence[Intent]) -> Mapping[str, bytes] | None:
        """Signature values by intent, without those that the certificate's key didn't make; None when they come later."""
        key_name, order_id = ready.terms.holder.key_name, ready.order.order_id
        try:
            answers = KeyName.read(key_name).answers
        except UnreadableKeyName as error:
            raise Refused(f"{error}; register the certificate again", code="key_unknown") from None
        kept: dict[str, bytes] = {}
        if answers is not Answers.REPEATABLY:
            async with self.transactions() as work:
                kept = await work.remote.stored([intent.intent_id for intent in intents])
        missing = [intent for intent in intents if intent.intent_id not in kept]
        if not missing:
            return kept
        if answers is Answers.LATER:
            await self._ask(ready, missing)
            return None
        await self.key_journal.note(key_name, order_id, missing)
        made = await self.keys.sign(key_name, [intent.to_be_signed for intent in missing])
        values = {intent.intent_id: value for intent, value in zip(missing, made, strict=True)}
        return values if answers is Answers.REPEATABLY else kept | await self._first(ready, missing, values)

    async def _first(self, ready: Ready, intents: Sequence[Intent], values: dict[str, bytes]) -> dict[str, bytes]:
        """Keep values that a second use of the key would not give again; what stands stored is what counts."""
        certificate = ready.terms.holder.certificate
        right = {i.intent_id: values[i.intent_id] for i in intents if self.check_value(certificate, i.to_be_signed, values[i.intent_id])}
        async with self.transactions() as work:
            await work.remote.void_values(None, {i: v for i, v in values.items() if i not in right}, _NOT_BY_THE_KEY, self.clock.now())
            return await work.remote.store(None, right, self.clock.now())

    async def _ask(self, ready: Ready, intents: Sequence[Intent]) -> None:
        """Keep requests for what nobody has been asked for yet. A worker waits for nobody: the message is done with that."""
        order, holder = ready.order, ready.terms.holder
        async with self.transactions() as work:
            asked = await work.remote.asked_for([intent.intent_id for intent in intents])
        fresh = [intent for intent in intents if intent.intent_id not in asked]
        if not fresh:
            return
        await self.key_journal.note(holder.key_name, order.order_id, fresh)
        items = [Item(i.intent_id, i.to_be_signed, i.transcript_id, i.version) for i in fresh]
        now, expires = self.clock.now(), order.fixed_at + INTENT_LIFE
        async with self.transactions() as work:
            await work.classes.hold(order.place.class_id)
            manifest = await work.manifests.get(ready.manifest.manifest_id)
            if manifest is None or manifest.state is not ManifestState.READY:
                return
            for parcel in parcels(items, self.remote_batch):
                request = RemoteRequest(
                    request_name([item.intent_id for item in parcel]),
                    order.order_id,
                    manifest.manifest_id,
                    order.place,
                    ready.terms.role,
                    holder.key_name,
                    holder.facts.sha256,
                    RequestState.WAITING,
                    "",
                    now,
                    expires,
                    None,
                    parcel,
                )
                # An agent comes by itself; there is nothing to do for it before its time is over.
                await work.remote.add(request, expires if request.home is Home.AGENT else now)


def _content_of(line: Entry) -> tuple[str, int, bytes, bytes]:
    return line.transcript_id, line.version, line.content_digest, line.body_digest
