"""Renders the unsigned page: a skeleton that all documents of a shape share, and the few streams that are a document's own.

Deterministic to the byte: no clock, no randomness, no system font and no network is read. The template digest covers
everything besides the record that the bytes depend on, so it stands in every manifest and every intent.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import orjson
from isal import isal_zlib

from services.signing.adapters.composer import Composer, Shape, State
from services.signing.adapters.increments import Tip, first_references, plain_row
from services.signing.adapters.official_forms import FORMS, form_named
from services.signing.adapters.qr_codes import QrCodes, drawn
from services.signing.adapters.record_tables import record_table
from services.signing.adapters.skeleton import CATALOG, Skeleton, skeleton_of
from services.signing.adapters.typefaces import Alphabet, Unprintable, alphabets_in
from services.signing.adapters.xmp import metadata
from services.signing.domain.class_sheet import SCHEMA as SHEET
from services.signing.domain.class_sheet import SHEET_ROW, ClassSheet, known_class_sheet, page_of
from services.signing.domain.copy_of_document import CertifiedCopy, Extract, known_copy, page_of_copy
from services.signing.domain.extract_of_record import page_of_extract
from services.signing.domain.record import SCHEMA as RECORD
from services.signing.domain.record import Record, UnreadableRecord, known_record, texts_of
from services.signing.domain.record_xml import Unmapped, to_xml
from services.signing.domain.roles import COPY_ORDER, DEFAULT_ORDER, SHEET_ORDER, SignatureRole
from services.signing.domain.sheet import ROW_FIELDS, lookup_url, sheet_of

_PLAIN, _DENSE = 0, 1
"""Levels of ISA-L. The lower one has fixed codes, made for text, and takes a third of the time; it leaves hexadecimal digits long, of which proofs are."""
_DRAFT = State("BẢN NHÁP", "Chưa ký, chưa có giá trị", across=True)
_PROOFS = b'"path":['
MOST_SKELETONS = 512  # 35 kB each; class-subject sheets have a shape for each number of pupils and place where the page ends


class Body(NamedTuple):
    """An unsigned page and what it was made from."""

    skeleton: Skeleton
    tail: bytes
    state: hashlib._Hash
    """SHA-256 over the whole file, to be copied."""
    tip: Tip
    template_version: str
    template_digest: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return self.state.digest()

    @property
    def pdf(self) -> bytes:
        """The whole file."""
        return self.skeleton.prefix + self.tail


class FormRenderer:
    """Turns records, class-subject sheets, certified copies and extracts into unsigned PDF/A-3a pages.

    Not safe for several threads at once: give each its own.
    """

    def __init__(self, verification_url: str, form_version: str = "v1", order: Sequence[SignatureRole] = DEFAULT_ORDER) -> None:
        self._url = lookup_url(verification_url, "")
        self._form_version = form_version
        self._order = tuple(order)
        self._composer = lru_cache(maxsize=16)(lambda form, fields: Composer(form_named(f"{form}/{self._form_version}"), fields))
        self._codes = lru_cache(maxsize=4)(lambda length: QrCodes(self._url, length))
        self.skeleton = lru_cache(maxsize=MOST_SKELETONS)(self._skeleton)
        self.template_digest = lru_cache(maxsize=16)(self._template_digest)

    def render(self, document: Record | ClassSheet | CertifiedCopy, *, draft: bool = False, with_xml: bool = False, original: bytes | None = None) -> Body:
        """The page of one document, for a certified copy with its `original`, for an extract with its part; a draft says on each page that it is one.

        Text that the form's fonts can't show is refused, never replaced by boxes.
        """
        xml = _as_xml(document) if with_xml else None
        composer: Composer
        order: tuple[SignatureRole, ...]
        if isinstance(document, ClassSheet):
            composer, said, order = self._composer(document.form, SHEET_ROW), page_of(document), SHEET_ORDER
        elif isinstance(document, Extract):
            composer, said, order = self._composer(document.form, ROW_FIELDS[document.level]), page_of_extract(document, original or b""), COPY_ORDER
        elif isinstance(document, CertifiedCopy):
            composer, said, order = self._composer(document.form, ()), page_of_copy(document), COPY_ORDER
        else:
            composer, said, order = self._composer(document.form, ROW_FIELDS[document.level]), sheet_of(document), self._order
        qr = drawn(*self._codes(len(document.public_id)).rows(document.public_id))
        try:
            shape, pages = composer.compose(said, qr, _DRAFT if draft else State(*said["state"]))
        except Unprintable as error:
            raise _misplaced(document, error) from None
        skeleton: Skeleton = self.skeleton(composer, shape, alphabets_in(pages), order, document.data["school_year"], with_xml)
        tail, tip = _tail(skeleton, pages, document, (b"xml", xml) if original is None else (b"json" if isinstance(document, Extract) else b"pdf", original))
        state = skeleton.hashed.copy()
        state.update(tail)
        form = composer.form
        return Body(skeleton, tail, state, tip, form.facts["template_version"], self.template_digest(form.template_version, order, with_xml))

    def _skeleton(
        self, composer: Composer, shape: Shape, alphabets: tuple[Alphabet, ...], order: Sequence[SignatureRole], school_year: str, with_xml: bool
    ) -> Skeleton:
        return skeleton_of(composer, shape, alphabets, order, metadata(composer.form, school_year), with_xml)

    def _template_digest(self, template_version: str, order: Sequence[SignatureRole], with_xml: bool) -> bytes:
        """SHA-256 over all that the bytes depend on besides what is printed: files, our own code, makers' versions and settings."""
        digest = hashlib.sha256()
        code = Path(__file__).parent
        makers = (
            "composer",
            "drawing",
            "flows",
            "furniture",
            "increments",
            "official_forms",
            "qr_codes",
            "renderer",
            "skeleton",
            "structure",
            "typefaces",
            "xmp",
        )
        domain = ("class_sheet", "copy_of_document", "extract_of_record", "record", "record_xml", "sheet", "sheet_primary", "sheet_secondary", "words")
        files = [*(code / f"{name}.py" for name in makers), *(code.parent / "domain" / f"{name}.py" for name in domain)]
        files += [*(FORMS / template_version).iterdir(), *(FORMS / "parts").glob("*.json"), *(FORMS / "fonts" / "subsets").iterdir()]
        for file in sorted(files):
            digest.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        versions = {"deflate": version("deflate"), "isal": version("isal"), "segno": version("segno"), "zlib": zlib.ZLIB_RUNTIME_VERSION}
        # ISA-L has code of its own for each kind of processor, and not all of them find the same bytes.
        probe = (FORMS / template_version / "form.json").read_bytes()
        digest.update(b"".join([hashlib.sha256(isal_zlib.compress(probe, level)).digest() for level in (_PLAIN, _DENSE)]))
        digest.update(json.dumps([versions, self._url, order], sort_keys=True).encode())
        digest.update(repr(record_table()).encode() if with_xml else b"")
        return digest.digest()


