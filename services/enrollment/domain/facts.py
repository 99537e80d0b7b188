"""What enrollment tells the others, in its own words; `contracts` puts each into a message. Higher versions replace lower ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.enrollment.domain.enrolment import Enrolment, Place
from services.enrollment.domain.pupil import Pupil
from services.enrollment.domain.school import School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.staff import Assignment, StaffMember


@dataclass(frozen=True, slots=True)
class SchoolRegistered:
    """A school exists, changed, or was closed."""

    school: School
    province_name: str


@dataclass(frozen=True, slots=True)
class ClassFormed:
    """A class was formed or changed."""

    school_class: SchoolClass
    province_id: str


@dataclass(frozen=True, slots=True)
class StaffAppointed:
    """A member of staff and all appointments."""

    member: StaffMember


@dataclass(frozen=True, slots=True)
class TeachingAssigned:
    """All assignments of a class."""

    school_id: UUID
    class_id: UUID
    version: int
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A pupil with his place in one school year."""

    pupil: Pupil
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class PupilsEnrolled:
    """Pupils joined a class, or their details changed; all of one class."""

    school_id: UUID
    class_id: UUID
    school_year: int
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class PupilTransferred:
    """A pupil moved; told once under each school's key."""

    told_to: UUID
    enrolment: Enrolment
    source: Place
    target: Place | None
    transferred_on: date


Fact = SchoolRegistered | ClassFormed | StaffAppointed | TeachingAssigned | PupilsEnrolled | PupilTransferred


def by_class(standings: list[Standing]) -> list[PupilsEnrolled]:
    """Give one fact per class, in the order in which the classes first appear."""
    grouped: dict[tuple[UUID, UUID, int], list[Standing]] = {}
    for standing in standings:
        place, year = standing.enrolment.place, standing.enrolment.school_year.first
        grouped.setdefault((place.school_id, place.class_id, year), []).append(standing)
    return [PupilsEnrolled(school, of_class, year, tuple(members)) for (school, of_class, year), members in grouped.items()]
