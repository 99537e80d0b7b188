"""The closed vocabularies of grading: levels of schooling, terms, and every scale that a result can be given on.

The printed Vietnamese word is the `text` of each member, because the record keeps what the form prints; the short
letter is what teachers type and what a cell keeps. The same letter means different things on different scales
("C" is *Chưa hoàn thành* for a primary subject and *Cần cố gắng* for a quality), hence one enumeration per scale.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Level(Enum):
    """Level of general education, by the Education Law (Luật 43/2019/QH14, article 28)."""

    PRIMARY = "PRIMARY"
    LOWER_SECONDARY = "LOWER_SECONDARY"
    UPPER_SECONDARY = "UPPER_SECONDARY"

    @property
    def text(self) -> str:
        """Name of the level as official Vietnamese texts write it."""
        return {"PRIMARY": "tiểu học", "LOWER_SECONDARY": "trung học cơ sở", "UPPER_SECONDARY": "trung học phổ thông"}[self.value]

    @property
    def last_grade(self) -> int:
        """The grade at whose end the level is completed."""
        return {"PRIMARY": 5, "LOWER_SECONDARY": 9, "UPPER_SECONDARY": 12}[self.value]


def level_of_grade(grade: int) -> Level:
    """Give the level a grade from 1 to 12 belongs to; any other number raises ValueError."""
    if not 1 <= grade <= 12:
        raise ValueError(f"grade {grade} does not exist; grades run from 1 to 12")
    if grade <= 5:
        return Level.PRIMARY
    return Level.LOWER_SECONDARY if grade <= 9 else Level.UPPER_SECONDARY


class Term(IntEnum):
    """Part of a school year that a sheet belongs to.

    SUMMER is the time after the year has been judged: retakes, supplementary assessment and summer training.
    """

    TERM_1 = 1
    TERM_2 = 2
    SUMMER = 3

    @property
    def text(self) -> str:
        """Name of the term as the forms print it."""
        return {1: "Học kì I", 2: "Học kì II", 3: "Kì nghỉ hè"}[self.value]


TEACHING_TERMS = (Term.TERM_1, Term.TERM_2)


class Standard(IntEnum):
    """Four-step scale of conduct (rèn luyện) and learning (học tập); Thông tư 22/2021/TT-BGDĐT, articles 8 and 9."""

    FAIL = 0
    PASS = 1
    FAIR = 2
    GOOD = 3

    @property
    def text(self) -> str:
        """The word the transcript prints."""
        return ("Chưa đạt", "Đạt", "Khá", "Tốt")[self.value]

    @property
    def letter(self) -> str:
        """The code of the national data dictionary: T, K, Đ, CĐ."""
        return ("CĐ", "Đ", "K", "T")[self.value]


class Completion(IntEnum):
    """Three-step scale of a primary subject or activity; Thông tư 27/2020/TT-BGDĐT, article 7.1."""

    INCOMPLETE = 0
    COMPLETE = 1
    WELL = 2

    @property
    def text(self) -> str:
        """The words behind the letter."""
        return ("Chưa hoàn thành", "Hoàn thành", "Hoàn thành tốt")[self.value]

    @property
    def letter(self) -> str:
        """The letter that the primary transcript prints."""
        return ("C", "H", "T")[self.value]


class Trait(IntEnum):
    """Three-step scale of a quality or competence in primary school; Thông tư 27/2020/TT-BGDĐT, article 7.2."""

    NEEDS_EFFORT = 0
    PASS = 1
    GOOD = 2

    @property
    def text(self) -> str:
        """The words behind the letter."""
        return ("Cần cố gắng", "Đạt", "Tốt")[self.value]

    @property
    def letter(self) -> str:
        """The letter that the primary transcript prints."""
        return ("C", "Đ", "T")[self.value]


class PrimaryResult(IntEnum):
    """Year-end result of a primary pupil; Thông tư 27/2020/TT-BGDĐT, article 9.2a."""

    INCOMPLETE = 0
    COMPLETE = 1
    WELL = 2
    EXCELLENT = 3

    @property
    def text(self) -> str:
        """The words the transcript prints."""
        return ("Chưa hoàn thành", "Hoàn thành", "Hoàn thành tốt", "Hoàn thành xuất sắc")[self.value]


class YearEnd(Enum):
    """Where a secondary pupil stands when the year has been judged; Thông tư 22/2021/TT-BGDĐT, articles 12 to 14."""

    PROMOTED = "PROMOTED"
    NEEDS_RETAKE = "NEEDS_RETAKE"
    NEEDS_SUMMER_TRAINING = "NEEDS_SUMMER_TRAINING"
    RETAINED = "RETAINED"

    @property
    def final(self) -> bool:
        """Whether nothing that happens in the summer can change it any more."""
        return self in (YearEnd.PROMOTED, YearEnd.RETAINED)


class Mode(Enum):
    """How a subject is judged."""

    SCORED = "SCORED"  # Marks and a comment; secondary school.
    COMMENT = "COMMENT"  # Đạt / Chưa đạt; secondary school.
    LEVEL = "LEVEL"  # T / H / C; primary school.
    LEVEL_AND_MARK = "LEVEL_AND_MARK"  # T / H / C and a whole periodic mark; primary school.
