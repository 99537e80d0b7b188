"""From a record to what the page says: every text already in its printed form, no decision left to the template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.signing.domain.record import Level, Node, Record
from services.signing.domain.sheet_primary import primary_parts
from services.signing.domain.sheet_secondary import secondary_parts
from services.signing.domain.words import date_text, joined, province_authority

Sheet = dict[str, Any]

_PARTS: dict[Level, Callable[[Node], Sheet]] = {
    Level.PRIMARY: primary_parts,
    Level.LOWER_SECONDARY: secondary_parts,
    Level.UPPER_SECONDARY: secondary_parts,
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the page shows that isn't in the record: form, address of the verification page, and a banner for drafts."""

    title: str
    template_version: str
    verification_url: str
    qr_svg: str
    banner: str = ""


def lookup_url(verification_url: str, public_id: str) -> str:
    """What the QR code says; the public id is random and says nothing about the pupil."""
    return f"{verification_url.rstrip('/')}/{public_id}"


def sheet_of(record: Record, around: Surroundings) -> Sheet:
    """The page's content for the template; the same record and surroundings always give the same sheet."""
    root = record.root
    school = root.at("school")
    school_class = root.at("school_class")
    first_year = root.text("school_year").split("-")[0].strip()
    return {
        "title": around.title,
        "school_year_text": root.text("school_year").replace("-", " - "),
        "school": school.text("name"),
        "authority": province_authority(school.text("province")),
        "description": f"{around.title.capitalize()}, {root.text('schema')}, mẫu {around.template_version}",
        "keywords": [f"hocba:{record.transcript_id}:{record.version}", record.public_id],
        # The metadata date depends on the content alone, or the same content would have other bytes on another day.
        "dated": [int(first_year) + 1, 5, 31],
        "banner": around.banner,
        "footer_left": f"Mã tra cứu: {grouped(record.public_id)} · Phiên bản {record.version} · Mẫu {around.template_version}"
        f" · Mã học bạ: {record.transcript_id}",
        "footer_digest": f"SHA-256 của dữ liệu đính kèm: {record.digest.hex()}",
        "qr_svg": around.qr_svg,
        "lookup_url": lookup_url(around.verification_url, record.public_id),
        "full_name": record.pupil_name,
        "class_name": school_class.text("name"),
        "reference": f"Phiên bản {record.version}",
        "particulars": _particulars(root),
        "history": _history(root),
        "corrections_text": corrections_text(root.at("corrections")),
        "issued_at": f"{school.text('place_of_issue')}, ngày ký ghi trong chữ ký số" if school.text("place_of_issue") else "",
        "captions": {
            "homeroom_teacher": "Giáo viên chủ nhiệm",
            "principal": school.text("principal_title") or "Hiệu trưởng",
            "school_seal": "",
        },
        **_PARTS[record.level](root),
    }


def grouped(public_id: str) -> str:
    """A lookup code in groups of five, as people read it aloud."""
    if not public_id.isalnum():
        return public_id
    return "-".join(public_id[start : start + 5] for start in range(0, len(public_id), 5))


def corrections_text(corrections: Node) -> str:
    """The form's line on corrections, from the audit trail's count instead of red ink."""
    count = corrections.number("count")
    if count == 0:
        return "Trong bảng này có sửa chữa ở: 0 chỗ."
    return f"Trong bảng này có sửa chữa ở: {count} chỗ, thuộc các môn học: {joined(corrections.words('subjects'))}."


def _particulars(root: Node) -> list[dict[str, Any]]:
    pupil, school, school_class = root.at("pupil"), root.at("school"), root.at("school_class")
    place = joined([school.text("commune"), school.text("province")])
    # Between two wide lines there must be an even number of narrow ones: they stand in pairs.
    lines: list[tuple[str, str, str]] = [
        ("Họ và tên", pupil.text("name").upper(), "wide strong"),
        ("Ngày, tháng, năm sinh", date_text(pupil.text("born_on")), ""),
        ("Giới tính", pupil.text("sex"), ""),
        ("Nơi sinh", pupil.text("birth_place"), ""),
        ("Dân tộc", pupil.text("ethnicity"), ""),
        ("Quê quán", pupil.text("home_town"), ""),
        ("Quốc tịch", pupil.text("nationality"), ""),
        ("Số định danh cá nhân", pupil.text("personal_number"), ""),
        ("Đối tượng", pupil.text("priority_group"), ""),
        ("Chỗ ở hiện tại", pupil.text("address"), "wide"),
        ("Họ và tên cha", _guardian(pupil.maybe("father")), ""),
        ("Họ và tên mẹ", _guardian(pupil.maybe("mother")), ""),
        ("Người giám hộ (nếu có)", _guardian(pupil.maybe("guardian")), ""),
        ("Mã định danh Bộ GD&ĐT", pupil.text("ministry_code"), ""),
        ("Lớp", school_class.text("name"), "strong"),
        ("Số đăng bộ", pupil.text("register_number"), ""),
        ("Trường", school.text("name"), "wide strong"),
        ("Xã/Phường, Tỉnh/Thành phố", place, "wide"),
    ]
    return [{"label": label, "value": value, "wide": "wide" in style, "strong": "strong" in style} for label, value, style in lines]


def _guardian(person: Node | None) -> str:
    if person is None:
        return ""
    occupation = person.text("occupation")
    return f"{person.text('name')} ({occupation})" if occupation else person.text("name")


def _history(root: Node) -> list[list[str]]:
    return [
        [
            stage.text("school_year"),
            stage.text("class_name"),
            joined([stage.text("school"), stage.text("province")]),
            stage.text("register_number"),
            date_text(stage.text("entered_on")),
        ]
        for stage in root.each("history")
    ]
