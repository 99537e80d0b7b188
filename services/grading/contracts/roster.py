"""Enrollment's events as facts of grading's roster. Sealed parts are opened here and nowhere else."""

from __future__ import annotations

from datetime import date

from hocba.enrollment.v1 import events_pb2 as enrollment
from services.chassis.envelope import Envelope
from services.chassis.errors import Malformed
from services.grading.application.ports import Enrolment, FormedClass, School, Staff, Teaching, Transfer

_PRINTED = (
    "gender",
    "birth_date",
    "birth_place",
    "ethnicity",
    "nationality",
    "address",
    "home_town",
    "father_name",
    "mother_name",
    "guardian_name",
    "personal_number",
    "ministry_code",
    "register_number",
    "enrolled_on",
    "policy_category",
)


def school(event: enrollment.SchoolRegistered) -> School:
    """A school as it is called now."""
    return School(event.school_id, event.version, event.code, event.name, event.commune_name, event.province_id, event.province_name)


def staff(event: enrollment.StaffAppointed, envelope: Envelope) -> Staff:
    """A member of staff with the name that is printed."""
    profile = envelope.open(event.profile, enrollment.StaffProfile)
    roles = tuple(sorted({appointment.role for appointment in event.appointments}))
    return Staff(event.staff_id, event.school_id, event.version, event.person_id, profile.full_name, roles)


def formed_class(event: enrollment.ClassFormed) -> FormedClass:
    """A class."""
    return FormedClass(
        event.class_id,
        event.school_id,
        event.province_id,
        event.version,
        event.school_year,
        event.grade,
        event.name,
        event.homeroom_staff_id,
    )


def teaching(event: enrollment.TeachingAssigned) -> Teaching:
    """Who teaches what."""
    assignments = tuple((a.subject, a.staff_id, a.responsible) for a in event.assignments)
    return Teaching(event.class_id, event.version, assignments)


def enrolments(event: enrollment.PupilsEnrolled, envelope: Envelope) -> list[Enrolment]:
    """Pupils of one class with their profiles; Malformed when the sealed part doesn't match the open one."""
    profiles = envelope.open(event.profiles, enrollment.PupilProfiles).profiles
    if [profile.pupil_id for profile in profiles] != [pupil.pupil_id for pupil in event.pupils]:
        raise Malformed(f"class {event.class_id}: profiles are not those of the pupils listed; send them in one order", code="profiles_mismatch")
    return [
        Enrolment(
            pupil_id=pupil.pupil_id,
            school_year=event.school_year,
            version=pupil.version,
            school_id=event.school_id,
            class_id=event.class_id,
            roll_number=pupil.roll_number,
            full_name=profile.full_name,
            has_personal_number=pupil.has_personal_number,
            individual_plan=profile.disability_not_assessed,
            profile={name: getattr(profile, name) for name in _PRINTED},
        )
        for pupil, profile in zip(event.pupils, profiles, strict=True)
    ]


def transfer(event: enrollment.PupilTransferred) -> Transfer:
    """A pupil's move; both copies of the event say the same."""
    return Transfer(
        event.pupil_id,
        event.school_year,
        event.version,
        event.to_school_id,
        event.to_class_id,
        event.roll_number,
        date.fromisoformat(event.transferred_on),
    )
