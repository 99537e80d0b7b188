"""Puts PAdES signatures on documents of ours, many at a time, in two steps around the key (ETSI EN 319 142-1).

All that one role's signatures share in documents of one shape is made once: field, appearance, dictionary and container. A
document adds offsets, one digest and the signature value. Nothing here reads a clock or makes a random number, so the same
intent gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import deflate

from services.signing.adapters.appearances import PICTURE, StampContent, appearance
from services.signing.adapters.cms_template import CmsTemplate
from services.signing.adapters.increments import ROW, NotOurs, Tip, plain_row, runs_of, tip_of
from services.signing.adapters.skeleton import CATALOG, Skeleton, fixed_length, read_skeleton, text_string
from services.signing.domain.roles import SignatureRole

REASONS = {
    SignatureRole.SUBJECT_TEACHER: "Giáo viên môn học xác nhận kết quả đánh giá của lớp",
    SignatureRole.HOMEROOM_TEACHER: "Giáo viên chủ nhiệm xác nhận học bạ",
    SignatureRole.PRINCIPAL: "Hiệu trưởng phê duyệt học bạ",
    SignatureRole.SCHOOL_SEAL: "Nhà trường đóng dấu phát hành học bạ",
}
_RANGE_WIDTH = 36
_VALUE_END = b">>\nendobj\n"
_MOST_SKELETONS = 512


@dataclass(frozen=True, slots=True)
class SignatureTerms:
    """What all signatures of one role in one order share; `order` says whether this certifies and whether it locks."""

    role: SignatureRole
    field: str
    order: Sequence[SignatureRole]
    stamp: StampContent
    cms: CmsTemplate

    @property
    def signed_at(self) -> datetime:
        """The time that every one of them states."""
        return self.stamp.signed_at


class Waiting(NamedTuple):
    """A document with everything on it but a signature value."""

    before_digest: bytes
    """SHA-256 of the document as it was."""
    before: tuple[bytes, ...]
    after: bytes
    digest: bytes
    to_be_signed: bytes
    cms: CmsTemplate
    state: hashlib._Hash
    """SHA-256 over everything before the value."""
    tip: Tip
    """Where the file will end."""

    def finished(self, value: bytes) -> bytes:
        """The signed document."""
        return b"".join((*self.before, b"<", self.cms.filled(self.digest, value), b">", self.after))

    def go_on(self, value: bytes) -> Open:
        """The signed document, ready for the next signature without being read again."""
        contents = b"<%b>%b" % (self.cms.filled(self.digest, value), self.after)
        state = self.state.copy()
        state.update(contents)
        return Open((*self.before, contents), state, self.tip)


class Open(NamedTuple):
    """A document to which a signature can be added: its parts, their SHA-256, and its tip."""

    parts: tuple[bytes, ...]
    state: hashlib._Hash
    tip: Tip

    @property
    def pdf(self) -> bytes:
        """The whole file."""
        return b"".join(self.parts)


class Skeletons:
    """Fixed parts by their bytes, so that a worker reads each shape once, whoever has rendered it."""

    def __init__(self) -> None:
        self._known: dict[bytes, Skeleton] = {}

    def of(self, pdf: bytes) -> Skeleton:
        """The skeleton of a file."""
        length = fixed_length(pdf)
        # The end of the fixed part holds the compressed structure: enough to find it by, and the whole is compared.
        key = pdf[max(0, length - 96) : length]
        found = self._known.get(key)
        if found is None or not pdf.startswith(found.prefix):
            if len(self._known) >= _MOST_SKELETONS:
                self._known.clear()
            found = self._known[key] = read_skeleton(pdf[:length])
        return found


def opened(pdf: bytes, skeleton: Skeleton) -> Open:
    """A file as it was stored."""
    state = skeleton.hashed.copy()
    state.update(pdf[skeleton.size :])
    return Open((pdf,), state, tip_of(pdf))


def rendered(skeleton: Skeleton, tail: bytes, digest_state: hashlib._Hash, tip: Tip) -> Open:
    """A file that was rendered this moment."""
    return Open((skeleton.prefix, tail), digest_state, tip)


class Signing:
    """One role's signatures in documents of one skeleton and size: what they share, made once."""

    def __init__(self, skeleton: Skeleton, terms: SignatureTerms, size: int) -> None:
        widget = skeleton.widgets.get(terms.field)
        if widget is None:
            raise NotOurs(f"the file has no field {terms.field}")
        stamp, image = size, terms.stamp.image
        signature = size + (2 if image else 1)
        first, last = terms.role is terms.order[0], terms.role is terms.order[-1]
        drawn = bytes(deflate.zlib_compress(appearance(terms.stamp, widget.width, widget.height), 12))
        objects = [
            (widget.number, b"%b/AP<</N %d 0 R>>/V %d 0 R>>" % (widget.begun, stamp, signature)),
            (
                stamp,
                b"<</Type/XObject/Subtype/Form/BBox[0 0 %.2f %.2f]/Resources%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream"
                % (widget.width, widget.height, _resources(skeleton, stamp + 1 if image else None), len(drawn), drawn),
            ),
        ]
        if image:
            # A mask without transparency of its own (ISO 32000-1, 8.9.6.2): its colour is the appearance's, so nothing has to be said of colour spaces.
            objects.append(
                (
                    stamp + 1,
                    b"<</Type/XObject/Subtype/Image/ImageMask true/BitsPerComponent 1/Width %d/Height %d"
                    b"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns %d/Rows %d>>/Length %d>>\nstream\n%b\nendstream"
                    % (image.width, image.height, image.width, image.height, len(image.dots), image.dots),
                )
            )
        if first:
            # PDF names the certification in the catalogue too (ISO 32000-1, 12.8.4).
            objects.insert(0, (CATALOG, b"%b/Perms<</DocMDP %d 0 R>>>>" % (skeleton.catalog, signature)))
        parts: list[bytes] = []
        offsets: list[int] = []
        at = 0
        for number, body in objects:
            written = b"%d 0 obj\n%b\nendobj\n" % (number, body)
            offsets.append(at)
            parts.append(written)
            at += len(written)
        offsets.append(at)
        moment = terms.signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ").encode()
        parts.append(
            b"%d 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name%b/Reason%b/M(%b)%b/ByteRange"
            % (signature, text_string(terms.stamp.certificate.common_name), text_string(REASONS[terms.role]), moment, _reference(first, last))
        )
        self._begun = b"".join(parts)
        self._to_contents = len(self._begun) + _RANGE_WIDTH + len(b"/Contents")
        self._gap = terms.cms.reserved + 2
        numbers = [number for number, _ in objects]
        self._table = b"%d 0 obj\n<</Type/XRef/Size %d/Root %d 0 R/ID[<%%b><%%b>]%b/Index[%b]/Prev %%d/Length %d>>\nstream\n" % (
            signature + 1,
            signature + 2,
            CATALOG,
            ROW.encode(),
            runs_of([*numbers, signature, signature + 1]).encode(),
            7 * (len(numbers) + 2),
        )
        self._size, self._size_after = size, signature + 2
        self._table_at = self._to_contents + self._gap + len(_VALUE_END)
        places = [*offsets, self._table_at]
        # All rows as one number: where a revision starts is added to the offset in each of them at once.
        self._rows = int.from_bytes(b"".join([plain_row(place) for place in places]), "big")
        self._starts = int.from_bytes(b"\x00\x00\x00\x00\x01\x00\x00" * len(places), "big")
        self._rows_size = 7 * len(places)
        self._cms = terms.cms

    def on(self, document: Open) -> Waiting:
        """Fix every byte but the signature value, and hash what it will cover."""
        tip = document.tip
        if tip.size != self._size:
            raise NotOurs(f"the file has {tip.size} objects where {self._size} are expected")
        start = tip.length
        contents = start + self._to_contents
        end = contents + self._gap
        table_at = start + self._table_at
        rows = (self._rows + start * self._starts).to_bytes(self._rows_size, "big")
        after = b"%b%b%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (_VALUE_END, self._table % (tip.file_id, tip.file_id, tip.startxref), rows, table_at)
        spans = b"[0 %d %d %d]" % (contents, end, len(after))
        begun = b"%b%b/Contents" % (self._begun, spans.ljust(_RANGE_WIDTH))
        state = document.state.copy()
        state.update(begun)
        whole = state.copy()
        whole.update(after)
        digest = whole.digest()
        reached = Tip(end + len(after), table_at, self._size_after, tip.root, tip.file_id)
        return Waiting(document.state.digest(), (*document.parts, begun), after, digest, self._cms.to_be_signed(digest), self._cms, state, reached)


def _resources(skeleton: Skeleton, image: int | None) -> bytes:
    """The page's fonts, and the picture if there is one."""
    return b"<<%b/XObject<</%b %d 0 R>>>>" % (skeleton.fonts, PICTURE, image) if image else b" %d 0 R" % skeleton.resources


def _reference(first: bool, last: bool) -> bytes:
    """First signer: certification that allows filling the other fields only. Last signer: locks all, allows nothing. An only signer: both."""
    certifies = b"<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P %d>>>>" % (1 if last else 2)
    locks = b"<</Type/SigRef/TransformMethod/FieldMDP/Data 1 0 R/TransformParams<</Type/TransformParams/V/1.2/Action/All/P 1>>>>"
    said = (certifies if first else b"") + (locks if last else b"")
    return b"/Reference[%b]" % said if said else b""
