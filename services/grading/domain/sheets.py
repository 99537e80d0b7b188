"""The layout of a sheet: which columns a class x subject x term has, what may stand in a cell, and what is required.

Codes of the columns:

    secondary, scored     tx1 … tx4 (điểm đánh giá thường xuyên), gk (giữa kì), ck (cuối kì), comment
    secondary, comment    nx1, nx2, nx_gk, nx_ck with D (Đạt) or CD (Chưa đạt), comment
    primary, term n       level_midn, level_endn with T/H/C; midn, endn whole marks; comment
    homeroom              conduct, absences_*, comment …; quality_*, competence_* (end of term), mid_* (mid-term)
    summer                retake; level_after, mark_after; conduct_after, comment

An empty cell and a zero are different things: V says "was excused, make-up due" and is still not a mark, and a
make-up that was not taken is a zero (or CD) whose source says why (Thông tư 22/2021/TT-BGDĐT, article 7.5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache

from services.grading.domain.errors import BadInput
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.subjects import (
    GENERAL_COMPETENCES,
    HOMEROOM,
    QUALITIES,
    SPECIFIC_COMPETENCES,
    subjects_of,
)
from services.grading.domain.terms import Level, Mode, Term

TEXT_MAX = 2_000
EXCUSED = "V"
SOURCES = ("", "make_up", "cluster", "no_make_up", "replaced_test")


class Kind(Enum):
    """What may stand in a cell."""

    MARK = "a mark from 0 to 10 with at most one decimal, such as 7.5"
    WHOLE_MARK = "a whole mark from 0 to 10"
    VERDICT = "D (Đạt) or CD (Chưa đạt)"
    LEVEL = "T, H or C"
    STANDARD = "T (Tốt), K (Khá), D (Đạt) or CD (Chưa đạt)"
    TRAIT = "T, D or C"
    COUNT = "a whole number from 0 to 400"
    MEASURE = "a number from 1 to 300 with at most one decimal"
    TEXT = f"text of at most {TEXT_MAX} characters"

    # Members are single objects; the default hash runs Python code and is asked hundreds of times a sheet.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet: its code, the heading people read, what it takes, and whether the year needs it."""

    code: str
    heading: str
    kind: Kind
    required: bool = True


