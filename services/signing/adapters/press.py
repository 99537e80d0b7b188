"""The press and the signatory: processor work in threads of their own, so that the event loop stays free for the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

from services.signing.adapters.appearances import StampContent
from services.signing.adapters.cms_template import CmsTemplate
from services.signing.adapters.full_validation import SampledValidation
from services.signing.adapters.increments import NotOurs
from services.signing.adapters.official_forms import form_named
from services.signing.adapters.renderer import FormRenderer, known
from services.signing.adapters.signatures import SignatureTerms, Signing, Skeletons, Waiting, opened
from services.signing.adapters.verification import DocumentVerifier
from services.signing.application.ports import Batch, Holder, PageMade, Task, Terms
from services.signing.domain.class_sheet import ClassSheet
from services.signing.domain.copy_of_document import CertifiedCopy
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry
from services.signing.domain.record import Record, UnreadableRecord
from services.signing.domain.roles import SignatureRole
from services.signing.domain.verdict import NotAsIntended

_MOST_TEMPLATES = 1_024
_MOST_ORDERS = 8


class FormPress:
    """Fulfils ports.Press: one thread, with one renderer for each order of signatures."""

    def __init__(self, renderer_for: Callable[[tuple[SignatureRole, ...]], FormRenderer]) -> None:
        self._renderer_for = lru_cache(_MOST_ORDERS)(renderer_for)
        self._thread = ThreadPoolExecutor(1, "press")

    async def set_pages(
        self, contents: Sequence[bytes], roles: tuple[SignatureRole, ...], *, with_xml: bool = False, originals: Sequence[bytes | None] = ()
    ) -> list[PageMade | str]:
        """Set each page; a record that can't be set gives its reason."""
        beside = originals or [None] * len(contents)
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: [self._set(content, roles, with_xml, original) for content, original in zip(contents, beside, strict=True)]
        )

    def _set(self, content: bytes, roles: tuple[SignatureRole, ...], with_xml: bool, original: bytes | None) -> PageMade | str:
        try:
            document = known(content)
            body = self._renderer_for(roles).render(document, with_xml=with_xml and isinstance(document, Record), original=original)
        except UnreadableRecord as error:
            return f"record_unreadable: {error}"
        return PageMade(body.pdf, Entry(_name_of(document), document.version, document.digest, body.template_version, body.template_digest, body.digest))


def _name_of(document: Record | ClassSheet | CertifiedCopy) -> str:
    if isinstance(document, ClassSheet):
        return document.sheet_id
    return document.copy_id if isinstance(document, CertifiedCopy) else document.transcript_id


@dataclass
class PadesBatch:
    """Fulfils ports.Batch: documents with everything on them but the signature values."""

    outcomes: list[Intent | str]
    _waiting: dict[str, tuple[Waiting, Task]]
    _verify: DocumentVerifier
    _sampled: SampledValidation
    _thread: ThreadPoolExecutor

    async def finish(self, signatures: Mapping[str, bytes]) -> dict[str, bytes | str]:
        """Fill in and check, one document after the other."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: {intent_id: self._finish(intent_id, value) for intent_id, value in signatures.items()}
        )

    def _finish(self, intent_id: str, value: bytes) -> bytes | str:
        waiting, task = self._waiting.pop(intent_id)
        try:
            pdf = waiting.finished(value)
            self._verify(pdf, task.expectation)
            self._sampled(pdf, task.expectation)
        except (NotAsIntended, ValueError) as error:
            return str(error)
        return pdf


@dataclass
class PadesSignatory:
    """Fulfils ports.Signatory with templates per shape and role, and our own check of each document."""

    verify: DocumentVerifier
    sampled: SampledValidation
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "signatory"))
    _skeletons: Skeletons = field(default_factory=Skeletons)
    _containers: dict[bytes, CmsTemplate] = field(default_factory=dict)

    async def prepare(self, tasks: Sequence[Task], terms: Terms) -> Batch:
        """Write each increment and hash what it covers."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._prepare, tasks, terms)

    def _prepare(self, tasks: Sequence[Task], terms: Terms) -> Batch:
        outcomes: list[Intent | str] = []
        waiting: dict[str, tuple[Waiting, Task]] = {}
        # Time and stamp are the order's own, so what documents share lives as long as the order.
        made: dict[tuple[int, int, str], Signing] = {}
        for task in tasks:
            try:
                half_done = self._on(task, terms, made)
            except (NotOurs, ValueError, LookupError) as error:
                outcomes.append(f"not_signable: {error}")
                continue
            intent = _intent(task, terms, half_done)
            outcomes.append(intent)
            waiting[intent.intent_id] = (half_done, task)
        return PadesBatch(outcomes, waiting, self.verify, self.sampled, self._thread)

    def _on(self, task: Task, terms: Terms, made: dict[tuple[int, int, str], Signing]) -> Waiting:
        skeleton = self._skeletons.of(task.pdf)
        document = opened(task.pdf, skeleton)
        key = (id(skeleton), document.tip.size, task.waiting.template_version)
        signing = made.get(key)
        if signing is None:
            signing = made[key] = Signing(skeleton, self._terms(task, terms), document.tip.size)
        return signing.on(document)

    def _terms(self, task: Task, terms: Terms) -> SignatureTerms:
        box = form_named(task.waiting.template_version).box_of(terms.role)
        stamp = StampContent(terms.role, terms.holder.facts, terms.order.fixed_at, terms.authority, terms.image, box)
        return SignatureTerms(terms.role, box.field, task.expectation.order, stamp, self._container(terms.holder))

    def _container(self, holder: Holder) -> CmsTemplate:
        template = self._containers.get(holder.facts.sha256)
        if template is None:
            if len(self._containers) >= _MOST_TEMPLATES:
                self._containers.clear()
            template = self._containers[holder.facts.sha256] = CmsTemplate(holder.certificate, list(holder.chain))
        return template


def _intent(task: Task, terms: Terms, half_done: Waiting) -> Intent:
    waiting, order = task.waiting, terms.order
    assert order.manifest_id is not None
    return Intent(
        manifest_id=order.manifest_id,
        transcript_id=waiting.ref.transcript_id,
        version=waiting.ref.version,
        role=terms.role,
        template_digest=waiting.template_digest,
        before_digest=half_done.before_digest,
        to_be_signed=half_done.to_be_signed,
        certificate_sha256=terms.holder.facts.sha256,
        certificate_serial=terms.holder.facts.serial,
        signed_at=order.fixed_at,
        attempt=order.attempt,
        image_digest=terms.image.digest if terms.image else b"",
    )
