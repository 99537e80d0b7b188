"""What a secondary transcript says beyond its head: TT 22/2021/TT-BGDĐT, annex, pages A and B."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from services.signing.domain.words import joined, listed, mark_text, programme_text

_SUBJECT = itemgetter("name", "taken", "topic_cluster", "exempt", "term_1", "term_2", "year", "after_retake", "comment", "teachers")
_NOT_TAKEN = "–"
_EXEMPT = "Miễn"
SECONDARY_ROW = ("name", "term_1", "term_2", "year", "after_retake", "remark", "teacher")
"""The fields of a subject's row, in the order of the tuples below."""


def secondary_parts(data: dict[str, Any]) -> dict[str, Any]:
    """Rows of page A, results, notes and remarks of page B."""
    results, awards, comments = data["results"], data["awards"], data["comments"]
    summer, first, second, year = results["after_summer"], results["term_1"], results["term_2"], results["year"]
    notes = [
        ("Chứng chỉ (nếu có)", listed(awards["certificates"])),
        ("Kết quả tham gia các cuộc thi (nếu có)", listed(awards["competitions"])),
        ("Khen thưởng (nếu có)", listed([awards["title"], *awards["others"]])),
    ]
    if data["completion"] is not None:
        notes.append(("Công nhận hoàn thành chương trình", programme_text(data["completion"])))
    return {
        "rows": [subject_row(subject) for subject in data["subjects"]],
        "term_1_conduct": first["conduct"] or "",
        "term_1_learning": first["learning"] or "",
        "term_2_conduct": second["conduct"] or "",
        "term_2_learning": second["learning"] or "",
        "year_conduct": year["conduct"] or "",
        "year_learning": year["learning"] or "",
        "absences": str(results["absences"]),
        "summer_conduct": (summer["conduct"] or "") if summer else "",
        "summer_learning": (summer["learning"] or "") if summer else "",
        "promotion": results["promotion"] or "",
        "notes": notes,
        "remarks": [
            ("NHẬN XÉT CỦA GIÁO VIÊN CHỦ NHIỆM", comments["homeroom"] or ""),
            ("NHẬN XÉT TRONG KÌ NGHỈ HÈ (NẾU CÓ)", comments["summer"] or ""),
            ("PHÊ DUYỆT CỦA HIỆU TRƯỞNG", _approval(data, results)),
        ],
    }


def subject_row(subject: dict[str, Any]) -> tuple[str, ...]:
    """A subject's row of page A."""
    name, taken, topic_cluster, exempt, term_1, term_2, year, after_retake, comment, teachers = _SUBJECT(subject)
    if topic_cluster and taken:
        name += " (có chuyên đề)"
    # The responsible one is named first, as he or she answers for the mark.
    teacher = teachers[0]["name"] if len(teachers) == 1 else joined([t["name"] for t in sorted(teachers, key=lambda t: not t["responsible"])])
    if not taken:
        return (name, _NOT_TAKEN, _NOT_TAKEN, _NOT_TAKEN, mark_text(after_retake), comment or "", teacher)
    if exempt:
        term_1 = term_1 or (_EXEMPT if "TERM_1" in exempt else "")
        term_2 = term_2 or (_EXEMPT if "TERM_2" in exempt else "")
        year = year or _EXEMPT
    return (name, mark_text(term_1), mark_text(term_2), mark_text(year), mark_text(after_retake), comment or "", teacher)


def _approval(data: dict[str, Any], results: dict[str, Any]) -> str:
    plan = " Học sinh được đánh giá theo kế hoạch giáo dục cá nhân." if data["individual_plan"] else ""
    level = "trung học cơ sở" if data["level"] == "LOWER_SECONDARY" else "trung học phổ thông"
    return f"Xác nhận kết quả học tập và rèn luyện năm học {data['school_year'].replace('-', ' - ')}, cấp {level}: {results['promotion'] or ''}.{plan}"
