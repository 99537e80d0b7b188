"""Transcripts rendered and signed by hocba's own code, without a database: for tests of documents."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from services.signing.adapters.certificates import TrustAnchors, facts_of
from services.signing.adapters.cms_template import CmsTemplate, cms_template
from services.signing.adapters.key_store import Pkcs12KeyStore
from services.signing.adapters.pades import REASONS, SignatureRequest, prepare
from services.signing.adapters.press import TypstPress
from services.signing.adapters.renderer import Body, TypstRenderer, form_of
from services.signing.adapters.stamps import StampContent, StampRenderer
from services.signing.application.ports import Press
from services.signing.domain.record import read_record
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.verdict import Expectation, ExpectedSignature
from services.stack.signer_pki import Signer, SignerCertificate, SignerPki

URL = "https://tracuu.hocba.example/t"
SCHOOL = "Trường Mẫu"


@dataclass
class Office:
    """A school's three signers with their keys, and everything that makes a document."""

    pki: SignerPki
    made: Mapping[SignatureRole, SignerCertificate]
    templates: Mapping[SignatureRole, CmsTemplate]
    keys: Pkcs12KeyStore
    renderer: TypstRenderer
    stamps: StampRenderer
    signed_at: datetime

    def page(self, content: bytes) -> Body:
        """The unsigned page of a record."""
        return self.renderer.render(read_record(content))

    def sign(self, pdf: bytes, content: bytes, roles: Sequence[SignatureRole] = DEFAULT_ORDER) -> bytes:
        """The page with the signatures of these roles, in their order."""
        form = form_of(read_record(content).level)
        for role in roles:
            facts, box = facts_of(self.made[role].certificate), form.box_of(role)
            stamp = self.stamps.render(StampContent(role, facts, self.signed_at), box)
            request = SignatureRequest(box.field, role, DEFAULT_ORDER, facts.common_name, self.signed_at, stamp, REASONS[role])
            prepared = prepare(pdf, request, self.templates[role])
            (value,) = asyncio.run(self.keys.sign(self.made[role].signer.key_name, [prepared.to_be_signed]))
            pdf = prepared.finish(value)
        return pdf

    def expectation(self, page: Body, content: bytes, roles: Sequence[SignatureRole] = DEFAULT_ORDER) -> Expectation:
        """What a finished document of this office must agree with."""
        form = form_of(read_record(content).level)
        return Expectation(
            page.digest,
            sha256(content).digest(),
            [ExpectedSignature(role, form.box_of(role).field, facts_of(self.made[role].certificate).sha256, self.signed_at) for role in roles],
            DEFAULT_ORDER,
            [form.box_of(role).field for role in DEFAULT_ORDER],
        )

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors.from_folder(self.pki.anchors)


def an_office(pki: SignerPki) -> Office:
    """An office whose signers sign now."""
    staff = {role: str(uuid.uuid5(uuid.NAMESPACE_OID, f"office/{role}")) for role in SignatureRole}
    signers = [
        Signer("office-homeroom", "Nguyễn Thị Mẫu", SCHOOL, "Thành phố Mẫu", "Giáo viên", staff[SignatureRole.HOMEROOM_TEACHER]),
        Signer("office-principal", "Trần Văn Mẫu", SCHOOL, "Thành phố Mẫu", "Hiệu trưởng", staff[SignatureRole.PRINCIPAL]),
        Signer("office-seal", SCHOOL, SCHOOL, "Thành phố Mẫu"),
    ]
    made = dict(zip(DEFAULT_ORDER, pki.make(signers), strict=True))
    templates = {role: cms_template(one.certificate, list(one.chain)) for role, one in made.items()}
    keys = Pkcs12KeyStore(pki.keys, pki.password_file)
    now = datetime.now(UTC).replace(microsecond=0)
    return Office(pki, made, templates, keys, TypstRenderer(URL), StampRenderer(), now)


def a_press() -> Press:
    """The press that app.py wires."""
    return TypstPress(TypstRenderer(URL))
