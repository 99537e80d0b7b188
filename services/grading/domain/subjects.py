"""The subject catalogue: which row stands where on the form, who is taught what, and how it is judged.

Source: Chương trình giáo dục phổ thông 2018 (Thông tư 32/2018, amended by 20/2021, 13/2022, 17/2025), and the forms of
Thông tư 27/2020 (primary) and 22/2021 (secondary). The Ministry's own subject codes (QĐ 4998/QĐ-BGDĐT) are not public
in full, so these neutral codes are ours; a mapping is the business of whoever exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from services.grading.domain.terms import Level, Mode


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of the form: a subject, an activity, or one strand of a subject that the form prints by itself.

    `lessons` gives lessons a year by grade; a grade without an entry does not teach the subject. `marked_from` is the
    first primary grade with a periodic mark. In `elective_grades` only pupils who chose the subject take it.
    """

    code: str
    name: str
    mode: Mode
    lessons: Mapping[int, int] = field(hash=False)
    marked_from: int = 0
    midterm_mark_grades: tuple[int, ...] = ()
    elective_grades: tuple[int, ...] = ()

    def elective_in(self, grade: int) -> bool:
        """Whether only the pupils who chose it take it in this grade."""
        return grade in self.elective_grades

    def taught_in(self, grade: int) -> bool:
        """Whether the programme has lessons for it in this grade."""
        return grade in self.lessons

    def mode_in(self, grade: int) -> Mode:
        """How it is judged in this grade; primary subjects gain their mark only from some grade on."""
        if self.mode is Mode.LEVEL_AND_MARK and grade < self.marked_from:
            return Mode.LEVEL
        return self.mode


def _each(first: int, last: int, lessons: int) -> dict[int, int]:
    return dict.fromkeys(range(first, last + 1), lessons)


_PRIMARY = (
    Subject(
        "tieng_viet",
        "Tiếng Việt",
        Mode.LEVEL_AND_MARK,
        {1: 420, 2: 350, 3: 245, 4: 245, 5: 245},
        marked_from=1,
        midterm_mark_grades=(4, 5),
    ),
    Subject(
        "toan",
        "Toán",
        Mode.LEVEL_AND_MARK,
        {1: 105, 2: 175, 3: 175, 4: 175, 5: 175},
        marked_from=1,
        midterm_mark_grades=(4, 5),
    ),
    # Grades 1 and 2 have it as an optional subject, judged by level only: pupils take it by choice there.
    Subject(
        "ngoai_ngu_1",
        "Ngoại ngữ 1",
        Mode.LEVEL_AND_MARK,
        {1: 70, 2: 70, **_each(3, 5, 140)},
        marked_from=3,
        elective_grades=(1, 2),
    ),
    Subject("lich_su_va_dia_li", "Lịch sử và Địa lí", Mode.LEVEL_AND_MARK, _each(4, 5, 70), marked_from=4),
    Subject("khoa_hoc", "Khoa học", Mode.LEVEL_AND_MARK, _each(4, 5, 70), marked_from=4),
    # One subject of 70 lessons in the programme, two rows on the form; each strand is judged by itself.
    Subject("tin_hoc", "Tin học và Công nghệ (Tin học)", Mode.LEVEL_AND_MARK, _each(3, 5, 35), marked_from=3),
    Subject("cong_nghe", "Tin học và Công nghệ (Công nghệ)", Mode.LEVEL_AND_MARK, _each(3, 5, 35), marked_from=3),
    Subject("dao_duc", "Đạo đức", Mode.LEVEL, _each(1, 5, 35)),
    Subject("tu_nhien_va_xa_hoi", "Tự nhiên và Xã hội", Mode.LEVEL, _each(1, 3, 70)),
    Subject("gdtc", "Giáo dục thể chất", Mode.LEVEL, _each(1, 5, 70)),
    Subject("am_nhac", "Nghệ thuật (Âm nhạc)", Mode.LEVEL, _each(1, 5, 35)),
    Subject("mi_thuat", "Nghệ thuật (Mĩ thuật)", Mode.LEVEL, _each(1, 5, 35)),
    Subject("hdtn", "Hoạt động trải nghiệm", Mode.LEVEL, _each(1, 5, 105)),
    Subject(
        "tieng_dan_toc",
        "Tiếng dân tộc",
        Mode.LEVEL_AND_MARK,
        _each(1, 5, 70),
        marked_from=1,
        elective_grades=(1, 2, 3, 4, 5),
    ),
)

