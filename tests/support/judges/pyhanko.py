"""pyHanko's full validation, difference analysis included; long-term data is used where the document has it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature, validate_pdf_timestamp
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from tests.support.judges.report import Report, SignatureReport

NAME = "pyhanko"
_WHOLE = (SignatureCoverageLevel.ENTIRE_FILE, SignatureCoverageLevel.ENTIRE_REVISION)


def judge(files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
    """See report.Judge."""
    roots = [x509.Certificate.load(anchor) for anchor in anchors]
    return [_one(file.read_bytes(), roots) for file in files]


def _one(pdf: bytes, roots: list[x509.Certificate]) -> Report:
    try:
        reader = PdfFileReader(io.BytesIO(pdf))
        embedded = list(reader.embedded_signatures)
        if not embedded:
            return Report(NAME, problems=("no signature",))
        found, problems = [], []
        for signature in embedded:
            if signature.sig_object_type == "/DocTimeStamp":
                stamp = validate_pdf_timestamp(signature, _context(reader, roots))
                problems += [] if stamp.intact and stamp.valid and stamp.trusted else [f"{signature.field_name}: {stamp.summary()}"]
                continue
            try:
                status, reached = _status(reader, signature, roots)
            except (SignatureValidationError, ValueError) as error:
                found.append(SignatureReport(signature.field_name, False))
                problems.append(f"{signature.field_name}: {type(error).__name__} {error}")
                continue
            conclusion = None if status.modification_level is None else f"later changes: {status.modification_level.name}, allowed: {status.docmdp_ok}"
            signer = status.signing_cert.subject.native.get("common_name")
            found.append(
                SignatureReport(signature.field_name, status.bottom_line, signer, status.coverage in _WHOLE, reached, _permissions(signature), conclusion)
            )
        covered = embedded[-1].evaluate_signature_coverage() is SignatureCoverageLevel.ENTIRE_FILE
        return Report(NAME, tuple(found), tuple(problems), covered=covered)
    except (PdfError, SignatureValidationError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        return Report(NAME, problems=(f"unreadable: {type(error).__name__} {error}",))


def _status(reader: PdfFileReader, signature: Any, roots: list[x509.Certificate]) -> tuple[Any, str]:
    status = validate_pdf_signature(signature, _context(reader, roots))
    if "/DSS" in reader.root:
        return status, "B-LTA" if reader.embedded_timestamp_signatures else "B-LT"
    return status, "B-B" if status.timestamp_validity is None else "B-T"


def _permissions(signature: Any) -> str:
    certified, locked = signature.docmdp_level, signature.fieldmdp
    return f"{certified and certified.name} on the document, {locked and locked.action.name} fields locked"


def _context(reader: PdfFileReader, roots: list[x509.Certificate]) -> ValidationContext:
    """Our roots; a document that claims to bring its revocation data must bring all of it."""
    if "/DSS" not in reader.root:
        return ValidationContext(trust_roots=roots)
    return DocumentSecurityStore.read_dss(reader).as_validation_context({"trust_roots": roots, "revocation_mode": "require"})
