"""Adds proof of time to documents that carry all signatures: two revisions, in three steps around the time-stamp authority.

1. a document time stamp over everything so far: it proves when all signatures existed;
2. revocation data that is newer than that (DSS), and a second document time stamp over it.

That is level B-LTA of ETSI EN 319 142-1. All that documents of one shape and batch share is made once; a document adds offsets
and tokens. Nothing here reads a clock or makes a random number, so the same tokens and the same data give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.signing.adapters.increments import ROW, NotOurs, Tip, plain_row, runs_of, tip_of
from services.signing.domain.validation import ValidationData

FIELDS = ("TimeStamp1", "TimeStamp2")
_RANGE_WIDTH = 36
_MOST_SHAPES = 256
_EXTENSION = b"/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>>>"
_TITLES = ("Dấu thời gian của các chữ ký", "Dấu thời gian của dữ liệu kiểm chứng")
_PREVIOUS = re.compile(rb"/Prev (\d+)")
_INDEX = re.compile(rb"/Index\[([\d ]+)\]")
_BUNDLE = re.compile(rb"\n\d+ 0 obj\n<</Type/ObjStm/N (\d+)/First (\d+)/Filter/FlateDecode/Length (\d+)>>\nstream\n")
_FORM = re.compile(rb"/AcroForm (\d+) 0 R")
_FIELD_LIST = re.compile(rb"<</Fields\[([\d R]+)\]/SigFlags 3>>")
_PAGE = re.compile(rb"/P (\d+) 0 R")


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A document with everything on it but a time stamp's token."""

    before: tuple[bytes, ...]
    after: bytes
    imprint: bytes
    """SHA-256 over all that the token covers."""
    reserved: int
    tip: Tip
    state: hashlib._Hash = field(repr=False)

    def stamped(self, token: bytes) -> Stamped:
        """The document with the token in its place; NotOurs when it doesn't fit."""
        if len(token) > self.reserved:
            raise NotOurs(f"the token has {len(token)} bytes, and {self.reserved} are reserved: raise HOCBA_SIGNING_TSA_RESERVED")
        contents = b"<%b>%b" % (token.hex().upper().encode().ljust(2 * self.reserved, b"0"), self.after)
        state = self.state.copy()
        state.update(contents)
        return Stamped((*self.before, contents), self.tip, state)


@dataclass(frozen=True, slots=True)
class Stamped:
    """A document to which a revision can be added."""

    parts: tuple[bytes, ...]
    tip: Tip
    state: hashlib._Hash = field(repr=False)

    @property
    def pdf(self) -> bytes:
        """The whole file."""
        return b"".join(self.parts)


def signed(pdf: bytes) -> Stamped:
    """A document as its last signature left it."""
    return Stamped((pdf,), tip_of(pdf), hashlib.sha256(pdf))


@dataclass(frozen=True, slots=True)
class Shape:
    """What the revisions have to know of a document: its catalogue and form as they stand, and where its fields live."""

    catalog: bytes
    form: int
    fields: bytes
    page: int


class TwoRevisions:
    """Writes the two revisions. `reserved` is how many bytes a token may have: part of the bytes that the tokens cover."""

    def __init__(self, reserved: int) -> None:
        self._reserved = reserved
        self._forms: dict[bytes, tuple[bytes, int]] = {}
        self._revisions: dict[tuple[object, ...], _Revision] = {}

    def over_signatures(self, document: Stamped) -> Unstamped:
        """The revision with the first time stamp."""
        shape, size = self._shape(document), document.tip.size
        return self._revision((shape, size), lambda: _first_objects(shape, size)).on(document)

    def over_validation(self, document: Stamped, data: ValidationData) -> Unstamped:
        """The revision with the revocation data and the time stamp over it; `document` is what the first one gave."""
        shape, size, root = self._shape(document), document.tip.size, document.tip.root
        return self._revision((shape, size, data.name), lambda: _second_objects(shape, size, root, data)).on(document)

    def _revision(self, key: tuple[object, ...], make: Callable[[], tuple[list[tuple[int, bytes]], int]]) -> _Revision:
        found = self._revisions.get(key)
        if found is None:
            if len(self._revisions) >= _MOST_SHAPES:
                self._revisions.clear()
            found = self._revisions[key] = _Revision(*make(), self._reserved)
        return found

    def _shape(self, document: Stamped) -> Shape:
        base, tip = document.parts[0], document.tip
        # The catalogue was last written by the first signature, the form by nobody since the page was made.
        written = tip_of(base)
        catalog = _object(base, written, tip.root)
        if not catalog.endswith(b">>"):
            raise NotOurs("the catalogue isn't a dictionary of ours")
        found = _FORM.search(catalog)
        bundle = _BUNDLE.search(base)
        if found is None or bundle is None:
            raise NotOurs("the file has no form or no object stream of ours")
        packed = base[bundle.start() : bundle.end() + int(bundle[3])]
        known = self._forms.get(packed)
        if known is None:
            if len(self._forms) >= _MOST_SHAPES:
                self._forms.clear()
            known = self._forms[packed] = _form_in(packed, bundle, int(found[1]))
        return Shape(catalog[:-2], int(found[1]), *known)


def _first_objects(shape: Shape, size: int) -> tuple[list[tuple[int, bytes]], int]:
    """The objects of the first revision, and the number of its stamp, which is the highest."""
    form = b"<</Fields[%b %d 0 R %d 0 R]/SigFlags 3>>" % (shape.fields, size, size + 1)
    return [(shape.form, form), (size, _field(0, shape.page, size + 2)), (size + 1, _field(1, shape.page, None))], size + 2


