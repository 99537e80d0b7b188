"""Signing's own reading of what a certified copy says (schema `hocba.copy/1`), and what its page says.

A certified copy (sao y, decree 30/2020, articles 25 to 27) is a page with the words SAO Y that has the original attached, unchanged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from services.signing.domain.record import Level, UnreadableRecord, refuse_unprintable, require, texts_of
from services.signing.domain.sheet import grouped
from services.signing.domain.words import province_authority

SCHEMA = "hocba.copy/1"
_NAME = f'"schema":"{SCHEMA}"'.encode()
_SHAPE = {
    "schema": "text",
    "level": "text",
    "school_year": "text",
    "copy": {"id": "text", "number": "text", "public_id": "text"},
    "school": {"name": "text", "province": "text?", "place_of_issue": "text?"},
    "original": {"public_id": "text", "version": "number", "sha256": "text"},
}


@dataclass(frozen=True, slots=True)
class CertifiedCopy:
    """What one copy says: the exact bytes, their digest, and their meaning. The original is no part of it: its digest is."""

    content: bytes
    digest: bytes
    data: dict[str, Any]
    level: Level

    @property
    def form(self) -> str:
        """The form that it is printed in."""
        return "copy"

    @property
    def copy_id(self) -> str:
        """The copy's id."""
        return str(self.data["copy"]["id"])

    @property
    def version(self) -> int:
        """A copy is made once."""
        return 1

    @property
    def public_id(self) -> str:
        """The id that the QR code leads to."""
        return str(self.data["copy"]["public_id"])

    @property
    def original(self) -> bytes:
        """SHA-256 of the original."""
        return bytes.fromhex(self.data["original"]["sha256"])


def is_copy(content: bytes) -> bool:
    """Whether bytes are what a copy says; what is in them is for the reader to say."""
    return _NAME in content


def known_copy(content: bytes, data: dict[str, Any]) -> CertifiedCopy:
    """A copy that read_copy accepted before, with what its bytes say: not checked again."""
    return CertifiedCopy(content, hashlib.sha256(content).digest(), data, Level(data["level"]))


def read_copy(content: bytes) -> CertifiedCopy:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    require("$", value, _SHAPE)
    if value["schema"] != SCHEMA:
        raise UnreadableRecord(f"$.schema: {value['schema']!r} is unknown here; this service reads {SCHEMA}")
    if value["level"] not in set(Level):
        raise UnreadableRecord(f"$.level: {value['level']!r} is none of {', '.join(Level)}")
    try:
        size = len(bytes.fromhex(value["original"]["sha256"]))
    except ValueError:
        size = 0
    if size != hashlib.sha256().digest_size:
        raise UnreadableRecord("$.original.sha256 is no SHA-256")
    for path, text in texts_of("$", value):
        refuse_unprintable(path, text)
    return CertifiedCopy(content, hashlib.sha256(content).digest(), value, Level(value["level"]))


def page_of_copy(copy: CertifiedCopy) -> dict[str, Any]:
    """All values that the form may name."""
    data = copy.data
    school, original, about = data["school"], data["original"], data["copy"]
    year = data["school_year"].replace("-", " - ")
    place = school["place_of_issue"]
    return {
        "school_year": f"Số: {about['number']}",
        "authority": province_authority(school["province"]).upper(),
        "school_head": school["name"].upper(),
        "kind": "Sao y từ bản điện tử sang bản điện tử",
        "school": school["name"],
        "original": f"Học bạ số, năm học {year}, phiên bản {original['version']}",
        "original_lookup": grouped(original["public_id"].upper()),
        "original_digest": original["sha256"],
        "said": "Bản gốc điện tử được đính kèm nguyên vẹn trong tệp này với tên tep-goc.pdf, cùng các chữ ký số của bản gốc. "
        "Tệp đính kèm có giá trị SHA-256 nêu trên; bản sao này chỉ có giá trị cùng với tệp đính kèm.",
        "basis": "Nghị định 30/2020/NĐ-CP, các Điều 25, 26 và 27.",
        "full_name": f"Bản sao số {about['number']}",
        "running": f"Năm học {year}",
        "reference": "Sao y",
        # The date behind it is the seal's: the signature brings it.
        "issued_at": f"{place}," if place else "",
        "lookup": f"Mã tra cứu: {grouped(copy.public_id.upper())} · Mã bản sao: {copy.copy_id}",
        "digest": f"SHA-256 của dữ liệu đính kèm: {copy.digest.hex()}",
        "state": ("", ""),
        "history": (),
    }
