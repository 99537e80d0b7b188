"""The other path to a signed document: pyHanko's own `PdfSigner`, with nothing of hocba's in it but the page and the keys."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any

from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.stamp import StaticStampStyle

from services.signing.adapters.certificates import facts_of
from services.signing.adapters.signatures import REASONS
from services.signing.domain.roles import SignatureRole
from tests.support.signed_pages import Office, form_for, order_of


def sign_plainly(office: Office, page: bytes, content: bytes, roles: Sequence[SignatureRole] | None = None) -> bytes:
    """The page with the signatures of these roles: PAdES, certified by the first, locked by what the last field says."""
    form, order = form_for(content), order_of(content)
    for role in order if roles is None else roles:
        made, box = office.made[role], form.box_of(role)
        facts = facts_of(made.certificate)
        metadata = PdfSignatureMetadata(
            field_name=box.field,
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            certify=role is order[0],
            docmdp_permissions=MDPPerm.NO_CHANGES if role is order[-1] else MDPPerm.FILL_FORMS,
            name=facts.common_name,
            reason=REASONS[role],
            embed_validation_info=False,
        )
        keys = str(office.pki.keys / f"{made.signer.key_name}.p12")
        signer: Any = SimpleSigner.load_pkcs12(keys, passphrase=office.pki.password_file.read_bytes())  # type: ignore[no-untyped-call]  # pyHanko
        out = io.BytesIO()
        frame = RawContent(b"q .07 .25 .56 RG 1 1 %d %d re S Q" % (box.width - 2, box.height - 2), box=BoxConstraints(box.width, box.height))
        style = StaticStampStyle(border_width=0, background=frame, background_opacity=1)
        asyncio.run(PdfSigner(metadata, signer, stamp_style=style).async_sign_pdf(IncrementalPdfFileWriter(io.BytesIO(page)), output=out))
        page = out.getvalue()
    return page
