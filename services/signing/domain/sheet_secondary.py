"""What a secondary transcript says beyond its head: TT 22/2021/TT-BGDĐT, annex, pages A and B."""

from __future__ import annotations

from typing import Any

from services.signing.domain.record import Level, Node
from services.signing.domain.words import date_text, joined, mark_text

_NOT_TAKEN = "–"
_EXEMPT = "Miễn"


def secondary_parts(root: Node) -> dict[str, Any]:
    """Rows of page A, results, notes and remarks of page B."""
    results = root.at("results")
    summer = results.maybe("after_summer")
    awards = root.at("awards")
    comments = root.at("comments")
    return {
        "part_one": "1. Kết quả các môn học và hoạt động giáo dục",
        "part_two": "2. Kết quả rèn luyện, học tập",
        "rows": [_row(subject) for subject in root.each("subjects")],
        "results": [_part(results.at(key)) for key in ("term_1", "term_2", "year")],
        "absences": str(results.number("absences")),
        "summer_conduct": summer.text("conduct") if summer else "",
        "summer_learning": summer.text("learning") if summer else "",
        "promotion": results.text("promotion"),
        "notes": [
            {"label": "Chứng chỉ (nếu có)", "value": joined(awards.words("certificates"))},
            {"label": "Kết quả tham gia các cuộc thi (nếu có)", "value": joined(awards.words("competitions"))},
            {"label": "Khen thưởng (nếu có)", "value": awards_text(awards)},
            *completion_notes(root),
        ],
        "remarks": [
            {"label": "Nhận xét của giáo viên chủ nhiệm", "value": comments.text("homeroom")},
            {"label": "Nhận xét trong kì nghỉ hè (nếu có)", "value": comments.text("summer")},
            {"label": "Phê duyệt của hiệu trưởng", "value": _approval(root, results)},
        ],
    }


def awards_text(awards: Node) -> str:
    """Title by rule first, then what else the year brought."""
    return joined([awards.text("title"), *awards.words("others")])


def completion_notes(root: Node) -> list[dict[str, str]]:
    """The decision that recognises the end of a level (Luật 123/2025/QH15), where the record has one."""
    completion = root.maybe("completion")
    if completion is None:
        return []
    # The programme's own text already says "Hoàn thành chương trình …"; the negative case has to say so too.
    programme = completion.text("programme")
    done = programme if completion.flag("completed") else f"Không {programme[:1].lower()}{programme[1:]}"
    decision = ""
    if completion.text("number"):
        decision = f" (Quyết định số {completion.text('number')} ngày {date_text(completion.text('decided_on'))}, đợt {completion.number('council_round')})"
    return [{"label": "Công nhận hoàn thành chương trình", "value": done + decision}]


def _row(subject: Node) -> dict[str, str]:
    taken, exempt = subject.flag("taken"), subject.words("exempt")
    name = subject.text("name")
    if taken and subject.flag("topic_cluster"):
        name += " (có chuyên đề)"
    responsible = [t.text("name") for t in subject.each("teachers") if t.flag("responsible")]
    others = [t.text("name") for t in subject.each("teachers") if not t.flag("responsible")]
    return {
        "name": name,
        "term_1": _cell(subject, "term_1", taken, "TERM_1" in exempt),
        "term_2": _cell(subject, "term_2", taken, "TERM_2" in exempt),
        "year": _cell(subject, "year", taken, bool(exempt)),
        "after_retake": mark_text(subject.text("after_retake")),
        "remark": subject.text("comment"),
        "teacher": joined(responsible + others),
    }


def _cell(subject: Node, key: str, taken: bool, exempt: bool) -> str:
    if not taken:
        return _NOT_TAKEN
    return mark_text(subject.text(key)) or (_EXEMPT if exempt else "")


def _part(part: Node) -> dict[str, str]:
    return {"conduct": part.text("conduct"), "learning": part.text("learning")}


def _approval(root: Node, results: Node) -> str:
    plan = " Học sinh được đánh giá theo kế hoạch giáo dục cá nhân." if root.flag("individual_plan") else ""
    level = "trung học cơ sở" if root.text("level") == Level.LOWER_SECONDARY.value else "trung học phổ thông"
    return f"Xác nhận kết quả học tập và rèn luyện năm học {root.text('school_year').replace('-', ' - ')}, cấp {level}: {results.text('promotion')}.{plan}"
