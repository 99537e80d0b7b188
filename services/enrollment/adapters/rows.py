"""Rows of the database as domain objects, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.enrollment.domain.enrolment import Agreement, Enrolment, Place, Transfer
from services.enrollment.domain.facts import Standing
from services.enrollment.domain.personal_number import Absence, Gender
from services.enrollment.domain.pupil import IdentityState, Profile, Pupil
from services.enrollment.domain.roster_plan import Known
from services.enrollment.domain.school import Level, School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.vietnamese import name_key

Row = Mapping[str, Any]


def school(row: Row) -> School:
    """Give the school of a row that has `predecessors` too."""
    return School(
        school_id=row["school_id"],
        code=row["code"],
        name=row["name"],
        province_id=row["province_id"],
        commune_name=row["commune_name"],
        levels=frozenset(Level(level) for level in row["levels"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        predecessors=frozenset(row["predecessors"]),
        public_school=row["public_school"],
        version=row["version"],
    )


def school_class(row: Row) -> SchoolClass:
    """Give the class of a row."""
    return SchoolClass(row["class_id"], row["school_id"], SchoolYear(row["school_year"]), row["grade"], row["name"], row["homeroom_staff_id"], row["version"])


def profile(row: Row) -> Profile:
    """Give the profile of a pupil's row."""
    return Profile(
        full_name=row["full_name"],
        gender=Gender(row["gender"]),
        born_on=row["born_on"],
        birth_place=row["birth_place"],
        ethnicity=row["ethnicity"],
        nationality=row["nationality"],
        address=row["address"],
        home_town=row["home_town"],
        father_name=row["father_name"],
        mother_name=row["mother_name"],
        guardian_name=row["guardian_name"],
        policy_category=row["policy_category"],
        disability_not_assessed=row["disability_not_assessed"],
        ministry_code=row["ministry_code"],
        register_number=row["register_number"],
        enrolled_on=row["enrolled_on"],
    )


def pupil(row: Row) -> Pupil:
    """Give the pupil of a row."""
    return Pupil(row["pupil_id"], profile(row), row["personal_number"], _absence(row), IdentityState(row["identity_state"]), row["version"])


def enrolment(row: Row) -> Enrolment:
    """Give the place of a row whose columns carry `place_` where both tables have them."""
    place = Place(row["place_school"], row["class_id"], row["place_province"])
    year = SchoolYear(row["school_year"])
    return Enrolment(row["pupil_id"], year, place, row["roll_number"], row["joined_on"], row["left_on"], row["enrolment_version"])


def standing(row: Row) -> Standing:
    """Give pupil and place of a row."""
    return Standing(pupil(row), enrolment(row))


def known(row: Row) -> Known:
    """Give what the import knows of a pupil; without a place in the year, the school is the present one."""
    return Known(
        pupil_id=row["pupil_id"],
        profile=profile(row),
        personal_number=row["personal_number"],
        absence=_absence(row),
        version=row["version"],
        school_id=row["enrolled_school"] or row["school_id"],
        class_id=row["class_id"],
        enrolment_version=row["enrolment_version"],
        roll_number=row["roll_number"],
        left=row["left_on"] is not None,
        identity=IdentityState(row["identity_state"]),
        joined_on=row["joined_on"],
        home_school_id=row["school_id"],
    )


def transfer(row: Row) -> Transfer:
    """Give the transfer of a row."""
    source, target = row["source_agreed_by"], row["target_agreed_by"]
    return Transfer(
        transfer_id=row["transfer_id"],
        pupil_id=row["pupil_id"],
        school_year=SchoolYear(row["school_year"]),
        source=Place(row["from_school_id"], row["from_class_id"], row["from_province_id"]),
        target_school_id=row["to_school_id"],
        target_class_id=row["to_class_id"],
        transferred_on=row["transferred_on"],
        reason=row["reason"],
        source_agreed=Agreement(source, row["source_agreed_at"]) if source else None,
        target_agreed=Agreement(target, row["target_agreed_at"]) if target else None,
    )


def pupil_columns(pupils: Sequence[Pupil]) -> list[list[Any]]:
    """Give the columns from full_name to version, in the order of the statements."""
    profiles = [p.profile for p in pupils]
    return [
        [p.full_name for p in profiles],
        [name_key(p.full_name) for p in profiles],
        [p.gender.value for p in profiles],
        [p.born_on for p in profiles],
        [p.birth_place for p in profiles],
        [p.ethnicity for p in profiles],
        [p.nationality for p in profiles],
        [p.address for p in profiles],
        [p.home_town for p in profiles],
        [p.father_name for p in profiles],
        [p.mother_name for p in profiles],
        [p.guardian_name for p in profiles],
        [p.policy_category for p in profiles],
        [p.disability_not_assessed for p in profiles],
        [p.ministry_code for p in profiles],
        [p.register_number for p in profiles],
        [p.enrolled_on for p in profiles],
        [p.personal_number for p in pupils],
        [p.absence.value if p.absence else None for p in pupils],
        [p.identity.value for p in pupils],
        [p.version for p in pupils],
    ]


def enrolment_columns(enrolments: Sequence[Enrolment]) -> list[list[Any]]:
    """Give the columns of places, in the order of the statement."""
    return [
        [e.pupil_id for e in enrolments],
        [e.school_year.first for e in enrolments],
        [e.place.school_id for e in enrolments],
        [e.place.province_id for e in enrolments],
        [e.place.class_id for e in enrolments],
        [e.roll_number for e in enrolments],
        [e.joined_on for e in enrolments],
        [e.left_on for e in enrolments],
        [e.version for e in enrolments],
    ]


def _absence(row: Row) -> Absence | None:
    return Absence(row["absence"]) if row["absence"] is not None else None
