"""Puts one PAdES signature on a PDF as an incremental update, in two steps around the key (ETSI EN 319 142-1).

`prepare` fixes every byte but the signature value and tells the 32 bytes that the key must sign; `finish` fills the
value in. Nothing here reads a clock or makes a random number, so the same intent gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
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
from services.signing.domain.roles import SignatureRole

_HEX = 2


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

    to_be_signed: bytes
    _document_digest: bytes
    _template: CmsTemplate
    _place: PreparedByteRangeDigest
    _output: io.BytesIO

    def finish(self, signature: bytes) -> bytes:
        """The signed document."""
        self._place.fill_with_cms(self._output, self._template.filled(self._document_digest, signature))
        return self._output.getvalue()


@dataclass(frozen=True, slots=True)
class SignatureRequest:
    """Which field is signed how: `order` says whether this is the certification and whether it is the last one."""

    field: str
    role: SignatureRole
    order: Sequence[SignatureRole]
    signer_name: str
    signed_at: datetime
    stamp: bytes
    reason: str


REASONS = {
    SignatureRole.SUBJECT_TEACHER: "Giáo viên môn học xác nhận kết quả đánh giá của lớp",
    SignatureRole.HOMEROOM_TEACHER: "Giáo viên chủ nhiệm xác nhận học bạ",
    SignatureRole.PRINCIPAL: "Hiệu trưởng phê duyệt học bạ",
    SignatureRole.SCHOOL_SEAL: "Nhà trường đóng dấu phát hành học bạ",
}


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
        bytes_reserved=template.size * _HEX,
    )
    steps.send(SigObjSetup(sig_placeholder=placeholder, mdp_setup=_permissions(request)))
    place, output = steps.send(SigIOSetup(md_algorithm="sha256"))
    digest: bytes = place.document_digest
    return PreparedSignature(template.to_be_signed(digest), digest, template, place, output)


def _permissions(request: SignatureRequest) -> SigMDPSetup:
    """First signer: certification that allows filling the other fields only. Last signer: locks all, allows nothing. An only one: both."""
    if len(request.order) == 1:
        return SigMDPSetup("sha256", certify=True, field_lock=FieldMDPSpec(FieldMDPAction.ALL), docmdp_perms=MDPPerm.NO_CHANGES)
    if request.role is request.order[0]:
        return SigMDPSetup("sha256", certify=True, docmdp_perms=MDPPerm.FILL_FORMS)
    if request.role is request.order[-1]:
        return SigMDPSetup("sha256", field_lock=FieldMDPSpec(FieldMDPAction.ALL), docmdp_perms=MDPPerm.NO_CHANGES)
    return SigMDPSetup("sha256")


def _put_stamp(writer: _SteadyWriter, field: Any, stamp: bytes) -> None:
    page = writer.import_page_as_xobject(PdfFileReader(io.BytesIO(stamp)))
    field[pdf_name("/AP")] = generic.DictionaryObject({pdf_name("/N"): page})  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
