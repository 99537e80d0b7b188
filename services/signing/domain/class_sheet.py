"""Signing's own reading of a class-subject sheet (schema `hocba.sheet/1`), and what its page says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from services.signing.domain.record import Level, UnreadableRecord, refuse_unprintable, require, texts_of
from services.signing.domain.sheet import grouped
from services.signing.domain.words import joined, mark_text, province_authority

SCHEMA = "hocba.sheet/1"
_NAME = f'"schema":"{SCHEMA}"'.encode()
_EXEMPT = "Miễn"
SHEET_ROW = ("number", "name", "first", "second", "third", "fourth", "remark")
"""The fields of a pupil's row, in the order of the tuples below."""
_RESULTS = {
    Level.PRIMARY: ("level", "mark", "level_after_supplement", "mark_after_supplement"),
    Level.LOWER_SECONDARY: ("term_1", "term_2", "year", "after_retake"),
    Level.UPPER_SECONDARY: ("term_1", "term_2", "year", "after_retake"),
}
_FORMS = {Level.PRIMARY: "class_subject_primary", Level.LOWER_SECONDARY: "class_subject", Level.UPPER_SECONDARY: "class_subject"}
_ROW = {"pupil": "text", "exempt": ["text"], "comment": "text?"}
_COMMON = {
    "schema": "text",
    "level": "text",
    "school_year": "text",
    "sheet": {"id": "text", "version": "number", "public_id": "text", "root": "text"},
    "school": {"name": "text", "province": "text?", "place_of_issue": "text?"},
    "school_class": {"name": "text"},
    "subject": {"name": "text", "teachers": [{"name": "text", "responsible": "truth"}]},
}
_SHAPES = {
    level: {**_COMMON, "rows": [{"row": {**_ROW, **dict.fromkeys(results, "text?"), **({} if level is Level.PRIMARY else {"topic_cluster": "truth"})}}]}
    for level, results in _RESULTS.items()
}


@dataclass(frozen=True, slots=True)
class ClassSheet:
    """One sealed sheet: the exact bytes, their digest, and what they say."""

    content: bytes
    digest: bytes
    data: dict[str, Any]
    level: Level

    @property
    def form(self) -> str:
        """The form that it is printed in."""
        return _FORMS[self.level]

    @property
    def sheet_id(self) -> str:
        """The sheet's id, the same in each version."""
        return str(self.data["sheet"]["id"])

    @property
    def version(self) -> int:
        """The sheet's version."""
        return int(self.data["sheet"]["version"])

    @property
    def public_id(self) -> str:
        """The id that the QR code leads to."""
        return str(self.data["sheet"]["public_id"])


def is_class_sheet(content: bytes) -> bool:
    """Whether sealed bytes are a sheet and no record; what is in them is for the reader of either to say."""
    return _NAME in content


def known_class_sheet(content: bytes, data: dict[str, Any]) -> ClassSheet:
    """A sheet that read_class_sheet accepted when its class arrived, with what its bytes say: not checked again."""
    return ClassSheet(content, hashlib.sha256(content).digest(), data, Level(data["level"]))


def read_class_sheet(content: bytes) -> ClassSheet:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    require("$", value, {"schema": "text", "level": "text"})
    if value["schema"] != SCHEMA:
        raise UnreadableRecord(f"$.schema: {value['schema']!r} is unknown here; this service reads {SCHEMA}")
    if value["level"] not in set(Level):
        raise UnreadableRecord(f"$.level: {value['level']!r} is none of {', '.join(Level)}")
    level = Level(value["level"])
    require("$", value, _SHAPES[level])
    for path, text in texts_of("$", value):
        refuse_unprintable(path, text)
    return ClassSheet(content, hashlib.sha256(content).digest(), value, level)


def page_of(sheet: ClassSheet) -> dict[str, Any]:
    """All values that a form may name: texts by key, and the list `rows`."""
    data = sheet.data
    school, subject, about = data["school"], data["subject"], data["sheet"]
    year = data["school_year"].replace("-", " - ")
    class_name = data["school_class"]["name"]
    version = "" if sheet.version == 1 else f"{sheet.version}, thay các dòng của cùng học sinh trong các bản trước"
    place = school["place_of_issue"]
    rows = [_row(number, line["row"], sheet.level) for number, line in enumerate(data["rows"], start=1)]
    return {
        "school_year": f"Năm học {year}",
        "authority": province_authority(school["province"]).upper(),
        "school_head": school["name"].upper(),
        "subject": subject["name"],
        "class": class_name,
        "teachers": joined([teacher["name"] for teacher in sorted(subject["teachers"], key=lambda teacher: not teacher["responsible"])]),
        "version": version or "1",
        "full_name": f"{subject['name']}, lớp {class_name}",
        "running": f"Năm học {year}",
        "reference": f"Phiên bản {sheet.version}",
        "state": ("", "") if sheet.version == 1 else (f"BẢN BỔ SUNG LẦN {sheet.version - 1}", "Gồm các dòng mới hoặc thay đổi"),
        "count": f"Danh sách có {len(rows)} học sinh.{_topic_cluster(data['rows'])}",
        "root": f"Gốc cây băm (RFC 6962) của các dòng: {about['root']}",
        # The date behind it is the teacher's: the signature brings it.
        "issued_at": f"{place}," if place else "",
        "lookup": f"Mã tra cứu: {grouped(sheet.public_id.upper())} · Phiên bản {sheet.version} · Mã bảng điểm: {sheet.sheet_id}",
        "digest": f"SHA-256 của dữ liệu đính kèm: {sheet.digest.hex()}",
        "history": (),
        "rows": rows,
    }


def _topic_cluster(rows: list[dict[str, Any]]) -> str:
    """Who takes the subject's cluster of topics too, by number in the list: their results are those of subject and cluster together."""
    taking = [number for number, line in enumerate(rows, start=1) if line["row"].get("topic_cluster")]
    if len(taking) == len(rows):
        return " Cả danh sách học chuyên đề của môn học." if len(rows) > 1 else " Học chuyên đề của môn học."
    return f" Học chuyên đề của môn học: số {', '.join(map(str, taking))}." if taking else ""


def _row(number: int, row: dict[str, Any], level: Level) -> tuple[str, ...]:
    first, second, third, fourth = [mark_text(row[key]) for key in _RESULTS[level]]
    if level is not Level.PRIMARY:
        exempt = row["exempt"]
        first = first or (_EXEMPT if "TERM_1" in exempt else "")
        second = second or (_EXEMPT if "TERM_2" in exempt else "")
        third = third or (_EXEMPT if exempt else "")
    return (str(number), row["pupil"], first, second, third, fourth, row["comment"] or "")
