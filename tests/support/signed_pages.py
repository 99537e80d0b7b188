"""Transcripts and class-subject sheets rendered and signed by hocba's own code, without a database: for tests of documents."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from services.signing.adapters.appearances import StampContent
from services.signing.adapters.certificates import TrustAnchors, facts_of
from services.signing.adapters.cms_template import CmsTemplate
from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
from services.signing.adapters.keys.router import KeyRouter
from services.signing.adapters.official_forms import Form, form_named
from services.signing.adapters.press import FormPress
from services.signing.adapters.renderer import Body, FormRenderer
from services.signing.adapters.signature_images import stencil_of
from services.signing.adapters.signatures import SignatureTerms, Signing, Skeletons, opened
from services.signing.application.ports import Press
from services.signing.domain.class_sheet import ClassSheet, is_class_sheet, read_class_sheet
from services.signing.domain.copy_of_document import CertifiedCopy, is_copy, read_copy
from services.signing.domain.key_names import Home
from services.signing.domain.record import Record, read_record
from services.signing.domain.roles import COPY_ORDER, DEFAULT_ORDER, SHEET_ORDER, SignatureRole
from services.signing.domain.verdict import Expectation, ExpectedSignature
from services.stack.signer_pki import KeyKind, Signer, SignerCertificate, SignerPki
from tests.support.signature_pictures import png_of

URL = "https://tracuu.hocba.example/t"
SCHOOL = "Trường Mẫu"


def document_of(content: bytes) -> Record | ClassSheet | CertifiedCopy:
    """The record, sheet or copy in these bytes."""
    if is_copy(content):
        return read_copy(content)
    return read_class_sheet(content) if is_class_sheet(content) else read_record(content)


def order_of(content: bytes) -> Sequence[SignatureRole]:
    """Who signs this."""
    if is_copy(content):
        return COPY_ORDER
    return SHEET_ORDER if is_class_sheet(content) else DEFAULT_ORDER


def form_for(content: bytes) -> Form:
    """The form that it is printed in."""
    return form_named(f"{document_of(content).form}/v1")


@dataclass
class Office:
    """A school's signers with their keys, and everything that makes a document."""

    pki: SignerPki
    made: Mapping[SignatureRole, SignerCertificate]
    templates: Mapping[SignatureRole, CmsTemplate]
    keys: KeyRouter
    renderer: FormRenderer
    signed_at: datetime
    pictured: bool = False
    """Whether signatures and seal show their pictures."""

    def page(self, content: bytes) -> Body:
        """The unsigned page of a record or sheet."""
        return self.renderer.render(document_of(content))

    def sign(self, pdf: bytes, content: bytes, roles: Sequence[SignatureRole] | None = None) -> bytes:
        """The page with the signatures of these roles, or of all, in their order."""
        form, order = form_for(content), order_of(content)
        for role in order if roles is None else roles:
            image = stencil_of(png_of(role), role) if self.pictured else None
            stamp = StampContent(role, facts_of(self.made[role].certificate), self.signed_at, image=image, box=form.box_of(role))
            terms = SignatureTerms(role, form.box_of(role).field, order, stamp, self.templates[role])
            skeleton = Skeletons().of(pdf)
            document = opened(pdf, skeleton)
            waiting = Signing(skeleton, terms, document.tip.size).on(document)
            (value,) = asyncio.run(self.keys.sign(self.made[role].signer.key_name, [waiting.to_be_signed]))
            pdf = waiting.finished(value)
        return pdf

    def expectation(self, page: Body, content: bytes, roles: Sequence[SignatureRole] | None = None) -> Expectation:
        """What a finished document of this office must agree with."""
        form, order = form_for(content), order_of(content)
        return Expectation(
            page.digest,
            sha256(content).digest(),
            [
                ExpectedSignature(role, form.box_of(role).field, facts_of(self.made[role].certificate).sha256, self.signed_at)
                for role in (order if roles is None else roles)
            ],
            order,
            [form.box_of(role).field for role in order],
        )

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors.from_folder(self.pki.anchors)


def an_office(pki: SignerPki, kind: KeyKind = KeyKind.RSA_2048) -> Office:
    """An office whose signers sign now, with keys of one kind."""
    staff = {role: str(uuid.uuid5(uuid.NAMESPACE_OID, f"office/{role}")) for role in SignatureRole}
    signers = [
        Signer("office-homeroom", "Nguyễn Thị Mẫu", SCHOOL, "Thành phố Mẫu", "Giáo viên", staff[SignatureRole.HOMEROOM_TEACHER], kind),
        Signer("office-principal", "Trần Văn Mẫu", SCHOOL, "Thành phố Mẫu", "Hiệu trưởng", staff[SignatureRole.PRINCIPAL], kind),
        Signer("office-seal", SCHOOL, SCHOOL, "Thành phố Mẫu", key_kind=kind),
        Signer("office-teacher", "Phạm Thị Mẫu", SCHOOL, "Thành phố Mẫu", "Giáo viên Toán", staff[SignatureRole.SUBJECT_TEACHER], kind),
    ]
    made = dict(zip((*DEFAULT_ORDER, *SHEET_ORDER), pki.make(signers), strict=True))
    templates = {role: CmsTemplate(one.certificate, list(one.chain)) for role, one in made.items()}
    keys = KeyRouter({Home.PKCS12: Pkcs12Keys(pki.keys, pki.password_file)})
    now = datetime.now(UTC).replace(microsecond=0)
    return Office(pki, made, templates, keys, FormRenderer(URL), now)


def a_press() -> Press:
    """The press that app.py wires."""
    return FormPress(partial(FormRenderer, URL, "v1"))
