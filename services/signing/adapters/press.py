"""The press and the signatory: processor work in threads of their own, so that the event loop stays free for the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

from pyhanko.pdf_utils.misc import PdfError, PdfReadError, PdfWriteError

from services.signing.adapters.class_sheet_renderer import ClassSheetRenderer
from services.signing.adapters.cms_template import CmsTemplate, cms_template
from services.signing.adapters.pades import REASONS, PreparedSignature, SignatureRequest, prepare
from services.signing.adapters.renderer import FORMS, Form, TypstRenderer
from services.signing.adapters.stamps import StampContent, StampRenderer
from services.signing.adapters.verification import DocumentVerifier
from services.signing.application.ports import Batch, Holder, PageMade, Task, Terms
from services.signing.domain.class_sheet import is_class_sheet, read_class_sheet
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry
from services.signing.domain.record import UnreadableRecord, read_record
from services.signing.domain.roles import SignatureRole
from services.signing.domain.verdict import NotAsIntended


class TypstPress:
    """Fulfils ports.Press: one thread with one compiler for each kind of document."""

    def __init__(self, renderer: TypstRenderer, sheets: ClassSheetRenderer) -> None:
        self._renderer, self._sheets = renderer, sheets
        self._thread = ThreadPoolExecutor(1, "press")

    async def set_pages(self, contents: Sequence[bytes]) -> list[PageMade | str]:
        """Set each page; a record that can't be set gives its reason."""
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._thread, self._set, content) for content in contents]

    def _set(self, content: bytes) -> PageMade | str:
        try:
            if is_class_sheet(content):
                return self._set_sheet(content)
            record = read_record(content)
            body = self._renderer.render(record)
        except UnreadableRecord as error:
            return f"record_unreadable: {error}"
        entry = Entry(record.transcript_id, record.version, record.digest, body.template_version, body.template_digest, body.digest)
        return PageMade(body.pdf, entry)

    def _set_sheet(self, content: bytes) -> PageMade:
        sheet = read_class_sheet(content)
        body = self._sheets.render(sheet)
        return PageMade(body.pdf, Entry(sheet.sheet_id, sheet.version, sheet.digest, body.template_version, body.template_digest, body.digest))


@dataclass
class PadesBatch:
    """Fulfils ports.Batch: documents with everything on them but the signature values."""

    outcomes: list[Intent | str]
    _prepared: dict[str, tuple[PreparedSignature, Task]]
    _verify: DocumentVerifier
    _thread: ThreadPoolExecutor

    async def finish(self, signatures: Mapping[str, bytes]) -> dict[str, bytes | str]:
        """Fill in and check, one document after the other."""
        loop = asyncio.get_running_loop()
        return {intent_id: await loop.run_in_executor(self._thread, self._finish, intent_id, value) for intent_id, value in signatures.items()}

    def _finish(self, intent_id: str, value: bytes) -> bytes | str:
        prepared, task = self._prepared.pop(intent_id)
        try:
            pdf = prepared.finish(value)
            self._verify(pdf, task.expectation)
        except (NotAsIntended, ValueError) as error:
            return str(error)
        return pdf


@dataclass
class PadesSignatory:
    """Fulfils ports.Signatory with pyHanko's increments and our own check of each."""

    verify: DocumentVerifier
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "signatory"))
    _templates: dict[bytes, CmsTemplate] = field(default_factory=dict)
    _stamps: StampRenderer = field(default_factory=StampRenderer)

    async def prepare(self, tasks: Sequence[Task], terms: Terms) -> Batch:
        """Write each increment and hash what it covers."""
        loop = asyncio.get_running_loop()
        outcomes: list[Intent | str] = []
        prepared: dict[str, tuple[PreparedSignature, Task]] = {}
        stamps: dict[str, bytes] = {}
        for task in tasks:
            outcome = await loop.run_in_executor(self._thread, self._prepare, task, terms, stamps)
            if isinstance(outcome, str):
                outcomes.append(outcome)
            else:
                intent, half_done = outcome
                outcomes.append(intent)
                prepared[intent.intent_id] = (half_done, task)
        return PadesBatch(outcomes, prepared, self.verify, self._thread)

    def _prepare(self, task: Task, terms: Terms, stamps: dict[str, bytes]) -> tuple[Intent, PreparedSignature] | str:
        form = form_named(task.waiting.template_version)
        box = form.box_of(terms.role)
        facts = terms.holder.facts
        if form.template_version not in stamps:
            content = StampContent(terms.role, facts, terms.order.fixed_at, terms.authority)
            stamps[form.template_version] = self._stamps.render(content, box)
        request = SignatureRequest(
            field=box.field,
            role=terms.role,
            order=task.expectation.order,
            signer_name=facts.common_name,
            signed_at=terms.order.fixed_at,
            stamp=stamps[form.template_version],
            reason=REASONS[terms.role],
        )
        try:
            half_done = prepare(task.pdf, request, self._template(terms.holder))
        except (PdfError, PdfReadError, PdfWriteError, ValueError) as error:
            return f"not_signable: {error}"
        return _intent(task, terms, half_done), half_done

    def _template(self, holder: Holder) -> CmsTemplate:
        template = self._templates.get(holder.facts.sha256)
        if template is None:
            template = self._templates[holder.facts.sha256] = cms_template(holder.certificate, list(holder.chain))
        return template


def form_named(template_version: str) -> Form:
    """The form "lower_secondary/v1" and the like."""
    return Form(FORMS / template_version)


def _intent(task: Task, terms: Terms, half_done: PreparedSignature) -> Intent:
    waiting, order = task.waiting, terms.order
    assert order.manifest_id is not None
    role: SignatureRole = terms.role
    return Intent(
        manifest_id=order.manifest_id,
        transcript_id=waiting.ref.transcript_id,
        version=waiting.ref.version,
        role=role,
        template_digest=waiting.template_digest,
        before_digest=sha256(task.pdf).digest(),
        to_be_signed=half_done.to_be_signed,
        certificate_sha256=terms.holder.facts.sha256,
        certificate_serial=terms.holder.facts.serial,
        signed_at=order.fixed_at,
        attempt=order.attempt,
    )
