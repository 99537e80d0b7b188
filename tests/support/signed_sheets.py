"""Class-subject sheets rendered and signed by hocba's own code, without a database: for tests of documents."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from services.signing.adapters.appearances import StampContent
from services.signing.adapters.certificates import TrustAnchors, facts_of
from services.signing.adapters.class_sheet_renderer import ClassSheetRenderer, SheetBody
from services.signing.adapters.cms_template import CmsTemplate
from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
from services.signing.adapters.keys.router import KeyRouter
from services.signing.adapters.sheet_signatures import SignatureRequest, prepare
from services.signing.adapters.sheet_stamps import SheetStamps
from services.signing.adapters.signatures import REASONS
from services.signing.domain.class_sheet import read_class_sheet
from services.signing.domain.key_names import Home
from services.signing.domain.roles import SHEET_ORDER, SignatureRole
from services.signing.domain.verdict import Expectation, ExpectedSignature
from services.stack.signer_pki import Signer, SignerCertificate, SignerPki

TEACHER = SignatureRole.SUBJECT_TEACHER


@dataclass
class Teacher:
    """A subject teacher with a key, and everything that makes a signed sheet."""

    pki: SignerPki
    made: SignerCertificate
    renderer: ClassSheetRenderer
    signed_at: datetime

    def page(self, content: bytes) -> SheetBody:
        """The unsigned page of a sheet."""
        return self.renderer.render(read_class_sheet(content))

    def sign(self, pdf: bytes) -> bytes:
        """The page with the teacher's signature."""
        facts, (box,) = facts_of(self.made.certificate), self.renderer.form.boxes
        stamp = SheetStamps().render(StampContent(TEACHER, facts, self.signed_at), box)
        request = SignatureRequest(box.field, facts.common_name, self.signed_at, stamp, REASONS[TEACHER])
        prepared = prepare(pdf, request, CmsTemplate(self.made.certificate, list(self.made.chain)))
        keys = KeyRouter({Home.PKCS12: Pkcs12Keys(self.pki.keys, self.pki.password_file)})
        (value,) = asyncio.run(keys.sign(self.made.signer.key_name, [prepared.to_be_signed]))
        return prepared.finished(value)

    def expectation(self, page: SheetBody, content: bytes) -> Expectation:
        """What the finished document must agree with."""
        signature = ExpectedSignature(TEACHER, "SubjectTeacher", facts_of(self.made.certificate).sha256, self.signed_at)
        return Expectation(page.digest, sha256(content).digest(), [signature], SHEET_ORDER, ["SubjectTeacher"])

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors.from_folder(self.pki.anchors)


def a_teacher(pki: SignerPki) -> Teacher:
    """A teacher who signs now."""
    (made,) = pki.make([Signer("office-teacher", "Phạm Thị Mẫu", "Trường Mẫu", "Thành phố Mẫu", "Giáo viên Toán", "00000000-0000-0000-0000-0000000000aa")])
    return Teacher(pki, made, ClassSheetRenderer("https://tracuu.hocba.example/t"), datetime.now(UTC).replace(microsecond=0))