def _misplaced(document: Record | ClassSheet | CertifiedCopy, error: Unprintable) -> UnreadableRecord:
    sign = error.character
    where = next((path for path, text in texts_of("$", document.data) if sign in text), "$")
    return UnreadableRecord(f"{where}: character U+{ord(sign):04X} isn't in the form's fonts; write it with letters that they have")


def _as_xml(document: Record | ClassSheet | CertifiedCopy) -> bytes:
    try:
        return to_xml(document.data, record_table())
    except Unmapped as error:
        raise UnreadableRecord(str(error)) from None


def _tail(skeleton: Skeleton, pages: Sequence[bytes], document: Record | ClassSheet | CertifiedCopy, beside: tuple[bytes, bytes | None]) -> tuple[bytes, Tip]:
    """The streams of one document, its cross-references and its end."""
    parts: list[bytes] = []
    rows: list[bytes] = []
    position, number = skeleton.size, skeleton.first
    for page in pages:
        packed = isal_zlib.compress(page, _PLAIN)
        parts.append(b"%d 0 obj\n<</Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream\nendobj\n" % (number, len(packed), packed))
        number += 1
    for kind, content in (beside, (b"json", document.content)):
        if content is None:
            continue
        packed = isal_zlib.compress(content, _DENSE if kind != b"json" or _PROOFS in content else _PLAIN)
        parts.append(
            b"%d 0 obj\n<</Type/EmbeddedFile/Subtype/application#2F%b/Params<</Size %d/ModDate(D:20000101000000Z)>>"
            b"/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream\nendobj\n" % (number, kind, len(content), len(packed), packed)
        )
        number += 1
    for part in parts:
        rows.append(plain_row(position))
        position += len(part)
    # What a page says follows from the fixed part of its shape and from the record.
    file_id = hashlib.sha256(skeleton.hashed.digest() + document.digest).hexdigest()[:32].upper().encode()
    parts.append(first_references(number, skeleton.rows, rows, CATALOG, file_id, position))
    tail = b"".join(parts)
    return tail, Tip(skeleton.size + len(tail), position, number + 1, CATALOG, file_id)


def known(content: bytes) -> Record | ClassSheet | CertifiedCopy:
    """A record, sheet or copy that was checked when it arrived, read again with a faster parser."""
    data = orjson.loads(content)
    if data["schema"] == RECORD:
        return known_record(content, data)
    return known_class_sheet(content, data) if data["schema"] == SHEET else known_copy(content, data)
