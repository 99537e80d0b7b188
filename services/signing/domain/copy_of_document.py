"""Signing's own reading of what a certified copy or an extract says (schemas `hocba.copy/1`, `hocba.extract/1`), and what a copy's page says.

A certified copy (sao y, decree 30/2020, articles 25 to 27) is a page with the words SAO Y that has the original attached, unchanged. An extract
(trích sao) has chosen parts of the original's record attached, and its pages print them (extract_of_record.py).
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
EXTRACT_SCHEMA = "hocba.extract/1"
_NAMES = {schema: f'"schema":"{schema}"'.encode() for schema in (SCHEMA, EXTRACT_SCHEMA)}
_COPY = {
    "schema": "text",
    "level": "text",
    "school_year": "text",
    "copy": {"id": "text", "number": "text", "public_id": "text"},
    "school": {"name": "text", "province": "text?", "place_of_issue": "text?"},
    "original": {"public_id": "text", "version": "number", "sha256": "text"},
}
_EXTRACT = _COPY | {"part": {"sha256": "text", "parts": ["text"], "left_out": ["text"], "subjects": {"chosen": "number", "all": "number"}}}


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
    def beside(self) -> bytes:
        """SHA-256 of what is attached beside the words: the original."""
        return bytes.fromhex(self.data["original"]["sha256"])


class Extract(CertifiedCopy):
    """What one extract says. The part is no part of it: its digest is."""

    __slots__ = ()

    @property
    def form(self) -> str:
        """With a table of subjects, if there are any: that of its level."""
        if not self.data["part"]["subjects"]["chosen"]:
            return "extract"
        return "extract_primary" if self.level is Level.PRIMARY else "extract_secondary"

    @property
    def beside(self) -> bytes:
        """SHA-256 of the part."""
        return bytes.fromhex(self.data["part"]["sha256"])


def is_copy(content: bytes) -> bool:
    """Whether bytes are what a copy or an extract says; what is in them is for the reader to say."""
    return any(name in content for name in _NAMES.values())


def is_extract(content: bytes) -> bool:
    """Whether they are what an extract says."""
    return _NAMES[EXTRACT_SCHEMA] in content


def known_copy(content: bytes, data: dict[str, Any]) -> CertifiedCopy:
    """A copy or an extract that read_copy accepted before, with what its bytes say: not checked again."""
    return (Extract if data["schema"] == EXTRACT_SCHEMA else CertifiedCopy)(content, hashlib.sha256(content).digest(), data, Level(data["level"]))


def read_copy(content: bytes) -> CertifiedCopy:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    require("$", value, _COPY)
    if value["schema"] not in _NAMES:
        raise UnreadableRecord(f"$.schema: {value['schema']!r} is unknown here; this service reads {', '.join(_NAMES)}")
    if value["schema"] == EXTRACT_SCHEMA:
        require("$", value, _EXTRACT)
    if value["level"] not in set(Level):
        raise UnreadableRecord(f"$.level: {value['level']!r} is none of {', '.join(Level)}")
    for place in ("original", "part") if value["schema"] == EXTRACT_SCHEMA else ("original",):
        if not _is_sha256(value[place]["sha256"]):
            raise UnreadableRecord(f"$.{place}.sha256 is no SHA-256")
    for path, text in texts_of("$", value):
        refuse_unprintable(path, text)
    return known_copy(content, value)


def _is_sha256(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == hashlib.sha256().digest_size
    except ValueError:
        return False


def page_of_copy(copy: CertifiedCopy) -> dict[str, Any]:
    """All values that the form may name; those of an extract's form that don't come from its part."""
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
