"""The cast of a rehearsal: one province, three schools, classes, staff and pupils, all from one seed.

Everything a run will enter is fixed here before it starts, so that two runs with one seed enter the same and a check
afterwards knows what must have come out.
"""

import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from services.grading.domain.subjects import Subject, form_rows
from services.grading.domain.terms import Level
from services.rehearsal import names

PROVINCE = "2025-48"
PROVINCE_NAME = "Thành phố Đà Nẵng"
SCHOOL_YEAR = 2025
CLASS_SIZE = 34
MIN_CLASSES_PER_SCHOOL = 4
_GRADES = {Level.PRIMARY: (5, 4, 3, 1, 2), Level.LOWER_SECONDARY: (9, 8, 7, 6), Level.UPPER_SECONDARY: (12, 11, 10, 12)}
_KINDS = {Level.PRIMARY: "Trường Tiểu học", Level.LOWER_SECONDARY: "Trường THCS", Level.UPPER_SECONDARY: "Trường THPT"}
_SPACE = uuid.UUID("6f1a3a52-5d8e-5e57-9f2c-0a4b7f0c2d11")
ELECTIVES = ("vat_li", "hoa_hoc", "sinh_hoc", "tin_hoc")
CLUSTERS = ("vat_li", "hoa_hoc", "toan")


@dataclass
class Staff:
    """A member of staff, before and after the school has appointed them."""

    key: str
    person_id: str
    full_name: str
    roles: tuple[str, ...]
    title: str
    staff_id: str = ""


@dataclass
class Pupil:
    """A pupil as the school office would type them in, and how they will fare."""

    full_name: str
    female: bool
    birth_date: str
    personal_number: str
    ministry_code: str
    ethnicity: str
    address: str
    father: str
    mother: str
    ability: float  # 0 to 1; drives the marks
    fate: str = ""  # "", no_personal_number, retake, missing_mark
    pupil_id: str = ""


@dataclass
class SchoolClass:
    """A class with its pupils and who teaches what."""

    name: str
    grade: int
    level: Level
    homeroom: Staff
    teaching: dict[str, Staff]
    pupils: list[Pupil]
    class_id: str = ""

    def subjects(self) -> Iterator[Subject]:
        """What the class is taught, in the form's order; electives only where this rehearsal chose them."""
        for subject in form_rows(self.level):
            if subject.taught_in(self.grade) and (not subject.elective_in(self.grade) or subject.code in ELECTIVES):
                yield subject


@dataclass
class School:
    """A school with its office, teachers and classes."""

    code: str
    name: str
    level: Level
    principal: Staff
    deputy: Staff
    clerk: Staff
    registrar: Staff
    teachers: list[Staff]
    classes: list[SchoolClass] = field(default_factory=list)
    school_id: str = ""

    def staff(self) -> list[Staff]:
        """Everybody who is appointed."""
        return [self.principal, self.deputy, self.clerk, self.registrar, *self.teachers]

    def sheet_teachers(self) -> list[Staff]:
        """Who signs class-subject sheets: each subject's teacher in secondary school, nobody in primary."""
        if self.level is Level.PRIMARY:
            return []
        return list({teacher.person_id: teacher for school_class in self.classes for teacher in school_class.teaching.values()}.values())

    def sheets(self) -> int:
        """How many class-subject sheets there are before any correction."""
        return 0 if self.level is Level.PRIMARY else sum(len(school_class.teaching) for school_class in self.classes)


@dataclass
class Plan:
    """The whole rehearsal."""

    seed: int
    schools: list[School]

    def classes(self) -> Iterator[tuple[School, SchoolClass]]:
        for school in self.schools:
            for school_class in school.classes:
                yield school, school_class

    @property
    def pupils(self) -> int:
        return sum(len(school_class.pupils) for _, school_class in self.classes())


def make(pupils: int, seed: int) -> Plan:
    """A plan with at least `pupils` pupils in at least twelve classes, the same for the same arguments."""
    draw = Random(seed)  # noqa: S311  # Reproducible sample data, not a secret.
    per_school = max(MIN_CLASSES_PER_SCHOOL, math.ceil(pupils / 3 / CLASS_SIZE))
    size = math.ceil(pupils / 3 / per_school)
    plan = Plan(seed, [_school(draw, number, level, per_school, size, seed) for number, level in enumerate(_GRADES)])
    _fates(plan)
    return plan