_LOWER_SECONDARY = (
    Subject("ngu_van", "Ngữ văn", Mode.SCORED, _each(6, 9, 140)),
    Subject("toan", "Toán", Mode.SCORED, _each(6, 9, 140)),
    Subject("ngoai_ngu_1", "Ngoại ngữ 1", Mode.SCORED, _each(6, 9, 105)),
    Subject("gdcd", "Giáo dục công dân", Mode.SCORED, _each(6, 9, 35)),
    Subject("lich_su_va_dia_li", "Lịch sử và Địa lí", Mode.SCORED, _each(6, 9, 105)),
    Subject("khtn", "Khoa học tự nhiên", Mode.SCORED, _each(6, 9, 140)),
    Subject("cong_nghe", "Công nghệ", Mode.SCORED, {6: 35, 7: 35, 8: 52, 9: 52}),
    Subject("tin_hoc", "Tin học", Mode.SCORED, _each(6, 9, 35)),
    Subject("gdtc", "Giáo dục thể chất", Mode.COMMENT, _each(6, 9, 70)),
    Subject("nghe_thuat", "Nghệ thuật", Mode.COMMENT, _each(6, 9, 70)),
    Subject("hdtn_hn", "Hoạt động trải nghiệm, hướng nghiệp", Mode.COMMENT, _each(6, 9, 105)),
    Subject("gd_dia_phuong", "Nội dung giáo dục của địa phương", Mode.COMMENT, _each(6, 9, 35)),
    Subject("tieng_dan_toc", "Tiếng dân tộc thiểu số", Mode.SCORED, _each(6, 9, 105), elective_grades=(6, 7, 8, 9)),
    Subject("ngoai_ngu_2", "Ngoại ngữ 2", Mode.SCORED, _each(6, 9, 105), elective_grades=(6, 7, 8, 9)),
)

_UPPER_SECONDARY = (
    Subject("ngu_van", "Ngữ văn", Mode.SCORED, _each(10, 12, 105)),
    Subject("toan", "Toán", Mode.SCORED, _each(10, 12, 105)),
    Subject("ngoai_ngu_1", "Ngoại ngữ 1", Mode.SCORED, _each(10, 12, 105)),
    Subject("lich_su", "Lịch sử", Mode.SCORED, _each(10, 12, 52)),
    Subject("dia_li", "Địa lí", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("gd_kt_pl", "Giáo dục kinh tế và pháp luật", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("vat_li", "Vật lí", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("hoa_hoc", "Hóa học", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("sinh_hoc", "Sinh học", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("cong_nghe", "Công nghệ", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("tin_hoc", "Tin học", Mode.SCORED, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("am_nhac", "Âm nhạc", Mode.COMMENT, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("mi_thuat", "Mĩ thuật", Mode.COMMENT, _each(10, 12, 70), elective_grades=(10, 11, 12)),
    Subject("gdqp_an", "Giáo dục quốc phòng và an ninh", Mode.SCORED, _each(10, 12, 35)),
    Subject("gdtc", "Giáo dục thể chất", Mode.COMMENT, _each(10, 12, 70)),
    Subject("hdtn_hn", "Hoạt động trải nghiệm, hướng nghiệp", Mode.COMMENT, _each(10, 12, 105)),
    Subject("gd_dia_phuong", "Nội dung giáo dục của địa phương", Mode.COMMENT, _each(10, 12, 35)),
    Subject("tieng_dan_toc", "Tiếng dân tộc thiểu số", Mode.SCORED, _each(10, 12, 105), elective_grades=(10, 11, 12)),
    Subject("ngoai_ngu_2", "Ngoại ngữ 2", Mode.SCORED, _each(10, 12, 105), elective_grades=(10, 11, 12)),
)

_FORMS = {Level.PRIMARY: _PRIMARY, Level.LOWER_SECONDARY: _LOWER_SECONDARY, Level.UPPER_SECONDARY: _UPPER_SECONDARY}

# The sheet of the homeroom teacher: conduct, absences, qualities and competences, overall comment. It is kept, opened
# and closed like the sheet of a subject, so it has a code in the same place.
HOMEROOM = "homeroom"

# The nine subjects of upper secondary school from which a pupil chooses four (Thông tư 13/2022/TT-BGDĐT).
ELECTIVE_GROUP = ("dia_li", "gd_kt_pl", "vat_li", "hoa_hoc", "sinh_hoc", "cong_nghe", "tin_hoc", "am_nhac", "mi_thuat")


@dataclass(frozen=True, slots=True)
class NamedTrait:
    """A quality or competence of the primary form: its code and the words printed in its row."""

    code: str
    name: str


QUALITIES = (
    NamedTrait("yeu_nuoc", "Yêu nước"),
    NamedTrait("nhan_ai", "Nhân ái"),
    NamedTrait("cham_chi", "Chăm chỉ"),
    NamedTrait("trung_thuc", "Trung thực"),
    NamedTrait("trach_nhiem", "Trách nhiệm"),
)
GENERAL_COMPETENCES = (
    NamedTrait("tu_chu_tu_hoc", "Tự chủ và tự học"),
    NamedTrait("giao_tiep_hop_tac", "Giao tiếp và hợp tác"),
    NamedTrait("giai_quyet_van_de", "Giải quyết vấn đề và sáng tạo"),
)
SPECIFIC_COMPETENCES = (
    NamedTrait("ngon_ngu", "Ngôn ngữ"),
    NamedTrait("tinh_toan", "Tính toán"),
    NamedTrait("khoa_hoc", "Khoa học"),
    NamedTrait("cong_nghe", "Công nghệ"),
    NamedTrait("tin_hoc", "Tin học"),
    NamedTrait("tham_mi", "Thẩm mĩ"),
    NamedTrait("the_chat", "Thể chất"),
)


def form_rows(level: Level) -> tuple[Subject, ...]:
    """Every row of the level's form in the form's order, taught in this grade or not."""
    return _FORMS[level]


@cache
def subjects_of(level: Level) -> Mapping[str, Subject]:
    """The level's subjects by code."""
    return {subject.code: subject for subject in _FORMS[level]}
