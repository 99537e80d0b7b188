"""Facts as messages; what is personal goes in sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from google.protobuf.message import Message

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.envelope import Envelope
from services.enrollment.domain import facts
from services.enrollment.domain.school import Level
from services.enrollment.domain.staff import Appointment, Term

PUPILS_PER_EVENT = 200
"""A profile is about 1 KB, so a message stays far below the 512 KiB at which events are split."""

_LEVELS = {
    Level.PRIMARY: common_pb2.LEVEL_PRIMARY,
    Level.LOWER_SECONDARY: common_pb2.LEVEL_LOWER_SECONDARY,
    Level.UPPER_SECONDARY: common_pb2.LEVEL_UPPER_SECONDARY,
}
_TERMS = {Term.BOTH: common_pb2.TERM_UNSPECIFIED, Term.FIRST: common_pb2.TERM_1, Term.SECOND: common_pb2.TERM_2}


def events(fact: facts.Fact, envelope: Envelope) -> list[Message]:
    """The messages that tell a fact; what is personal goes in sealed."""
    match fact:
        case facts.SchoolRegistered():
            return [school_registered(fact)]
        case facts.ClassFormed():
            return [class_formed(fact)]
        case facts.StaffAppointed():
            return [_staff_appointed(fact, envelope)]
        case facts.TeachingAssigned():
            return [_teaching_assigned(fact)]
        case facts.PupilsEnrolled():
            parts = range(0, len(fact.standings), PUPILS_PER_EVENT)
            return [_pupils_enrolled(fact, fact.standings[start : start + PUPILS_PER_EVENT], envelope) for start in parts]
        case facts.PupilTransferred():
            return [_pupil_transferred(fact)]


def school_registered(fact: facts.SchoolRegistered) -> ev.SchoolRegistered:
    """A school on the wire."""
    school = fact.school
    return ev.SchoolRegistered(
        school_id=str(school.school_id),
        version=school.version,
        code=school.code,
        name=school.name,
        province_id=school.province_id,
        province_name=fact.province_name,
        commune_name=school.commune_name,
        levels=[_LEVELS[level] for level in Level if level in school.levels],
        valid_from=_iso(school.valid_from),
        valid_to=_iso(school.valid_to),
        predecessor_ids=sorted(str(school_id) for school_id in school.predecessors),
        public_school=school.public_school,
    )


def class_formed(fact: facts.ClassFormed) -> ev.ClassFormed:
    """A class on the wire."""
    formed = fact.school_class
    return ev.ClassFormed(
        school_id=str(formed.school_id),
        class_id=str(formed.class_id),
        version=formed.version,
        school_year=formed.school_year.first,
        grade=formed.grade,
        level=_LEVELS[formed.level],
        name=formed.name,
        homeroom_staff_id=str(formed.homeroom_staff_id) if formed.homeroom_staff_id else "",
        province_id=fact.province_id,
    )


def appointments(held: Sequence[Appointment]) -> list[ev.Appointment]:
    """Appointments on the wire."""
    return [
        ev.Appointment(
            role=each.role.value,
            valid_from=_iso(each.valid_from),
            valid_to=_iso(each.valid_to),
            acts_for_staff_id=str(each.acts_for) if each.acts_for else "",
            authority=each.authority,
        )
        for each in held
    ]


def _staff_appointed(fact: facts.StaffAppointed, envelope: Envelope) -> ev.StaffAppointed:
    member = fact.member
    event = ev.StaffAppointed(
        school_id=str(member.school_id),
        staff_id=str(member.staff_id),
        version=member.version,
        person_id=member.person_id,
        appointments=appointments(member.appointments),
    )
    envelope.seal(event, "profile", ev.StaffProfile(full_name=member.full_name))
    return event


def _teaching_assigned(fact: facts.TeachingAssigned) -> ev.TeachingAssigned:
    assignments = [ev.Assignment(subject=a.subject, staff_id=str(a.staff_id), responsible=a.responsible, term=_TERMS[a.term]) for a in fact.assignments]
    return ev.TeachingAssigned(school_id=str(fact.school_id), class_id=str(fact.class_id), version=fact.version, assignments=assignments)


def _pupils_enrolled(fact: facts.PupilsEnrolled, part: Sequence[facts.Standing], envelope: Envelope) -> ev.PupilsEnrolled:
    event = ev.PupilsEnrolled(
        school_id=str(fact.school_id), class_id=str(fact.class_id), school_year=fact.school_year, pupils=[pupil_ref(standing) for standing in part]
    )
    envelope.seal(event, "profiles", ev.PupilProfiles(profiles=[pupil_profile(standing) for standing in part]))
    return event


def _pupil_transferred(fact: facts.PupilTransferred) -> ev.PupilTransferred:
    source, target = fact.source, fact.target
    return ev.PupilTransferred(
        school_id=str(fact.told_to),
        pupil_id=str(fact.enrolment.pupil_id),
        school_year=fact.enrolment.school_year.first,
        version=fact.enrolment.version,
        from_school_id=str(source.school_id),
        from_class_id=str(source.class_id),
        to_school_id=str(target.school_id) if target else "",
        to_class_id=str(target.class_id) if target else "",
        transferred_on=_iso(fact.transferred_on),
        from_province_id=source.province_id,
        to_province_id=target.province_id if target else "",
        roll_number=fact.enrolment.roll_number if target else 0,
    )


def pupil_ref(standing: facts.Standing) -> ev.PupilRef:
    """A pupil without anything personal; the version is that of the place."""
    pupil, enrolment = standing.pupil, standing.enrolment
    return ev.PupilRef(
        pupil_id=str(pupil.pupil_id),
        version=enrolment.version,
        has_personal_number=pupil.has_personal_number,
        identity_state=pupil.identity.value,
        roll_number=enrolment.roll_number,
        absence_reason=pupil.absence.value if pupil.absence else "",
        missing_fields=pupil.profile.missing,
    )


def pupil_profile(standing: facts.Standing) -> ev.PupilProfile:
    """Everything personal of a pupil; leaves the service only sealed, or to whoever may see the class."""
    pupil, profile = standing.pupil, standing.pupil.profile
    return ev.PupilProfile(
        pupil_id=str(pupil.pupil_id),
        full_name=profile.full_name,
        gender=profile.gender.value,
        birth_date=_iso(profile.born_on),
        birth_place=profile.birth_place,
        ethnicity=profile.ethnicity,
        nationality=profile.nationality,
        address=profile.address,
        home_town=profile.home_town,
        father_name=profile.father_name,
        mother_name=profile.mother_name,
        guardian_name=profile.guardian_name,
        personal_number=pupil.personal_number,
        ministry_code=profile.ministry_code,
        register_number=profile.register_number,
        enrolled_on=_iso(profile.enrolled_on),
        policy_category=profile.policy_category,
        disability_not_assessed=profile.disability_not_assessed,
    )


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
