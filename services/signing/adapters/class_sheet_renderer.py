"""Renders the unsigned page of a class-subject sheet: one a class and subject, so typst's pace is enough here.

Deterministic to the byte like the transcripts' pages, and under a template digest of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version
from typing import Any, cast

import pikepdf
import segno
import typst
from pikepdf import Array, Dictionary, Name, String

from services.signing.adapters.official_forms import FORMS, Form, SignatureBox
from services.signing.domain.class_sheet import ClassSheet, page_of
from services.signing.domain.record import UnreadableRecord
from services.signing.domain.roles import SHEET_ORDER, SignatureRole
from services.signing.domain.sheet import lookup_url

_PRINTED_AND_LOCKED = 132  # ISO 32000-1 table 165: Print and Locked, as PDF/A asks of a widget
_SIGNATURES_APPEND_ONLY = 3  # ISO 32000-1 table 219
_QR_QUIET = 4  # modules of quiet zone on each side, ISO/IEC 18004 section 6.3.8


@dataclass(frozen=True, slots=True)
class SheetBody:
    """An unsigned page and what it was made from."""

    pdf: bytes
    digest: bytes
    template_version: str
    template_digest: bytes


class ClassSheetRenderer:
    """Turns sheets into unsigned PDF/A-3 pages. Not safe for several threads at once: give each its own."""

    def __init__(self, verification_url: str, form_version: str = "v1") -> None:
        self._verification_url = verification_url
        self.form = Form(FORMS / "class_subject" / form_version)
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FORMS / "fonts")])
        self._compiler = typst.Compiler(root=str(FORMS), font_paths=fonts)

    def render(self, sheet: ClassSheet) -> SheetBody:
        """The page of one sheet. Text that the form's font can't show is refused, never replaced by boxes."""
        form = self.form
        lookup = lookup_url(self._verification_url, sheet.public_id)
        page = page_of(sheet, form.facts["title"], form.template_version, lookup, qr_svg(lookup))
        inputs = {"page": json.dumps(page, ensure_ascii=False), "sheet": sheet.content.decode()}
        try:
            laid_out = self._compiler.compile(
                input=str(form.folder / "form.typ"),
                format="pdf",
                pdf_standards=["a-3b"],
                pdf_tags=False,
                sys_inputs=inputs,
                timestamp=0,
            )
        except typst.TypstError as error:
            raise UnreadableRecord(f"the form {form.template_version} can't be set: {error.message}") from None
        pdf = with_signature_fields(cast(bytes, laid_out), form.boxes, SHEET_ORDER)
        return SheetBody(pdf, hashlib.sha256(pdf).digest(), form.template_version, self.template_digest)

    @cached_property
    def template_digest(self) -> bytes:
        """SHA-256 over all that the bytes depend on besides the sheet: files, makers' versions and settings."""
        digest = hashlib.sha256()
        for file in sorted([*self.form.folder.iterdir(), *(FORMS / "fonts").glob("*.ttf")]):
            digest.update(f"{file.relative_to(FORMS).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        makers = {name: version(name) for name in ("typst", "pikepdf", "segno")}
        digest.update(json.dumps([makers, self._verification_url, SHEET_ORDER], sort_keys=True).encode())
        return digest.digest()


def qr_svg(content: str) -> str:
    """A QR code (level M) as one SVG path of horizontal runs; separate squares would show seams in print."""
    matrix = segno.make(content, error="m", micro=False, boost_error=False).matrix
    size = len(matrix) + 2 * _QR_QUIET
    runs: list[str] = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start + _QR_QUIET} {y + _QR_QUIET}h{x - start}v1h-{x - start}z")
            x += 1
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"><path d="{"".join(runs)}" fill="#000"/></svg>'


def with_signature_fields(laid_out: bytes, boxes: Sequence[SignatureBox], order: Sequence[SignatureRole]) -> bytes:
    """Add one empty, visible signature field per role to the last page and write one plain revision.

    All fields are there before the first signature, because a field added later could paint over the page. The last
    signer's field locks everything (FieldMDP All, P=1), so that nothing at all may follow it.
    """
    with pikepdf.open(io.BytesIO(laid_out)) as pdf:
        page = pdf.pages[-1]
        widgets = []
        for box in sorted(boxes, key=lambda b: order.index(b.role)):
            empty = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]))
            widget = Dictionary(
                Type=Name.Annot,
                Subtype=Name.Widget,
                FT=Name.Sig,
                T=String(box.field),
                F=_PRINTED_AND_LOCKED,
                Rect=Array([_point(v) for v in (box.left, box.bottom, box.left + box.width, box.bottom + box.height)]),
                P=page.obj,
                AP=Dictionary(N=empty),
            )
            if box.role is order[-1]:
                widget.Lock = pdf.make_indirect(Dictionary(Type=Name.SigFieldLock, Action=Name.All, P=1))
            widgets.append(pdf.make_indirect(widget))
        page.obj.Annots = pdf.make_indirect(Array(widgets))
        pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=Array(widgets), SigFlags=_SIGNATURES_APPEND_ONLY))
        out = io.BytesIO()
        # Later revisions are plain cross-reference tables, so the first one has to be one too.
        pdf.save(
            out,
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            compress_streams=True,
            fix_metadata_version=False,
            min_version="1.7",
        )
        return out.getvalue()


def _point(value: float) -> Any:
    """Hundredths of a point: written without a float's tail of digits."""
    return Decimal(round(value * 100)) / 100
