"""Answers of use cases as responses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.enrollment.application import enrol_pupils, import_roster, merge_schools, transfer_pupil, verify_identities
from services.enrollment.application.read_roster import PupilHistory
from services.enrollment.contracts.events import appointments, class_formed, pupil_profile, pupil_ref, school_registered
from services.enrollment.domain import facts
from services.enrollment.domain.provinces import Province
from services.enrollment.domain.roster_row import RowFault
from services.enrollment.domain.staff import StaffMember


def enrol_answer(answer: enrol_pupils.Answer) -> pb.EnrolPupilsResponse:
    """References in the order of the request, and the faults."""
    refs = [
        ev.PupilRef(
            pupil_id=r.pupil_id,
            version=r.version,
            has_personal_number=r.has_personal_number,
            identity_state=r.identity_state,
            roll_number=r.roll_number,
            absence_reason=r.absence_reason,
            missing_fields=r.missing_fields,
        )
        for r in answer.refs
    ]
    return pb.EnrolPupilsResponse(pupils=refs, faults=row_faults(answer.faults))


def row_faults(found: Sequence[RowFault]) -> list[pb.RowFault]:
    """Faults on the wire."""
    return [pb.RowFault(row=f.row, column=f.column, problem=f.problem, cure=f.cure, warning=f.warning) for f in found]


def import_answer(progress: import_roster.Progress, file_sha256: bytes) -> pb.ImportRosterResponse:
    """How far an import came."""
    return pb.ImportRosterResponse(
        rows_read=progress.rows_read,
        rows_taken=progress.rows_taken,
        rows_unchanged=progress.rows_unchanged,
        rows_refused=progress.rows_refused,
        rows_resumed=progress.rows_resumed,
        faults=row_faults(progress.faults),
        done=progress.done,
        file_sha256=file_sha256 if progress.done else b"",
    )


def merge_answer(answer: merge_schools.Answer) -> pb.MergeSchoolsResponse:
    """The successor's version and how much moved."""
    return pb.MergeSchoolsResponse(version=answer.version, classes_moved=answer.classes_moved, pupils_moved=answer.pupils_moved)


def verify_answer(answer: verify_identities.Answer) -> pb.VerifyIdentitiesResponse:
    """Counts of identity checks."""
    return pb.VerifyIdentitiesResponse(matched=answer.matched, mismatched=answer.mismatched, unknown=answer.unknown, skipped=answer.skipped)


def transfer_answer(answer: transfer_pupil.Answer) -> pb.TransferPupilResponse:
    """Where a transfer stands."""
    return pb.TransferPupilResponse(pupil=pupil_ref(answer.standing), transfer_id=str(answer.transfer_id), state=answer.state.value)


def class_list(found: Sequence[facts.ClassFormed]) -> pb.ListClassesResponse:
    """Classes of a school."""
    return pb.ListClassesResponse(classes=[class_formed(each) for each in found])


def pupil_list(found: Sequence[facts.Standing]) -> pb.ListPupilsResponse:
    """Pupils of a class, with everything that its school may see."""
    return pb.ListPupilsResponse(pupils=[pupil_profile(each) for each in found], refs=[pupil_ref(each) for each in found])


def staff_list(found: Sequence[StaffMember]) -> pb.ListStaffResponse:
    """Staff of a school."""
    members = [
        pb.ListStaffResponse.Member(
            staff_id=str(member.staff_id),
            person_id=member.person_id,
            full_name=member.full_name,
            appointments=appointments(member.appointments),
            version=member.version,
        )
        for member in found
    ]
    return pb.ListStaffResponse(staff=members)


def school_list(found: Sequence[facts.SchoolRegistered]) -> pb.ListSchoolsResponse:
    """A page of schools."""
    return pb.ListSchoolsResponse(schools=[school_registered(each) for each in found])


def province_list(found: Sequence[tuple[Province, date]]) -> pb.ListProvincesResponse:
    """Provinces of a day, named as on that day."""
    listed = []
    for province, day in found:
        style = province.style_on(day)
        listed.append(
            pb.ListProvincesResponse.Province(
                province_id=province.province_id,
                code=province.code,
                name=style.name,
                kind=style.kind.value,
                title=style.title,
                successor_id=province.successor_id or "",
            )
        )
    return pb.ListProvincesResponse(provinces=listed)


def pupil_history(found: PupilHistory) -> pb.GetPupilResponse:
    """A pupil with places and numbers."""
    newest = facts.Standing(found.pupil, found.places[-1][0])
    places = [
        pb.PlaceInYear(
            school_year=enrolment.school_year.first,
            school_id=str(enrolment.place.school_id),
            class_id=str(enrolment.place.class_id),
            joined_on=enrolment.joined_on.isoformat(),
            left_on=left_on.isoformat() if left_on else "",
        )
        for enrolment, left_on in found.places
    ]
    numbers = [
        pb.NumberInTime(personal_number=each.personal_number, recorded_at=each.valid_from.astimezone(UTC).isoformat(), reason=each.reason)
        for each in found.numbers
    ]
    return pb.GetPupilResponse(profile=pupil_profile(newest), ref=pupil_ref(newest), places=places, numbers=numbers)
