"""Requests as commands. Texts that can't be read are refused with what, where and how to mend it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from google.protobuf.message import Message

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.identity import Actor
from services.chassis.requests import digest_for
from services.enrollment.application import (
    appoint_staff,
    assign_teaching,
    correct_personal_number,
    enrol_pupils,
    form_class,
    import_roster,
    merge_schools,
    register_school,
    transfer_pupil,
    verify_identities,
    withdraw_transfer,
)
from services.enrollment.application.ports import Once
from services.enrollment.domain.authority import Caller
from services.enrollment.domain.personal_number import Gender
from services.enrollment.domain.pupil import Profile
from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.school import Level
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.staff import Appointment, Assignment, StaffRole, Term

_LEVELS = {
    common_pb2.LEVEL_PRIMARY: Level.PRIMARY,
    common_pb2.LEVEL_LOWER_SECONDARY: Level.LOWER_SECONDARY,
    common_pb2.LEVEL_UPPER_SECONDARY: Level.UPPER_SECONDARY,
}
_TERMS = {common_pb2.TERM_UNSPECIFIED: Term.BOTH, common_pb2.TERM_1: Term.FIRST, common_pb2.TERM_2: Term.SECOND}


def uuid_of(text: str, field: str) -> UUID:
    """Read an id; refuse what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("id_unreadable", f"{field}: '{text[:40]}' không phải UUID.") from None


def optional_uuid(text: str, field: str) -> UUID | None:
    """Read an id that may be empty."""
    return uuid_of(text, field) if text else None


def date_of(text: str, field: str) -> date:
    """Read an ISO date; refuse what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("date_unreadable", f"{field}: '{text[:20]}' không phải ngày dạng YYYY-MM-DD.") from None


def optional_date(text: str, field: str) -> date | None:
    """Read an ISO date that may be empty."""
    return date_of(text, field) if text else None


def caller(actor: Actor) -> Caller:
    """The actor of the chassis, as the rules see him."""
    return Caller(actor.account_id, frozenset((role.name, role.scope) for role in actor.roles), bool(actor.service))


def once(request: Message, actor: Actor) -> Once:
    """The request's id and the digest of all that it asks, and who asks."""
    return Once(getattr(request, "request_id"), digest_for(request, request.DESCRIPTOR.name, actor))  # noqa: B009  # Every writing request has the field.


def register_school_command(request: pb.RegisterSchoolRequest, actor: Actor) -> register_school.Command:
    """A school as it shall stand."""
    return register_school.Command(
        once=once(request, actor),
        caller=caller(actor),
        school_id=optional_uuid(request.school_id, "school_id"),
        code=request.code.strip(),
        name=request.name.strip(),
        province_id=request.province_id,
        commune_name=request.commune_name.strip(),
        levels=frozenset(_LEVELS[level] for level in request.levels if level in _LEVELS),
        valid_from=date_of(request.valid_from, "valid_from"),
        valid_to=optional_date(request.valid_to, "valid_to"),
        predecessors=frozenset(uuid_of(text, "predecessor_ids") for text in request.predecessor_ids),
        public_school=request.public_school,
    )


def merge_schools_command(request: pb.MergeSchoolsRequest, actor: Actor) -> merge_schools.Command:
    """Which schools end in which other one."""
    return merge_schools.Command(
        once=once(request, actor),
        caller=caller(actor),
        successor_id=uuid_of(request.successor_id, "successor_id"),
        predecessor_ids=[uuid_of(text, "predecessor_ids") for text in request.predecessor_ids],
        merged_on=date_of(request.merged_on, "merged_on"),
        moves_from=SchoolYear(request.moves_from_school_year) if request.moves_from_school_year else None,
    )


def form_class_command(request: pb.FormClassRequest, actor: Actor) -> form_class.Command:
    """A class as it shall stand."""
    return form_class.Command(
        once=once(request, actor),
        caller=caller(actor),
        class_id=optional_uuid(request.class_id, "class_id"),
        school_id=uuid_of(request.school_id, "school_id"),
        school_year=SchoolYear(request.school_year),
        grade=request.grade,
        name=request.name.strip(),
        homeroom_staff_id=optional_uuid(request.homeroom_staff_id, "homeroom_staff_id"),
    )


def appoint_staff_command(request: pb.AppointStaffRequest, actor: Actor) -> appoint_staff.Command:
    """A member of staff with all appointments."""
    return appoint_staff.Command(
        once=once(request, actor),
        caller=caller(actor),
        staff_id=optional_uuid(request.staff_id, "staff_id"),
        school_id=uuid_of(request.school_id, "school_id"),
        person_id=request.person_id,
        full_name=request.full_name.strip(),
        appointments=tuple(_appointment(each) for each in request.appointments),
    )