def _second_objects(shape: Shape, size: int, root: int, data: ValidationData) -> tuple[list[tuple[int, bytes]], int]:
    """The same for the second revision."""
    objects: list[tuple[int, bytes]] = []
    number, lists = size + 1, b""
    for name, ders in (("Certs", data.certificates), ("OCSPs", data.ocsps), ("CRLs", data.crls)):
        if ders:
            lists += b"/%b[%b]" % (name.encode(), b" ".join(b"%d 0 R" % (number + index) for index in range(len(ders))))
        for der in ders:
            packed = zlib.compress(der, 9)
            objects.append((number, b"<</Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (len(packed), packed)))
            number += 1
    # The first revision ended with its two fields, its stamp and its cross-references.
    objects.append((size - 3, _field(1, shape.page, number)))
    objects.append((size, b"<</Type/DSS%b>>" % lists))
    objects.append((root, b"%b/DSS %d 0 R%b>>" % (shape.catalog, size, _EXTENSION)))
    return objects, number


class _Revision:
    """One revision of documents of one shape: objects that are the same for all, then the time stamp's dictionary."""

    def __init__(self, objects: Sequence[tuple[int, bytes]], stamp: int, reserved: int) -> None:
        parts: list[bytes] = []
        self._offsets: list[int] = []
        at = 0
        for number, body in sorted(objects):
            written = b"%d 0 obj\n%b\nendobj\n" % (number, body)
            self._offsets.append(at)
            parts.append(written)
            at += len(written)
        self._offsets.append(at)
        parts.append(b"%d 0 obj\n<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161/ByteRange" % stamp)
        self._begun = b"".join(parts)
        self._reserved = reserved
        self._table = stamp + 1
        numbers = [*sorted(number for number, _ in objects), stamp, self._table]
        self._head = b"%d 0 obj\n<</Type/XRef/Size %d/Root %%d 0 R/ID[<%%b><%%b>]%b/Index[%b]/Prev %%d/Length %d>>\nstream\n" % (
            self._table,
            self._table + 1,
            ROW.encode(),
            runs_of(numbers).encode(),
            7 * len(numbers),
        )

    def on(self, document: Stamped) -> Unstamped:
        """Fix every byte but the token, and hash what it will cover."""
        tip = document.tip
        contents = tip.length + len(self._begun) + _RANGE_WIDTH + len(b"/Contents")
        end = contents + 2 * self._reserved + 2
        table_at = end + len(b">>\nendobj\n")
        rows = b"".join([plain_row(tip.length + offset) for offset in self._offsets]) + plain_row(table_at)
        head = self._head % (tip.root, tip.file_id, tip.file_id, tip.startxref)
        after = b">>\nendobj\n%b%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (head, rows, table_at)
        spans = b"[0 %d %d %d]" % (contents, end, len(after))
        begun = b"%b%b/Contents" % (self._begun, spans.ljust(_RANGE_WIDTH))
        state = document.state.copy()
        state.update(begun)
        whole = state.copy()
        whole.update(after)
        reached = Tip(end + len(after), table_at, self._table + 1, tip.root, tip.file_id)
        return Unstamped((*document.parts, begun), after, whole.digest(), self._reserved, reached, state)


def _field(place: int, page: int, value: int | None) -> bytes:
    """A field without a place on the page: nobody sees a time stamp of this kind, and viewers list it all the same."""
    title = ("﻿" + _TITLES[place]).encode("utf-16-be").hex().upper().encode()
    signed_by = b"" if value is None else b"/V %d 0 R" % value
    return b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/TU<%b>/F 132/Rect[0 0 0 0]/P %d 0 R%b>>" % (FIELDS[place].encode(), title, page, signed_by)


def _object(pdf: bytes, tip: Tip, number: int) -> bytes:
    """The newest body of an object that stands by itself, found through the cross-reference streams from the last one back."""
    at: int | None = tip.startxref
    while at is not None:
        begun = pdf.find(b"\nstream\n", at)
        head = pdf[at:begun]
        index = _INDEX.search(head)
        if begun < 0 or index is None:
            raise NotOurs(f"no cross-reference stream of ours at byte {at}")
        row = begun + len(b"\nstream\n")
        runs = [int(one) for one in index[1].split()]
        for first, count in zip(runs[::2], runs[1::2], strict=True):
            if first <= number < first + count:
                row += 7 * (number - first)
                offset = int.from_bytes(pdf[row + 1 : row + 5])
                prefix = b"%d 0 obj\n" % number
                stop = pdf.find(b"\nendobj\n", offset)
                if pdf[row : row + 1] != b"\x01" or not pdf.startswith(prefix, offset) or stop < 0:
                    raise NotOurs(f"object {number} isn't at byte {offset}")
                return pdf[offset + len(prefix) : stop]
            row += 7 * count
        previous = _PREVIOUS.search(head)
        at = int(previous[1]) if previous else None
    raise NotOurs(f"the file has no object {number}")


def _form_in(packed: bytes, bundle: re.Match[bytes], form: int) -> tuple[bytes, int]:
    """Fields of the form as the page was made with them, and the page that shows them."""
    count, first, length = (int(part) for part in bundle.groups())
    content = zlib.decompress(packed[len(packed) - length :])
    heads = [int(part) for part in content[:first].split()]
    places = dict(zip(heads[::2], heads[1::2], strict=True))
    if len(places) != count or form not in places:
        raise NotOurs("the form isn't in the file's object stream")
    fields = _FIELD_LIST.match(content, first + places[form])
    page = _PAGE.search(content, first + min(places[int(one)] for one in fields[1].split(b" ")[::3])) if fields else None
    if fields is None or page is None:
        raise NotOurs("the file's form isn't one of ours")
    return fields[1], int(page[1])
