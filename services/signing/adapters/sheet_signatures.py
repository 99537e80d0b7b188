"""Puts the PAdES signature on a class-subject sheet as an incremental update by pyHanko, in two steps around the key.

`prepare` fixes every byte but the signature value and tells the 32 bytes that the key must sign; `finished` fills the
value in. Nothing here reads a clock or makes a random number, so the same intent gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest, SignatureObject

from services.signing.adapters.cms_template import CmsTemplate

_CERTIFY_AND_LOCK = SigMDPSetup("sha256", certify=True, field_lock=FieldMDPSpec(FieldMDPAction.ALL), docmdp_perms=MDPPerm.NO_CHANGES)


class _SteadyWriter(IncrementalPdfFileWriter):
    """pyHanko's incremental writer without its two sources of chance: a random file id and the time of writing."""

    @classmethod
    def _handle_id(cls, prev: PdfFileReader) -> generic.ArrayObject:
        first, second = prev.trailer["/ID"]
        changed = hashlib.sha256(bytes(second.original_bytes)).digest()[:16]
        return generic.ArrayObject([generic.ByteStringObject(bytes(first.original_bytes)), generic.ByteStringObject(changed)])

    def _update_meta(self) -> None:
        """XMP and Info stay as the body has them: the page was made once, and a signature isn't an edit of it."""


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """A document that waits for one signature value."""

    before_digest: bytes
    to_be_signed: bytes
    _document_digest: bytes
    _template: CmsTemplate
    _place: PreparedByteRangeDigest
    _output: io.BytesIO

    def finished(self, signature: bytes) -> bytes:
        """The signed document."""
        self._place.fill_with_cms(self._output, bytes.fromhex(self._template.filled(self._document_digest, signature).decode()))
        return self._output.getvalue()


@dataclass(frozen=True, slots=True)
class SignatureRequest:
    """Which field is signed how; the one signature certifies and locks at once."""

    field: str
    signer_name: str
    signed_at: datetime
    stamp: bytes
    reason: str


def prepare(pdf: bytes, request: SignatureRequest, template: CmsTemplate) -> PreparedSignature:
    """Write the increment with an empty container in it and hash what it will cover."""
    writer = _SteadyWriter(io.BytesIO(pdf))
    steps = PdfCMSEmbedder().write_cms(request.field, writer, existing_fields_only=True)
    field = next(steps).get_object()
    _put_stamp(writer, field, request.stamp)
    placeholder = SignatureObject(
        timestamp=request.signed_at,
        name=request.signer_name,
        reason=request.reason,
        subfilter=SigSeedSubFilter.PADES,
        bytes_reserved=template.reserved,
    )
    steps.send(SigObjSetup(sig_placeholder=placeholder, mdp_setup=_CERTIFY_AND_LOCK))
    place, output = steps.send(SigIOSetup(md_algorithm="sha256"))
    digest: bytes = place.document_digest
    return PreparedSignature(hashlib.sha256(pdf).digest(), template.to_be_signed(digest), digest, template, place, output)


def _put_stamp(writer: _SteadyWriter, field: Any, stamp: bytes) -> None:
    page = writer.import_page_as_xobject(PdfFileReader(io.BytesIO(stamp)))
    field[pdf_name("/AP")] = generic.DictionaryObject({pdf_name("/N"): page})  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
