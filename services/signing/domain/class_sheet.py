"""Signing's own reading of a class-subject sheet (schema `hocba.sheet/1`), and what its page says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.signing.domain.record import Level, UnreadableRecord, refuse_unprintable, texts_of
from services.signing.domain.words import joined, mark_text, province_authority

SCHEMA = "hocba.sheet/1"
_NAME = f'"schema":"{SCHEMA}"'.encode()
_EXEMPT = "Miễn"
_HEADS = {
    Level.PRIMARY: ("Mức đạt được", "Điểm KTĐK", "Mức đạt được sau bổ sung", "Điểm sau bổ sung"),
    Level.LOWER_SECONDARY: ("Học kì I", "Học kì II", "Cả năm", "Sau đánh giá lại"),
}
_HEADS[Level.UPPER_SECONDARY] = _HEADS[Level.LOWER_SECONDARY]
_CELLS = {
    Level.PRIMARY: ("level", "mark", "level_after_supplement", "mark_after_supplement"),
    Level.LOWER_SECONDARY: ("term_1", "term_2", "year", "after_retake"),
}
_CELLS[Level.UPPER_SECONDARY] = _CELLS[Level.LOWER_SECONDARY]


@dataclass(frozen=True, slots=True)
class Node:
    """An object inside the sheet together with its path, so that each refusal can say where."""

    path: str
    value: dict[str, Any]

    def at(self, key: str) -> Node:
        """The object under `key`."""
        return Node(f"{self.path}.{key}", self._of(key, dict))

    def maybe(self, key: str) -> Node | None:
        """The object under `key`, or None where the record says null."""
        return None if self._present(key) is None else self.at(key)

    def each(self, key: str) -> Iterator[Node]:
        """The objects of the list under `key`."""
        for index, item in enumerate(self._of(key, list)):
            if not isinstance(item, dict):
                raise UnreadableRecord(f"{self.path}.{key}[{index}]: an object is expected")
            yield Node(f"{self.path}.{key}[{index}]", item)

    def words(self, key: str) -> tuple[str, ...]:
        """The texts of the list under `key`."""
        items = self._of(key, list)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise UnreadableRecord(f"{self.path}.{key}[{index}]: text is expected")
        return tuple(items)

    def text(self, key: str) -> str:
        """The text under `key`; null reads as an empty text."""
        if self._present(key) is None:
            return ""
        value: str = self._of(key, str)
        return value

    def number(self, key: str) -> int:
        """The whole number under `key`."""
        value: int = self._of(key, int)
        return value

    def flag(self, key: str) -> bool:
        """The truth value under `key`."""
        value: bool = self._of(key, bool)
        return value

    def _present(self, key: str) -> Any:
        if key not in self.value:
            raise UnreadableRecord(f"{self.path}.{key} is missing")
        return self.value[key]

    def _of(self, key: str, kind: type) -> Any:
        value = self._present(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UnreadableRecord(f"{self.path}.{key}: {kind.__name__} is expected, found {type(value).__name__}")
        return value


@dataclass(frozen=True, slots=True)
class ClassSheet:
    """One sealed sheet: the exact bytes, their digest, and what identifies it."""

    content: bytes
    digest: bytes
    root: Node
    level: Level
    sheet_id: str
    version: int
    public_id: str
    merkle_root: str


def is_class_sheet(content: bytes) -> bool:
    """Whether sealed bytes are a sheet and no record; what is in them is for the reader of either to say."""
    return _NAME in content


def read_class_sheet(content: bytes) -> ClassSheet:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UnreadableRecord("$: an object is expected")
    root = Node("$", value)
    if root.text("schema") != SCHEMA:
        raise UnreadableRecord(f"$.schema: {root.text('schema')!r} is unknown here; this service reads {SCHEMA}")
    try:
        level = Level(root.text("level"))
    except ValueError:
        raise UnreadableRecord(f"$.level: {root.text('level')!r} is none of {', '.join(Level)}") from None
    for path, text in texts_of("$", value):
        refuse_unprintable(path, text)
    sheet = root.at("sheet")
    return ClassSheet(
        content=content,
        digest=hashlib.sha256(content).digest(),
        root=root,
        level=level,
        sheet_id=sheet.text("id"),
        version=sheet.number("version"),
        public_id=sheet.text("public_id"),
        merkle_root=sheet.text("root"),
    )


def page_of(sheet: ClassSheet, title: str, template_version: str, lookup: str, qr_svg: str) -> dict[str, Any]:
    """The page's content for the template; the same sheet always gives the same page."""
    root = sheet.root
    school, school_class, subject = root.at("school"), root.at("school_class"), root.at("subject")
    first_year = root.text("school_year").split("-")[0].strip()
    rows = [line.at("row") for line in root.each("rows")]
    later = "" if sheet.version == 1 else f"Phiên bản {sheet.version}: các dòng dưới đây thay thế dòng của cùng học sinh trong các phiên bản trước."
    return {
        "title": title,
        "subject": subject.text("name"),
        "school": school.text("name"),
        "authority": province_authority(school.text("province")),
        "class_name": school_class.text("name"),
        "school_year_text": root.text("school_year").replace("-", " - "),
        "teachers": _teachers(subject),
        "later": later,
        "heads": list(_HEADS[sheet.level]),
        "rows": [_row(number, row, sheet.level) for number, row in enumerate(rows, start=1)],
        "count": f"Danh sách có {len(rows)} học sinh.",
        "place": school.text("place_of_issue"),
        "description": f"{title.capitalize()}, {SCHEMA}, mẫu {template_version}",
        "keywords": [f"hocba:{sheet.sheet_id}:{sheet.version}", sheet.public_id],
        "dated": [int(first_year) + 1, 5, 31],
        "qr_svg": qr_svg,
        "lookup_url": lookup,
        "footer_left": f"Mã tra cứu: {sheet.public_id} · Phiên bản {sheet.version} · Mẫu {template_version} · Mã bảng điểm: {sheet.sheet_id}",
        "footer_root": f"Gốc cây băm (RFC 6962) của các dòng: {sheet.merkle_root}",
        "footer_digest": f"SHA-256 của dữ liệu đính kèm: {sheet.digest.hex()}",
    }


def _row(number: int, row: Node, level: Level) -> dict[str, Any]:
    exempt = row.words("exempt")
    cells = [mark_text(row.text(key)) for key in _CELLS[level]]
    if level is not Level.PRIMARY:
        cells[:3] = [
            cells[0] or (_EXEMPT if "TERM_1" in exempt else ""),
            cells[1] or (_EXEMPT if "TERM_2" in exempt else ""),
            cells[2] or (_EXEMPT if exempt else ""),
        ]
    name = row.text("pupil")
    if level is not Level.PRIMARY and row.flag("topic_cluster"):
        name += " (chuyên đề)"
    return {"number": str(number), "name": name, "cells": cells, "remark": row.text("comment")}


def _teachers(subject: Node) -> str:
    """The responsible teacher first."""
    teachers = list(subject.each("teachers"))
    responsible = [teacher.text("name") for teacher in teachers if teacher.flag("responsible")]
    return joined(responsible + [teacher.text("name") for teacher in teachers if not teacher.flag("responsible")])
