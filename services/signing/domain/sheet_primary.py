"""What a primary transcript says beyond its head: TT 27/2020/TT-BGDĐT, annex."""

from __future__ import annotations

from typing import Any

from services.signing.domain.record import Node
from services.signing.domain.sheet_secondary import awards_text, completion_notes
from services.signing.domain.words import joined, mark_text

_EXEMPT = "Miễn"


def primary_parts(root: Node) -> dict[str, Any]:
    """Subject rows, qualities and competences, and the numbered lines at the foot."""
    results, comments = root.at("results"), root.at("comments")
    supplement = results.text("result_after_supplement")
    result = results.text("result") + (f"; sau đánh giá bổ sung: {supplement}" if supplement else "")
    completed = "Hoàn thành chương trình lớp học" if results.flag("class_completed") else "Chưa hoàn thành chương trình lớp học"
    promotion = results.text("promotion")
    return {
        "rows": [_row(subject) for subject in root.each("subjects")],
        "qualities": {"heading": "Phẩm chất chủ yếu", "sections": [_section("", root.at("qualities"))]},
        "competences": {
            "heading": "Năng lực cốt lõi",
            "sections": [
                _section("3.1. Năng lực chung", root.at("general_competences")),
                _section("3.2. Năng lực đặc thù", root.at("specific_competences")),
            ],
        },
        "health": joined(
            [
                f"Chiều cao: {results.text('height_cm') or '…'} cm",
                f"Cân nặng: {results.text('weight_kg') or '…'} kg",
                f"Số ngày nghỉ có phép: {results.number('absences_excused')}",
                f"không phép: {results.number('absences_unexcused')}",
            ]
        ),
        "notes": [
            {"label": "Đánh giá kết quả giáo dục", "value": result},
            {"label": "Khen thưởng", "value": awards_text(root.at("awards"))},
            {
                "label": "Hoàn thành chương trình lớp học/chương trình tiểu học",
                "value": completed if promotion.startswith(completed) else f"{completed}. {promotion}.",
            },
            *[{**note, "label": note["label"]} for note in completion_notes(root)],
            *_remarks(comments),
        ],
    }


def _remarks(comments: Node) -> list[dict[str, str]]:
    lines = [
        ("Nhận xét của giáo viên chủ nhiệm", comments.text("homeroom")),
        ("Nhận xét trong kì nghỉ hè", comments.text("summer")),
    ]
    return [{"label": label, "value": value} for label, value in lines if value]


def _row(subject: Node) -> dict[str, str]:
    if not subject.flag("taken"):
        return {"name": subject.text("name"), "level": "", "mark": "", "remark": ""}
    exempt = bool(subject.words("exempt"))
    return {
        "name": subject.text("name"),
        "level": _latest(subject, "level") or (_EXEMPT if exempt else ""),
        "mark": mark_text(_latest(subject, "mark")),
        "remark": subject.text("comment"),
    }


def _latest(subject: Node, key: str) -> str:
    """A result after the supplementary assessment stands beside the first one, as on paper."""
    first, after = subject.text(key), subject.text(f"{key}_after_supplement")
    return f"{first} → {after}" if after else first


def _section(caption: str, group: Node) -> dict[str, Any]:
    return {
        "caption": caption,
        "rows": [{"name": row.text("name"), "level": row.text("level")} for row in group.each("rows")],
        "remark": group.text("comment"),
    }
