"""Whole school years for tests and for the examples under protos/: every required cell filled, then changed at will."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from services.grading.domain.pupil_year import Decision, PupilYear, SubjectChoice
from services.grading.domain.record import SubjectTeacher
from services.grading.domain.rulesets import rule_set_for, with_switches
from services.grading.domain.sealing import Candidate, Outcome, SealedVersion, SheetBook, seal_pupils
from services.grading.domain.sheets import Kind
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import TEACHING_TERMS, Level, Term
from services.grading.domain.writing import Surroundings

FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi")
MIDDLE = ("Văn", "Thị", "Minh", "Ngọc", "Đức", "Thanh")
GIVEN = ("An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Khánh", "Linh", "Nam", "Phương", "Quân", "Thảo")
ELECTIVES = frozenset({"dia_li", "gd_kt_pl", "vat_li", "tin_hoc"})
CLUSTERS = frozenset({"dia_li", "vat_li", "tin_hoc"})

FILL = {
    Kind.MARK: "8.5",
    Kind.WHOLE_MARK: "9",
    Kind.VERDICT: "D",
    Kind.LEVEL: "T",
    Kind.STANDARD: "T",
    Kind.TRAIT: "T",
    Kind.COUNT: "1",
    Kind.MEASURE: "140.5",
    Kind.TEXT: "Tiến bộ rõ, cần mạnh dạn hơn.",
}


def a_year(grade: int, *, switches: Mapping[str, Any] | None = None, **changes: Any) -> PupilYear:
    """A year of the grade with every cell filled with a good result."""
    rules = with_switches(rule_set_for(grade, 2025), switches or {})
    choice = SubjectChoice(electives=ELECTIVES, clusters=CLUSTERS) if grade >= 10 else SubjectChoice()
    year = PupilYear(pupil_id=str(uuid.UUID(int=grade)), grade=grade, rules=rules, choice=choice, born_on=date(2025 - 5 - grade, 3, 15))
    cells: dict[tuple[str, Term], dict[str, str]] = {}
    for subject in (*(s.code for s in year.taken()), HOMEROOM):
        for term in TEACHING_TERMS:
            columns = year.columns(subject, term)
            cells[subject, term] = {c.code: FILL[c.kind] for c in columns if c.required}
    return replace(replace(year, cells=cells), **changes)


def with_cells(year: PupilYear, subject: str, term: Term, **values: str) -> PupilYear:
    """The same year with some cells of one sheet changed; "" empties a cell."""
    sheet = {**year.cells.get((subject, term), {}), **values}
    return replace(year, cells={**year.cells, (subject, term): sheet})


def with_average(year: PupilYear, subject: str, mark: str) -> PupilYear:
    """The same year in which every mark of a scored subject is `mark`, so that all its averages are too."""
    for term in TEACHING_TERMS:
        cells = year.cells[subject, term]
        year = with_cells(year, subject, term, **{c: mark for c in cells if c != "comment"})
    return year


def decided(year: PupilYear, kind: str, value: str) -> PupilYear:
    """The same year with a decision."""
    decision = Decision(kind, value, round=1, number="12/QĐ-HT", decided_on="2026-05-25")
    return replace(year, decisions={**year.decisions, kind: decision})


class SeededDice:
    """Repeatable randomness."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def public_id(self) -> str:
        alphabet = "abcdefghijklmnopqrstuvwxyz234567"
        return "".join(self._random.choice(alphabet) for _ in range(26))

    def salt(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def row_salt(self) -> bytes:
        return self._random.randbytes(32)


def surroundings(year: PupilYear, seed: int = 7) -> Surroundings:
    """People and places around a year; every name comes from the lists above."""
    dice = random.Random(seed)

    def name() -> str:
        return f"{dice.choice(FAMILY)} {dice.choice(MIDDLE)} {dice.choice(GIVEN)}"

    def uid() -> str:
        return str(uuid.UUID(int=dice.getrandbits(128), version=4))

    school = {Level.PRIMARY: "Trường Tiểu học Hoa Mẫu", Level.LOWER_SECONDARY: "Trường THCS Hoa Mẫu"}.get(year.rules.level, "Trường THPT Hoa Mẫu")
    place = "Thành phố Hồ Chí Minh"
    born = year.born_on or date(2015, 3, 15)
    return Surroundings(
        pupil={
            "id": year.pupil_id,
            "name": name(),
            "sex": "Nữ",
            "born_on": born.isoformat(),
            "birth_place": place,
            "ethnicity": "Kinh",
            "nationality": "Việt Nam",
            "home_town": "Tây Ninh",
            "address": "Phường Mẫu, Thành phố Hồ Chí Minh",
            "priority_group": "",
            "register_number": "0042",
            "personal_number": f"0793{born.year % 100:02d}000042",
            "ministry_code": "7900000042",
            "father": {"name": name(), "occupation": ""},
            "mother": {"name": name(), "occupation": ""},
            "guardian": None,
        },
        school={
            "id": uid(),
            "code": "79000042",
            "name": school,
            "commune": "Phường Mẫu",
            "province_id": "2025-79",
            "province": place,
            "principal": name(),
            "principal_title": "Hiệu trưởng",
            "place_of_issue": place,
        },
        school_class={"id": uid(), "name": f"{year.grade}A1", "grade": year.grade, "homeroom_teacher": name()},
        history=(
            {
                "school_year": "2025-2026",
                "class_name": f"{year.grade}A1",
                "school": school,
                "province": place,
                "register_number": "0042",
                "entered_on": "2025-09-05",
            },
        ),
        teachers={s.code: (SubjectTeacher(name=name(), responsible=True),) for s in year.taken()},
    )


def seal_pupil(year: PupilYear, around: Surroundings, transcript_id: str, previous: SealedVersion | None, dice: SeededDice) -> Outcome:
    """The outcome of a class of one."""
    (outcome,), _ = seal_pupils([Candidate(year, around, transcript_id, previous)], SheetBook(), dice)
    return outcome


def sealed(year: PupilYear, seed: int = 1) -> Outcome:
    """The outcome of sealing a year for the first time."""
    return seal_pupil(year, surroundings(year), str(uuid.UUID(int=seed)), None, SeededDice(seed))


def example_years() -> dict[str, PupilYear]:
    """The years behind protos/examples/record: one per level, each with something special in it."""
    primary = decided(a_year(5), "completion", "completed")
    primary = with_cells(primary, "toan", Term.TERM_2, end2="8")
    primary = with_cells(primary, HOMEROOM, Term.TERM_2, height="140.5", weight="34.0", quality_comment="Em biết yêu thương, giúp đỡ bạn.")
    lower = with_average(a_year(8), "toan", "3.0")
    lower = with_average(lower, "ngu_van", "4.0")
    lower = with_cells(lower, "toan", Term.SUMMER, retake="6.0")
    lower = with_cells(lower, "ngu_van", Term.SUMMER, retake="5.5")
    lower = with_cells(lower, HOMEROOM, Term.SUMMER, comment="Đã ôn tập đầy đủ trong hè.")
    upper = with_cells(a_year(11), "vat_li", Term.TERM_1, tx1="7.0", tx4="9.5", ck="6.8")
    upper = with_cells(upper, HOMEROOM, Term.TERM_2, commendation="Giải Nhì học sinh giỏi Vật lí cấp tỉnh")
    upper = replace(upper, corrections={"vat_li": 1})
    return {"primary": primary, "lower_secondary": lower, "upper_secondary": upper}


EXAMPLES = Path(__file__).parents[3] / "protos" / "examples" / "record"


def example_text(year: PupilYear) -> str:
    """The example file of a year: its record, indented for people."""
    outcome = sealed(year, year.grade)
    assert outcome.sealed, outcome.reasons
    return json.dumps(json.loads(outcome.sealed.content), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def example_sheet() -> str:
    """The example of a class-subject sheet: maths of the lower-secondary example's class, of that one pupil."""
    year = example_years()["lower_secondary"]
    candidate = Candidate(year, surroundings(year), str(uuid.UUID(int=year.grade)), None)
    _, sheets = seal_pupils([candidate], SheetBook(), SeededDice(year.grade))
    content = next(sheet.content for sheet in sheets if sheet.subject == "toan")
    return json.dumps(json.loads(content), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


SHEET_EXAMPLE = EXAMPLES.parent / "sheet" / "lower_secondary.json"


if __name__ == "__main__":
    SHEET_EXAMPLE.parent.mkdir(exist_ok=True)
    SHEET_EXAMPLE.write_text(example_sheet(), encoding="utf-8")
    for name, year in example_years().items():
        (EXAMPLES / f"{name}.json").write_text(example_text(year), encoding="utf-8")
