"""What a primary transcript says beyond its head: TT 27/2020/TT-BGDĐT, annex."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from services.signing.domain.words import listed, mark_text, programme_text

_SUBJECT = itemgetter("name", "taken", "exempt", "level", "level_after_supplement", "mark", "mark_after_supplement", "comment")
_EXEMPT = "Miễn"
PRIMARY_ROW = ("name", "level", "mark", "remark")
"""The fields of a subject's row, in the order of the tuples below."""


def primary_parts(data: dict[str, Any]) -> dict[str, Any]:
    """Subject rows, qualities and competences, and the numbered lines at the foot."""
    results = data["results"]
    result, completed = result_notes(results)
    awards, comments = data["awards"], data["comments"]
    notes = [
        result,
        ("Khen thưởng", listed([awards["title"], *awards["others"]])),
        completed,
        ("Công nhận hoàn thành chương trình", programme_text(data["completion"])),
        ("Nhận xét của giáo viên chủ nhiệm", comments["homeroom"] or ""),
        ("Nhận xét trong kì nghỉ hè", comments["summer"] or ""),
    ]
    # The first three are lines of the form, empty or not; the others stand there when there is something to say.
    said = [(label, value) for index, (label, value) in enumerate(notes) if index < 3 or value]
    return {
        "rows": [subject_row(subject) for subject in data["subjects"]],
        "qualities": [traits("", data["qualities"])],
        "competences": [traits("3.1. Năng lực chung", data["general_competences"]), traits("3.2. Năng lực đặc thù", data["specific_competences"])],
        "height": f"{mark_text(results['height_cm'])} cm" if results["height_cm"] else "",
        "weight": f"{mark_text(results['weight_kg'])} kg" if results["weight_kg"] else "",
        "excused": str(results["absences_excused"]),
        "unexcused": str(results["absences_unexcused"]),
        "notes": [(f"{number}. {label}", value) for number, (label, value) in enumerate(said, start=4)],
    }


def result_notes(results: dict[str, Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    """The year's result, and whether the class or the level is completed."""
    supplement, promotion = results["result_after_supplement"], results["promotion"] or ""
    result = (results["result"] or "") + (f"; sau đánh giá bổ sung: {supplement}" if supplement else "")
    completed = "Hoàn thành chương trình lớp học" if results["class_completed"] else "Chưa hoàn thành chương trình lớp học"
    told = completed if promotion.startswith(completed) else f"{completed}. {promotion}."
    return ("Đánh giá kết quả giáo dục", result), ("Hoàn thành chương trình lớp học/chương trình tiểu học", told)


def subject_row(subject: dict[str, Any]) -> tuple[str, ...]:
    """A subject's row."""
    name, taken, exempt, level, later_level, mark, later_mark, comment = _SUBJECT(subject)
    if not taken:
        return (name, "", "", "")
    # A result after the supplementary assessment stands beside the first one, as on paper.
    if later_level:
        level = f"{level or ''} → {later_level}"
    if later_mark:
        mark = f"{mark or ''} → {later_mark}"
    return (name, level or (_EXEMPT if exempt else ""), mark_text(mark), comment or "")


def traits(caption: str, group: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """Qualities or competences under a caption: a name and a level each, and what is said of all."""
    return caption, tuple([(row["name"], row["level"] or "") for row in group["rows"]]), group["comment"] or ""
