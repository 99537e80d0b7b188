"""What each pupil gets, from ability and seed: cells in the words of grading's sheet columns."""

from collections.abc import Iterator
from random import Random

from services.grading.domain.rulesets import RuleSet, rule_set_for
from services.grading.domain.sheets import Column, Kind, layout
from services.grading.domain.subjects import HOMEROOM, Subject
from services.grading.domain.terms import Term
from services.rehearsal.plan import CLUSTERS, SCHOOL_YEAR, Plan, Pupil, SchoolClass

Cells = list[tuple[Pupil, str, str]]

_COMMENTS = (
    "Nắm vững kiến thức, tích cực phát biểu; cần cẩn thận hơn khi trình bày.",
    "Tiến bộ rõ trong học kì; biết giúp đỡ bạn bè.",
    "Chăm chỉ, hoàn thành đầy đủ bài tập; cần mạnh dạn hơn.",
    "Tư duy tốt, trình bày rõ ràng; tiếp tục phát huy.",
    "Hiểu bài, vận dụng được vào thực tiễn.",
    "Cần luyện đọc thêm ở nhà; thái độ học tập nghiêm túc.",
)
_TRAIT_COMMENTS = {
    "quality_comment": "Yêu quý bạn bè, thầy cô; trung thực, có trách nhiệm với việc được giao.",
    "general_comment": "Biết tự phục vụ, hợp tác tốt khi làm việc nhóm.",
    "specific_comment": "Đọc và viết rõ ràng, vận dụng được các phép tính vào bài toán thực tế.",
}
_HOMEROOM_COMMENT = "Ngoan, lễ phép, hoà đồng với bạn bè; có ý thức trách nhiệm với tập thể lớp. Cần tiếp tục rèn luyện tính tự học."


def rules(school_class: SchoolClass) -> RuleSet:
    """The rule set that grading applies to the class."""
    return rule_set_for(school_class.grade, SCHOOL_YEAR)


def subject_cells(school_class: SchoolClass, subject: Subject, term: Term, draw: Random) -> Cells:
    """One class-subject-term sheet, filled for every pupil."""
    cluster = school_class.grade >= 10 and subject.code in CLUSTERS
    columns = layout(rules(school_class), school_class.grade, subject.code, term, cluster=cluster)
    missing = _first_scored(school_class)
    cells: Cells = []
    for pupil in school_class.pupils:
        for column in columns:
            if pupil.fate == "missing_mark" and subject.code == missing and term is Term.TERM_2 and column.code == "ck":
                continue
            value = _value(column, pupil, draw, weak=pupil.fate == "retake" and subject.code in ("toan", "ngoai_ngu_1", "ngu_van"))
            if value:
                cells.append((pupil, column.code, value))
    return cells


def homeroom_cells(school_class: SchoolClass, term: Term, draw: Random) -> Cells:
    """What the homeroom teacher answers for in one term."""
    return [
        (pupil, column.code, value)
        for pupil in school_class.pupils
        for column in layout(rules(school_class), school_class.grade, HOMEROOM, term)
        if (value := _value(column, pupil, draw, weak=False, homeroom=True))
    ]


def total_cells(plan: Plan) -> int:
    """How many cells a rehearsal enters, for the progress bar."""
    return sum(len(cells) for _, _, _, cells in sheets(plan))


def sheets(plan: Plan) -> Iterator[tuple[SchoolClass, Subject | None, Term, Cells]]:
    """Every sheet of the year; the subject is None for the homeroom sheet."""
    for school, school_class in plan.classes():
        for term in (Term.TERM_1, Term.TERM_2):
            draw = Random(f"{plan.seed}/{school.code}/{school_class.name}/{term}")  # noqa: S311  # Reproducible sample data.
            for subject in school_class.subjects():
                yield school_class, subject, term, subject_cells(school_class, subject, term, draw)
            yield school_class, None, term, homeroom_cells(school_class, term, draw)


def _first_scored(school_class: SchoolClass) -> str:
    return next(s.code for s in school_class.subjects() if s.code in ("ngu_van", "tieng_viet"))


def _value(column: Column, pupil: Pupil, draw: Random, *, weak: bool, homeroom: bool = False) -> str:
    ability = 0.22 if weak else pupil.ability
    match column.kind:
        case Kind.MARK:
            return f"{min(10.0, max(0.0, ability * 10 + draw.uniform(-1.2, 1.2))):.1f}"
        case Kind.WHOLE_MARK:
            return str(min(10, max(5, round(ability * 10 + draw.uniform(-1, 1.5)))))
        case Kind.VERDICT:
            return "D"
        case Kind.LEVEL | Kind.TRAIT:
            return ("T" if ability > 0.72 else "H") if column.kind is Kind.LEVEL else ("T" if ability > 0.6 else "D")
        case Kind.STANDARD:
            return "T" if ability > 0.55 else "K"
        case Kind.COUNT:
            return str(draw.choice((0, 0, 0, 1, 2, 3)))
        case Kind.MEASURE:
            return str(100 + 5 * draw.randint(0, 12)) if "height" in column.code else str(20 + draw.randint(0, 40))
        case Kind.TEXT:
            return _text(column.code, draw, homeroom=homeroom)


def _text(code: str, draw: Random, *, homeroom: bool) -> str:
    if code == "comment":
        return _HOMEROOM_COMMENT if homeroom else draw.choice(_COMMENTS)
    return _TRAIT_COMMENTS.get(code, "")
