"""Renders the unsigned page of a class-subject sheet: one a class and subject, so typst's pace is enough here.

Deterministic to the byte like the transcripts' pages, and under a template digest of its own.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib.metadata import version
from typing import cast

import typst

from services.signing.adapters.renderer import FORMS, Body, Form, qr_svg, with_signature_fields
from services.signing.domain.class_sheet import ClassSheet, page_of
from services.signing.domain.record import UnreadableRecord
from services.signing.domain.roles import SHEET_ORDER
from services.signing.domain.sheet import lookup_url


class ClassSheetRenderer:
    """Turns sheets into unsigned PDF/A-3 pages. Not safe for several threads at once: give each its own."""

    def __init__(self, verification_url: str, form_version: str = "v1") -> None:
        self._verification_url = verification_url
        self.form = Form(FORMS / "class_subject" / form_version)
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FORMS / "fonts")])
        self._compiler = typst.Compiler(root=str(FORMS), font_paths=fonts)

    def render(self, sheet: ClassSheet) -> Body:
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
        return Body(pdf, hashlib.sha256(pdf).digest(), form.template_version, self.template_digest)

    @cached_property
    def template_digest(self) -> bytes:
        """SHA-256 over all that the bytes depend on besides the sheet: files, makers' versions and settings."""
        digest = hashlib.sha256()
        for file in self.form.files():
            digest.update(f"{file.relative_to(FORMS).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        makers = {name: version(name) for name in ("typst", "pikepdf", "segno")}
        digest.update(json.dumps([makers, self._verification_url, SHEET_ORDER], sort_keys=True).encode())
        return digest.digest()
