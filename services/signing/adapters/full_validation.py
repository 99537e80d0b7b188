"""pyHanko's own validation of whole documents: a second opinion that costs 0.2 s each.

It looks at everything anew: containers, chains, what each revision changed, certification and locks, proof of time. Signing asks
it of a sampled share before they are announced, an audit of whole ranges of the archive. Of documents that bring no revocation
data nothing is fetched: revocation is asked about elsewhere, before a batch starts.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature, validate_pdf_timestamp
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from services.signing.adapters.certificates import TrustAnchors
from services.signing.domain.verdict import Expectation, NotAsIntended

# What its readers raise for bytes that a hostile writer may have put anywhere.
_UNREADABLE = (PdfError, SignatureValidationError, ValueError, KeyError, TypeError, IndexError, AttributeError)


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
        roots = [x509.Certificate.load(der) for der in TrustAnchors.from_folder(self._anchors).as_der()]
        found = faults(pdf, [wanted.field for wanted in expected.signatures], roots, signed_at=[wanted.signed_at for wanted in expected.signatures])
        if found:
            raise NotAsIntended(f"pyHanko: {found[0].detail}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that pyHanko finds wrong: a code to count by, and what it says about it."""

    code: str
    detail: str


def faults(
    pdf: bytes,
    fields: Sequence[str],
    roots: Sequence[x509.Certificate],
    others: Sequence[x509.Certificate] = (),
    signed_at: Sequence[datetime] | None = None,
) -> list[Fault]:
    """What speaks against a document whose signatures stand in these fields, in this order; none when it is valid. Never raises for what `pdf` holds.

    A signature is judged as of its time in `signed_at`; else as of the first document time stamp, else as of the time that it claims.
    """
    try:
        return list(_faults(PdfFileReader(io.BytesIO(pdf)), fields, {"trust_roots": list(roots), "other_certs": list(others)}, signed_at))
    except _UNREADABLE as error:
        return [Fault("unreadable", f"can't be read: {type(error).__name__} {error}")]


def _faults(reader: PdfFileReader, fields: Sequence[str], trust: dict[str, Any], signed_at: Sequence[datetime] | None) -> Iterator[Fault]:
    found, stamps = reader.embedded_regular_signatures, reader.embedded_timestamp_signatures
    if [signature.field_name for signature in found] != list(fields):
        yield Fault("signatures_differ", f"the signatures found are {[signature.field_name for signature in found]}")
        return
    proven = [stamp.signed_data["encap_content_info"]["content"].parsed["gen_time"].native for stamp in stamps]
    moments = signed_at or [proven[0] if proven else signature.self_reported_timestamp for signature in found]
    for signature, moment in zip(found, moments, strict=True):
        status = validate_pdf_signature(signature, _context(reader, trust, moment))
        if not status.docmdp_ok:
            yield Fault("changed_after_signing", f"{signature.field_name}: {status.summary()}")
        elif not status.bottom_line:
            yield Fault("signature_invalid", f"{signature.field_name}: {status.summary()}")
    for stamp, moment in zip(stamps, proven, strict=True):
        stamped = validate_pdf_timestamp(stamp, _context(reader, trust, moment))
        if not (stamped.intact and stamped.valid and stamped.trusted):
            yield Fault("time_stamp_invalid", f"{stamp.field_name}: {stamped.summary()}")
    coverage = reader.embedded_signatures[-1].evaluate_signature_coverage()
    if coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        yield Fault("coverage_broken", f"the last signature covers {coverage}")


def _context(reader: PdfFileReader, trust: dict[str, Any], moment: datetime) -> ValidationContext:
    """Trust as of a moment; a document that brings revocation data must bring all of it, and it is younger than what it is about."""
    settings = trust | {"moment": moment, "allow_fetching": False}
    if "/DSS" not in reader.root:
        return ValidationContext(**settings)
    return DocumentSecurityStore.read_dss(reader).as_validation_context(settings | {"revocation_mode": "require", "retroactive_revinfo": True})
