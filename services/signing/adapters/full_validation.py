"""pyHanko's own validation of a sampled share of documents, before they are announced: a second opinion that costs 0.2 s each.

It looks at everything anew: containers, chains, what each revision changed, certification and locks. Revocation is asked about
elsewhere, before a batch starts.
"""

from __future__ import annotations

import io
from pathlib import Path

from asn1crypto import x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from services.signing.adapters.certificates import TrustAnchors
from services.signing.domain.verdict import Expectation, NotAsIntended


class SampledValidation:
    """Validates every n-th document that it is shown, the first one included; n = 0 validates none."""

    def __init__(self, anchors: Path, every: int) -> None:
        self._anchors = anchors
        self._every = every
        self._shown = 0

    def __call__(self, pdf: bytes, expected: Expectation) -> None:
        """Raise NotAsIntended when it is this document's turn and pyHanko finds fault with it."""
        turn, self._shown = self._every and self._shown % self._every == 0, self._shown + 1
        if not turn:
            return
        try:
            validate(pdf, expected, self._anchors)
        except PdfError as error:
            raise NotAsIntended(f"pyHanko can't read it: {error}") from error


def validate(pdf: bytes, expected: Expectation, anchors: Path) -> None:
    """Whether pyHanko finds every expected signature valid, and nothing changed but what they allow."""
    roots = [x509.Certificate.load(der) for der in TrustAnchors.from_folder(anchors).as_der()]
    found = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    if [signature.field_name for signature in found] != [wanted.field for wanted in expected.signatures]:
        raise NotAsIntended(f"pyHanko finds the signatures {[signature.field_name for signature in found]}")
    for signature, wanted in zip(found, expected.signatures, strict=True):
        status = validate_pdf_signature(signature, ValidationContext(trust_roots=roots, moment=wanted.signed_at, allow_fetching=False))
        if not status.bottom_line or not status.docmdp_ok:
            raise NotAsIntended(f"pyHanko: {wanted.field}: {status.summary()}")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise NotAsIntended(f"pyHanko: the last signature covers {status.coverage}")
