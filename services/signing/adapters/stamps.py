"""What is seen in a signature box, set by typst once per class and role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import cast

import typst

from services.signing.adapters.renderer import FORMS, SignatureBox
from services.signing.domain.certificate import CertificateFacts
from services.signing.domain.roles import SignatureRole

_VIETNAM = timezone(timedelta(hours=7))  # one zone, no daylight saving since 1975
_TEMPLATE = FORMS / "stamps" / "v1.typ"


@dataclass(frozen=True, slots=True)
class StampContent:
    """Who signs as what, when, and with which certificate."""

    role: SignatureRole
    certificate: CertificateFacts
    signed_at: datetime
    authority: str = ""


class StampRenderer:
    """Sets stamps as one-page PDF files; deterministic, and not safe for several threads at once."""

    def __init__(self) -> None:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FORMS / "fonts")])
        self._compiler = typst.Compiler(root=str(FORMS), font_paths=fonts)

    def render(self, content: StampContent, box: SignatureBox) -> bytes:
        """The stamp in the size of its box."""
        stamp = {
            "kind": "seal" if content.role is SignatureRole.SCHOOL_SEAL else "person",
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


def stamp_lines(content: StampContent) -> list[str]:
    """The lines of decree 30/2020: who, when with zone, then the certificate and who vouches for it."""
    when = content.signed_at.astimezone(_VIETNAM).isoformat(timespec="seconds")
    facts = content.certificate
    if content.role is SignatureRole.SCHOOL_SEAL:
        who = ["Chữ ký số của cơ quan, tổ chức"]
    else:
        who = [f"Ký bởi: {facts.common_name}", f"Đơn vị: {facts.organisation}"]
        if content.authority:
            who.append(f"Ký thay theo: {content.authority}")
    return [*who, f"Thời gian ký: {when}", f"Chứng thư số: {shortened(facts.serial.upper())}", f"Nhà cung cấp: {facts.issuer}"]


def shortened(serial: str) -> str:
    """A long serial number by its two ends; the whole of it stands in the signature itself."""
    return serial if len(serial) <= 24 else f"{serial[:10]}…{serial[-10:]}"