def _school(draw: Random, number: int, level: Level, classes: int, size: int, seed: int) -> School:
    name = f"{_KINDS[level]} {names.SCHOOLS[(seed + number) % len(names.SCHOOLS)]}"
    office = {role: _staff(draw, f"{number}-{role}", (role,), title, seed) for role, title in _OFFICE}
    code = f"48{20194 + number:05d}{number + 1:03d}"
    school = School(code, name, level, office["principal"], office["deputy"], office["clerk"], office["registrar"], [])
    by_subject: dict[str, Staff] = {}
    for index in range(classes):
        grade = _GRADES[level][index % len(_GRADES[level])]
        homeroom = _staff(draw, f"{number}-gvcn-{index}", ("homeroom_teacher", "subject_teacher"), "Giáo viên chủ nhiệm", seed)
        school.teachers.append(homeroom)
        letter = chr(ord("A") + index // len(_GRADES[level]))
        suffix = f"{letter}{index % len(_GRADES[level]) + 1}" if level is Level.UPPER_SECONDARY else f"{letter}"
        school_class = SchoolClass(f"{grade}{suffix}", grade, level, homeroom, {}, [])
        for subject in school_class.subjects():
            if level is Level.PRIMARY and subject.code in _BY_HOMEROOM:
                school_class.teaching[subject.code] = homeroom
                continue
            if subject.code not in by_subject:
                by_subject[subject.code] = _staff(draw, f"{number}-{subject.code}", ("subject_teacher",), f"Giáo viên {subject.name}", seed)
                school.teachers.append(by_subject[subject.code])
            school_class.teaching[subject.code] = by_subject[subject.code]
        school_class.pupils = [_pupil(draw, grade, f"{number}{index:02d}{place:02d}") for place in range(size)]
        school.classes.append(school_class)
    return school


_OFFICE = (("principal", "Hiệu trưởng"), ("deputy", "Phó Hiệu trưởng"), ("clerk", "Văn thư"), ("registrar", "Giáo vụ"))
_BY_HOMEROOM = frozenset({"tieng_viet", "toan", "dao_duc", "tu_nhien_va_xa_hoi", "khoa_hoc", "lich_su_va_dia_li", "hdtn", "cong_nghe"})


def _staff(draw: Random, key: str, roles: tuple[str, ...], title: str, seed: int) -> Staff:
    roles = ("vice_principal",) if roles == ("deputy",) else roles
    person_id = str(uuid.uuid5(_SPACE, f"{seed}/{key}"))
    return Staff(key, person_id, names.person(draw, female=draw.random() < 0.7), roles, title)


def _pupil(draw: Random, grade: int, number: str) -> Pupil:
    female = draw.random() < 0.48
    year, month, day = SCHOOL_YEAR - 5 - grade, draw.randint(1, 12), draw.randint(1, 28)
    gender_digit = 3 if female else 2
    return Pupil(
        full_name=names.person(draw, female=female),
        female=female,
        birth_date=f"{year}-{month:02d}-{day:02d}",
        personal_number=f"048{gender_digit}{year % 100:02d}{draw.randint(0, 9)}{number}",
        ministry_code=f"48{draw.randint(0, 999):03d}{number}",
        ethnicity=draw.choice(names.ETHNICITIES),
        address=f"{draw.randint(1, 300)} {draw.choice(names.STREETS)}, Đà Nẵng",
        father=names.person(draw, female=False),
        mother=names.person(draw, female=True),
        ability=min(1.0, max(0.58, draw.gauss(0.78, 0.12))),
    )


def _fates(plan: Plan) -> None:
    """A few who cannot be finished yet: one without a number per school, a retake in each secondary school, one missing mark."""
    for school in plan.schools:
        school.classes[0].pupils[1].fate = "no_personal_number"
        school.classes[0].pupils[1].personal_number = ""
        if school.level is not Level.PRIMARY:
            school.classes[1].pupils[2].fate = "retake"
    plan.schools[1].classes[2].pupils[3].fate = "missing_mark"