def _appointment(told: ev.Appointment) -> Appointment:
    try:
        role = StaffRole(told.role)
    except ValueError:
        known = ", ".join(role.value for role in StaffRole)
        raise Invalid("role_unknown", f"appointments.role: '{told.role[:40]}' không có; dùng một trong: {known}.") from None
    starts, ends = date_of(told.valid_from, "appointments.valid_from"), optional_date(told.valid_to, "appointments.valid_to")
    return Appointment(role, starts, ends, optional_uuid(told.acts_for_staff_id, "acts_for_staff_id"), told.authority)


def assign_teaching_command(request: pb.AssignTeachingRequest, actor: Actor) -> assign_teaching.Command:
    """All assignments of a class."""
    assignments = (
        Assignment(a.subject, uuid_of(a.staff_id, "assignments.staff_id"), a.responsible, _TERMS.get(a.term, Term.BOTH)) for a in request.assignments
    )
    return assign_teaching.Command(
        once(request, actor), caller(actor), uuid_of(request.school_id, "school_id"), uuid_of(request.class_id, "class_id"), tuple(assignments)
    )


def enrol_pupils_command(request: pb.EnrolPupilsRequest, actor: Actor) -> enrol_pupils.Command:
    """Pupils of one class."""
    pupils = [enrol_pupils.Told(optional_uuid(p.pupil_id, "pupil_id"), _profile(p), p.personal_number) for p in request.pupils]
    return enrol_pupils.Command(once(request, actor), caller(actor), uuid_of(request.school_id, "school_id"), uuid_of(request.class_id, "class_id"), pupils)


def _profile(told: ev.PupilProfile) -> Profile:
    return Profile(
        full_name=told.full_name,
        gender=Gender(told.gender) if told.gender in set(Gender) else Gender.UNKNOWN,
        born_on=optional_date(told.birth_date, "birth_date"),
        birth_place=told.birth_place,
        ethnicity=told.ethnicity,
        nationality=told.nationality,
        address=told.address,
        home_town=told.home_town,
        father_name=told.father_name,
        mother_name=told.mother_name,
        guardian_name=told.guardian_name,
        policy_category=told.policy_category,
        disability_not_assessed=told.disability_not_assessed,
        ministry_code=told.ministry_code,
        register_number=told.register_number,
        enrolled_on=optional_date(told.enrolled_on, "enrolled_on"),
    )


def import_command(header: pb.ImportRosterRequest.Header, actor: Actor) -> import_roster.Command:
    """A file, and where its rows go; the province is the caller's own when no school is named."""
    provinces = actor.scoped("province")
    return import_roster.Command(
        job_id=uuid_of(header.request_id, "request_id"),
        caller=caller(actor),
        school_id=optional_uuid(header.school_id, "school_id"),
        province_id=provinces[0] if provinces else "",
        school_year=SchoolYear(header.school_year),
        dry_run=header.dry_run,
        form_classes=header.form_classes,
    )


def correct_personal_number_command(request: pb.CorrectPersonalNumberRequest, actor: Actor) -> correct_personal_number.Command:
    """The number that is right, and why."""
    school_id, pupil_id = uuid_of(request.school_id, "school_id"), uuid_of(request.pupil_id, "pupil_id")
    return correct_personal_number.Command(once(request, actor), caller(actor), school_id, pupil_id, request.personal_number.strip(), request.reason.strip())


def verify_identities_command(request: pb.VerifyIdentitiesRequest, actor: Actor) -> verify_identities.Command:
    """Pupils of a class or of the whole school."""
    return verify_identities.Command(once(request, actor), caller(actor), uuid_of(request.school_id, "school_id"), optional_uuid(request.class_id, "class_id"))


def transfer_pupil_command(request: pb.TransferPupilRequest, actor: Actor) -> transfer_pupil.Command:
    """A move as one side wants it."""
    return transfer_pupil.Command(
        once=once(request, actor),
        caller=caller(actor),
        pupil_id=uuid_of(request.pupil_id, "pupil_id"),
        school_year=SchoolYear(request.school_year),
        to_school_id=optional_uuid(request.to_school_id, "to_school_id"),
        to_class_id=optional_uuid(request.to_class_id, "to_class_id"),
        transferred_on=date_of(request.transferred_on, "transferred_on"),
        reason=request.reason.strip(),
        seen_version=request.seen_version,
    )


def withdraw_transfer_command(request: pb.WithdrawTransferRequest, actor: Actor) -> withdraw_transfer.Command:
    """A transfer that shall not be."""
    return withdraw_transfer.Command(once(request, actor), caller(actor), uuid_of(request.transfer_id, "transfer_id"))
