"""
A nation of schools, classes and pupils in the proportions of 2025-2026: 34 provinces, 26,000 schools, 460,000 classes, 18 million pupils.

Everything follows from the seed and the number of pupils. No person is modelled: a pupil is an id, and what has happened to the transcript.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from uuid import UUID

YEAR = 2025
PUPILS, CLASSES, SCHOOLS, PROVINCES = 18_000_000, 460_000, 26_000, 34
STAGES = ("enrolled", "sealed", "approved", "homeroom_signed", "principal_signed", "school_sealed", "archived")
"""How far a class has come; each includes those before."""
_STAGE_WEIGHTS = (5, 5, 5, 5, 5, 5, 70)
KINDS = ("plain", "unchecked", "contradictory", "no_number", "retake", "unsigned", "refused")
"""How a pupil differs from the others of the class."""
_KIND_WEIGHTS = (900, 50, 10, 12, 20, 4, 4)
DAYS = 10
"""The last days of May, on which classes are sealed."""
_GRADES = ((1, 2, 3, 4, 5), (6, 7, 8, 9), (10, 11, 12))
_LEVEL_WEIGHTS = (55, 34, 11)


@dataclass(frozen=True, slots=True)
class School:
    """A school of one level."""

    school_id: str
    province_id: str
    name: str
    grades: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Class:
    """A class, how far it is, and its pupils by kind."""

    class_id: str
    school: School
    name: str
    grade: int
    stage: int
    day: int
    pupils: tuple[str, ...]
    kinds: tuple[str, ...]


def provinces(count: int) -> list[str]:
    """Ids of so many provinces of the catalogue of 2025; codes are numbers of our own where the nation has other ones."""
    return [f"2025-{number:02d}" for number in range(1, count + 1)]


def nation(pupils: int = PUPILS, seed: int = 1) -> Iterator[Class]:
    """Every class, school by school and province by province; together they have exactly `pupils` pupils."""
    chance = Random(f"{seed}/{pupils}")  # noqa: S311 - the same nation for the same seed
    mark = chance.getrandbits(48)
    classes = max(1, round(pupils * CLASSES / PUPILS))
    schools = max(1, round(pupils * SCHOOLS / PUPILS))
    places = provinces(min(PROVINCES, schools))
    made = number = 0
    for index in range(schools):
        school_id = _id(1, index, 0, mark)
        grades = chance.choices(_GRADES, _LEVEL_WEIGHTS)[0]
        school = School(school_id, places[index * len(places) // schools], f"Trường số {index + 1}", grades)
        for ordinal in range(classes * (index + 1) // schools - classes * index // schools):
            number += 1
            size = pupils * number // classes - made
            grade = grades[ordinal % len(grades)]
            stage = chance.choices(range(len(STAGES)), _STAGE_WEIGHTS)[0]
            ids = tuple(_id(3, number, place, mark) for place in range(size))
            kinds = tuple(chance.choices(KINDS, _KIND_WEIGHTS, k=size))
            yield Class(_id(2, number, 0, mark), school, f"{grade}A{ordinal // len(grades) + 1}", grade, stage, chance.randrange(DAYS), ids, kinds)
            made += size


def _id(kind: int, number: int, place: int, mark: int) -> str:
    """A UUID in order of number and place, as the ids of version 7 that services make are in order of time."""
    return str(UUID(int=kind << 124 | number << 96 | place << 80 | 7 << 76 | 1 << 63 | mark))