_LETTERS = {
    Kind.VERDICT: {"D": "D", "Đ": "D", "ĐẠT": "D", "DAT": "D", "CD": "CD", "CĐ": "CD", "CHƯA ĐẠT": "CD"},
    Kind.LEVEL: {"T": "T", "H": "H", "C": "C"},
    Kind.STANDARD: {
        "T": "T", "TỐT": "T", "K": "K", "KHÁ": "K", "D": "D", "Đ": "D", "ĐẠT": "D", "CD": "CD", "CĐ": "CD",
        "CHƯA ĐẠT": "CD",
    },
    Kind.TRAIT: {"T": "T", "D": "D", "Đ": "D", "C": "C"},
}  # fmt: skip
_NUMBERS = {
    Kind.MARK: (Decimal("0.1"), 0, 10),
    Kind.WHOLE_MARK: (Decimal(1), 0, 10),
    Kind.COUNT: (Decimal(1), 0, 400),
    Kind.MEASURE: (Decimal("0.1"), 1, 300),
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_EXCUSABLE = (Kind.MARK, Kind.WHOLE_MARK, Kind.VERDICT)


@lru_cache(maxsize=16_384)
def _read_short(kind: Kind, text: str) -> str:
    written = text.strip().upper().replace("\u00d0", "Đ")  # Icelandic eth looks like Đ, and old input methods type it.
    if kind in _EXCUSABLE and written == EXCUSED:
        return EXCUSED
    if letters := _LETTERS.get(kind):
        if written in letters:
            return letters[written]
        raise BadInput("bad_value", f"{text!r} is not {kind.value}; write {kind.value}")
    return _read_number(kind, text)


def _read_number(kind: Kind, text: str) -> str:
    written = text.strip().replace(",", ".")
    places, least, most = _NUMBERS[kind]
    number = Decimal(written) if _NUMBER.fullmatch(written) else None
    if number is None or not least <= number <= most or number != (whole := number.quantize(places)):
        raise BadInput("bad_value", f"{text!r} is not {kind.value}; write {kind.value}")
    return str(whole)


def read_cell(column: Column, text: str, source: str = "") -> str:
    """The canonical text of a cell, or BadInput that says what may stand there; "" empties the cell.

    Marks become "7.5" and "10.0", whole marks "9", letters ASCII ("D", "CD"). Nothing is rounded silently: 7.25 is
    refused, because a teacher must decide what was meant.
    """
    if source not in SOURCES:
        raise BadInput("bad_source", f"source {source!r} is unknown; use one of {', '.join(SOURCES[1:])} or none")
    if source == "no_make_up":
        return _zero_for(column, text)
    if column.kind is Kind.TEXT:
        text = text.replace("\r\n", "\n")
        if len(text) > TEXT_MAX:
            raise BadInput("text_too_long", f"{len(text)} characters; shorten it to {TEXT_MAX}")
        if _CONTROL.search(text):
            raise BadInput("control_character", "the text holds characters that can't be printed; type it anew or paste it as plain text")
        return text.strip()
    if not text or text.isspace():
        return ""
    if source == "cluster" and not column.code.startswith("tx"):
        raise BadInput("bad_source", f"a topic cluster's result counts as a regular mark, not as {column.code}; use tx…")
    return _read_short(column.kind, text)


def _zero_for(column: Column, text: str) -> str:
    zero = {Kind.MARK: "0.0", Kind.WHOLE_MARK: "0", Kind.VERDICT: "CD"}.get(column.kind)
    if zero is None:
        raise BadInput("bad_source", f"{column.code} has no make-up test; leave the source empty")
    if text and _read_short(column.kind, text) != zero:
        raise BadInput("no_make_up_is_zero", f"a make-up that was not taken counts as {zero}; write {zero} or nothing")
    return zero


def layout(rules: RuleSet, grade: int, subject: str, term: Term, *, cluster: bool = False) -> tuple[Column, ...]:
    """The columns of a sheet in the order they are printed; BadInput for a subject that the grade doesn't have.

    With `cluster` the layout is that of pupils who take the subject's topic cluster, and therefore more lessons.
    """
    if subject == HOMEROOM:
        return _homeroom(rules, term)
    row = subjects_of(rules.level).get(subject)
    if row is None or not row.taught_in(grade):
        raise BadInput("no_such_subject", f"grade {grade} has no subject {subject!r}; take a code of the catalogue")
    return _subject(rules, grade, subject, term, cluster)


@lru_cache(maxsize=4_096)
def _subject(rules: RuleSet, grade: int, code: str, term: Term, cluster: bool) -> tuple[Column, ...]:
    row = subjects_of(rules.level)[code]
    mode = row.mode_in(grade)
    note = Column("comment", "Nhận xét", Kind.TEXT, required=rules.switches.subject_comment_required and term == 2)
    if rules.level is Level.PRIMARY:
        return _primary(rules, row.midterm_mark_grades, grade, mode, term, note)
    if term is Term.SUMMER:
        kind = Kind.MARK if mode is Mode.SCORED else Kind.VERDICT
        return (Column("retake", "Đánh giá lại", kind, required=False),)
    if mode is Mode.COMMENT:
        regular = [Column(f"nx{n}", f"ĐĐGtx {n}", Kind.VERDICT) for n in range(1, rules.switches.regular_comments + 1)]
        return (*regular, Column("nx_gk", "ĐĐGgk", Kind.VERDICT), Column("nx_ck", "ĐĐGck", Kind.VERDICT), note)
    lessons = row.lessons[grade] + (rules.secondary.cluster_lessons if cluster else 0)
    count = rules.secondary.regular_marks_of(lessons)
    marks = [Column(f"tx{n}", f"ĐĐGtx {n}", Kind.MARK) for n in range(1, count + 1)]
    return (*marks, Column("gk", "ĐĐGgk", Kind.MARK), Column("ck", "ĐĐGck", Kind.MARK), note)


def _primary(rules: RuleSet, midterm_grades: tuple[int, ...], grade: int, mode: Mode, term: Term, note: Column) -> tuple[Column, ...]:
    marked = mode is Mode.LEVEL_AND_MARK
    if term is Term.SUMMER:
        level = Column("level_after", "Mức đạt được sau đánh giá bổ sung", Kind.LEVEL, required=False)
        mark = Column("mark_after", "Điểm sau đánh giá bổ sung", Kind.WHOLE_MARK, required=False)
        return (level, mark) if marked else (level,)
    n = int(term)
    end = "cuối học kì I" if n == 1 else "cuối năm"
    mid = f"giữa học kì {'I' * n}"
    columns = [Column(f"level_mid{n}", f"Mức {mid}", Kind.LEVEL, rules.switches.midterm_levels_required)]
    if marked and grade in midterm_grades:
        columns.append(Column(f"mid{n}", f"Điểm KTĐK {mid}", Kind.WHOLE_MARK))
    columns.append(Column(f"level_end{n}", f"Mức {end}", Kind.LEVEL))
    if marked:
        columns.append(Column(f"end{n}", f"Điểm KTĐK {end}", Kind.WHOLE_MARK))
    return (*columns, note)


@lru_cache(maxsize=64)
def _homeroom(rules: RuleSet, term: Term) -> tuple[Column, ...]:
    primary = rules.level is Level.PRIMARY
    if term is Term.SUMMER:
        after = _traits("", required=False) if primary else (_CONDUCT_AFTER,)
        return (*after, Column("comment", "Nhận xét trong kì nghỉ hè", Kind.TEXT, required=False))
    year_end = term is Term.TERM_2
    common = (
        Column("absences_excused", "Nghỉ có phép", Kind.COUNT),
        Column("absences_unexcused", "Nghỉ không phép", Kind.COUNT),
        Column("comment", "Nhận xét của GVCN", Kind.TEXT, year_end and rules.switches.homeroom_comment_required),
        Column("commendation", "Khen thưởng khác", Kind.TEXT, required=False),
    )
    if not primary:
        extra = (
            Column("certificate", "Chứng chỉ", Kind.TEXT, required=False),
            Column("competition", "Kết quả các cuộc thi", Kind.TEXT, required=False),
        )
        return (Column("conduct", "Rèn luyện", Kind.STANDARD), *common, *extra)
    return (
        *_traits("mid_", required=rules.switches.midterm_traits_required),
        *_traits("", required=True),
        Column("quality_comment", "Nhận xét phẩm chất", Kind.TEXT, required=False),
        Column("general_comment", "Nhận xét năng lực chung", Kind.TEXT, required=False),
        Column("specific_comment", "Nhận xét năng lực đặc thù", Kind.TEXT, required=False),
        Column("height", "Chiều cao (cm)", Kind.MEASURE, required=False),
        Column("weight", "Cân nặng (kg)", Kind.MEASURE, required=False),
        *common,
    )


_CONDUCT_AFTER = Column("conduct_after", "Rèn luyện sau kì nghỉ hè", Kind.STANDARD, required=False)


def _traits(prefix: str, *, required: bool) -> tuple[Column, ...]:
    """Qualities and competences; which specific ones a grade leaves blank is not settled, so all are asked for."""
    moment = "giữa kì" if prefix else "cuối kì"
    rows = [("quality", trait) for trait in QUALITIES]
    rows += [("competence", trait) for trait in (*GENERAL_COMPETENCES, *SPECIFIC_COMPETENCES)]
    return tuple(Column(f"{prefix}{kind}_{trait.code}", f"{trait.name} {moment}", Kind.TRAIT, required) for kind, trait in rows)
