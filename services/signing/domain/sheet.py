"""From a record to what the page says: every text already in its printed form, no decision left to the form."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.signing.domain.record import Level, Record
from services.signing.domain.sheet_primary import PRIMARY_ROW, primary_parts
from services.signing.domain.sheet_secondary import SECONDARY_ROW, secondary_parts
from services.signing.domain.words import date_text, guardian_text, joined, province_authority

_PARTS: dict[Level, Callable[[dict[str, Any]], dict[str, Any]]] = {
    Level.PRIMARY: primary_parts,
    Level.LOWER_SECONDARY: secondary_parts,
    Level.UPPER_SECONDARY: secondary_parts,
}
ROW_FIELDS = {Level.PRIMARY: PRIMARY_ROW, Level.LOWER_SECONDARY: SECONDARY_ROW, Level.UPPER_SECONDARY: SECONDARY_ROW}
HISTORY_ROW = ("school_year", "class_name", "school", "register_number", "entered_on")


def sheet_of(record: Record) -> dict[str, Any]:
    """All values that a form may name: texts by key, and the lists `history`, `rows`, `notes` and those of the level."""
    data = record.data
    school, pupil, transcript = data["school"], data["pupil"], data["transcript"]
    return {
        **_class_texts(
            data["school_year"],
            data["school_class"]["name"],
            school["name"],
            school["commune"],
            school["province"],
            school["place_of_issue"],
            school["principal_title"],
        ),
        "full_name": pupil["name"].upper(),
        **particulars(pupil),
        "reference": f"Phiên bản {transcript['version']}",
        "state": state_texts(transcript),
        "corrections": corrections_text(data["corrections"]),
        "lookup": f"Mã tra cứu: {grouped(transcript['public_id'].upper())} · Phiên bản {transcript['version']} · Mã học bạ: {transcript['id']}",
        "digest": f"SHA-256 của dữ liệu đính kèm: {record.digest.hex()}",
        "history": [
            (
                stage["school_year"] or "",
                stage["class_name"] or "",
                joined([stage["school"], stage["province"]]),
                stage["register_number"] or "",
                date_text(stage["entered_on"]),
            )
            for stage in data["history"]
        ],
        **_PARTS[record.level](data),
    }


def particulars(pupil: dict[str, Any]) -> dict[str, str]:
    """What is known of a pupil besides the name."""
    return {
        "born_on": date_text(pupil["born_on"]),
        "sex": pupil["sex"] or "",
        "birth_place": pupil["birth_place"] or "",
        "ethnicity": pupil["ethnicity"] or "",
        "home_town": pupil["home_town"] or "",
        "nationality": pupil["nationality"] or "",
        "personal_number": pupil["personal_number"] or "",
        "priority_group": pupil["priority_group"] or "",
        "address": pupil["address"] or "",
        "father": guardian_text(pupil["father"]),
        "mother": guardian_text(pupil["mother"]),
        "guardian": guardian_text(pupil["guardian"]),
        "ministry_code": pupil["ministry_code"] or "",
        "register_number": pupil["register_number"] or "",
    }


@lru_cache(maxsize=256)
def _class_texts(
    school_year: str, class_name: str, school: str, commune: str | None, province: str | None, place: str | None, title: str | None
) -> dict[str, str]:
    """What the pages of a class have in common; not to be changed by who asks."""
    year = school_year.replace("-", " - ")
    return {
        "school_year": f"Năm học {year}",
        "authority": province_authority(province).upper(),
        "school_head": school.upper(),
        "school": school,
        "place": joined([commune, province]),
        "class": class_name,
        "running": f"Lớp {class_name}   Năm học {year}",
        # The date behind it is the principal's: the signature brings it.
        "issued_at": f"{place}," if place else "",
        "principal_title": (title or "Hiệu trưởng").upper(),
    }


def lookup_url(verification_url: str, public_id: str) -> str:
    """What the QR code leads to: status only, never content."""
    return f"{verification_url.rstrip('/')}/{public_id}"


def grouped(public_id: str) -> str:
    """A lookup code in groups of five, as people read it aloud."""
    if not public_id.isalnum():
        return public_id
    return "-".join([public_id[start : start + 5] for start in range(0, len(public_id), 5)])


def state_texts(transcript: dict[str, Any]) -> tuple[str, str]:
    """What a page says of its state, in large and in small letters: that it is a corrected version, and of which one; nothing of a first one."""
    version, earlier = transcript["version"], transcript.get("supersedes")
    if version == 1:
        return "", ""
    return f"BẢN ĐIỀU CHỈNH LẦN {version - 1}", f"Thay thế phiên bản {earlier}" if earlier else ""


def corrections_text(corrections: dict[str, Any]) -> str:
    """The form's line on corrections, from the audit trail's count instead of red ink."""
    count = corrections["count"]
    if count == 0:
        return "Trong bảng này có sửa chữa ở: 0 chỗ."
    return f"Trong bảng này có sửa chữa ở: {count} chỗ, thuộc các môn học: {joined(corrections['subjects'])}."
