"""What is seen in a sheet's signature box, set by typst."""

from __future__ import annotations

import json
from typing import cast

import typst

from services.signing.adapters.appearances import StampContent, stamp_lines
from services.signing.adapters.official_forms import FORMS, SignatureBox

_TEMPLATE = FORMS / "class_subject" / "v1" / "stamp.typ"


class SheetStamps:
    """Sets stamps as one-page PDF files; deterministic, and not safe for several threads at once."""

    def __init__(self) -> None:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FORMS / "fonts")])
        self._compiler = typst.Compiler(root=str(FORMS), font_paths=fonts)

    def render(self, content: StampContent, box: SignatureBox) -> bytes:
        """The stamp in the size of its box."""
        stamp = {
            "kind": "person",
            "name": content.certificate.common_name,
            "lines": stamp_lines(content),
            "width": round(box.width, 2),
            "height": round(box.height, 2),
        }
        made = self._compiler.compile(
            input=str(_TEMPLATE),
            format="pdf",
            pdf_standards=["a-3b"],
            pdf_tags=False,
            sys_inputs={"stamp": json.dumps(stamp, ensure_ascii=False)},
            timestamp=0,
        )
        return cast(bytes, made)
