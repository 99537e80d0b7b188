"""First act: the department registers the schools, their offices appoint, form classes and enrol."""

import io
from collections.abc import AsyncIterator

from openpyxl import Workbook

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2, events_pb2
from services.chassis.errors import Refused
from services.grading.domain.terms import Level
from services.rehearsal.doors import Doors, Metadata, all_of, new_id
from services.rehearsal.plan import PROVINCE, SCHOOL_YEAR, Pupil, School, SchoolClass, Staff
from services.rehearsal.progress import Step

YEAR_BEGINS = f"{SCHOOL_YEAR}-09-05"
LEVELS = {
    Level.PRIMARY: common_pb2.LEVEL_PRIMARY,
    Level.LOWER_SECONDARY: common_pb2.LEVEL_LOWER_SECONDARY,
    Level.UPPER_SECONDARY: common_pb2.LEVEL_UPPER_SECONDARY,
}
_CHUNK = 64 * 1024


async def register(doors: Doors, officer: Metadata, school: School, step: Step) -> None:
    """The school, everybody who works there, its classes, and who teaches what."""
    request = enrollment_pb2.RegisterSchoolRequest(
        request_id=new_id(),
        code=school.code,
        name=school.name,
        province_id=PROVINCE,
        commune_name="Phường Hải Châu",
        levels=[LEVELS[school.level]],
        valid_from="2010-08-01",
        public_school=True,
    )
    school.school_id = (await doors.enrollment.RegisterSchool(request, metadata=officer)).school_id
    step.advance()
    await all_of(_appoint(doors, officer, school, member, step) for member in (school.principal, school.registrar))
    office = as_registrar(doors, school)
    others = [member for member in school.staff() if not member.staff_id]
    await all_of(_appoint(doors, office, school, member, step) for member in others)
    await all_of(_form(doors, office, school, school_class, step) for school_class in school.classes)


def as_registrar(doors: Doors, school: School) -> Metadata:
    return doors.as_(school.registrar.person_id, f"registrar@school:{school.school_id}")


async def _appoint(doors: Doors, by: Metadata, school: School, member: Staff, step: Step) -> None:
    appointments = [events_pb2.Appointment(role=role, valid_from=YEAR_BEGINS) for role in member.roles]
    if "vice_principal" in member.roles:
        appointments[0].acts_for_staff_id = school.principal.staff_id
        appointments[0].authority = "12/QĐ-UQ"
    request = enrollment_pb2.AppointStaffRequest(
        request_id=new_id(), school_id=school.school_id, person_id=member.person_id, full_name=member.full_name, appointments=appointments
    )
    member.staff_id = (await doors.enrollment.AppointStaff(request, metadata=by)).staff_id
    step.advance()


async def _form(doors: Doors, office: Metadata, school: School, school_class: SchoolClass, step: Step) -> None:
    formed = await doors.enrollment.FormClass(
        enrollment_pb2.FormClassRequest(
            request_id=new_id(),
            school_id=school.school_id,
            school_year=SCHOOL_YEAR,
            grade=school_class.grade,
            name=school_class.name,
            homeroom_staff_id=school_class.homeroom.staff_id,
        ),
        metadata=office,
    )
    school_class.class_id = formed.class_id
    assignments = [events_pb2.Assignment(subject=code, staff_id=teacher.staff_id, responsible=True) for code, teacher in school_class.teaching.items()]
    request = enrollment_pb2.AssignTeachingRequest(request_id=new_id(), school_id=school.school_id, class_id=school_class.class_id, assignments=assignments)
    await doors.enrollment.AssignTeaching(request, metadata=office)
    step.advance()


async def enrol(doors: Doors, school: School, step: Step) -> None:
    """The primary school brings its Ministry workbook, the others type the pupils in, class by class."""
    office = as_registrar(doors, school)
    if school.level is Level.PRIMARY:
        await _import(doors, office, school, step)
    else:
        for school_class in school.classes:
            await _type_in(doors, office, school, school_class, step)


async def _type_in(doors: Doors, office: Metadata, school: School, school_class: SchoolClass, step: Step) -> None:
    pupils = [_profile(pupil) for pupil in school_class.pupils]
    request = enrollment_pb2.EnrolPupilsRequest(request_id=new_id(), school_id=school.school_id, class_id=school_class.class_id, pupils=pupils)
    answer = await doors.enrollment.EnrolPupils(request, metadata=office)
    _no_faults(school_class.name, answer.faults)
    for pupil, ref in zip(school_class.pupils, answer.pupils, strict=True):
        pupil.pupil_id = ref.pupil_id
    step.advance(len(pupils))


def _profile(pupil: Pupil) -> events_pb2.PupilProfile:
    return events_pb2.PupilProfile(
        full_name=pupil.full_name,
        gender="female" if pupil.female else "male",
        birth_date=pupil.birth_date,
        birth_place="Đà Nẵng",
        ethnicity=pupil.ethnicity,
        nationality="Việt Nam",
        address=pupil.address,
        home_town="Đà Nẵng",
        father_name=pupil.father,
        mother_name=pupil.mother,
        personal_number=pupil.personal_number,
        ministry_code=pupil.ministry_code,
        enrolled_on=YEAR_BEGINS,
    )


async def _import(doors: Doors, office: Metadata, school: School, step: Step) -> None:
    content = workbook(school)

    async def parts() -> AsyncIterator[enrollment_pb2.ImportRosterRequest]:
        header = enrollment_pb2.ImportRosterRequest.Header(
            request_id=new_id(), school_id=school.school_id, school_year=SCHOOL_YEAR, file_name="danh-sach-hoc-sinh.xlsx"
        )
        yield enrollment_pb2.ImportRosterRequest(header=header)
        for start in range(0, len(content), _CHUNK):
            yield enrollment_pb2.ImportRosterRequest(chunk=content[start : start + _CHUNK])

    taken = 0
    async for answer in doors.enrollment.ImportRoster(parts(), metadata=office, timeout=120):
        _no_faults(school.name, answer.faults)
        step.advance(answer.rows_taken - taken)
        taken = answer.rows_taken
    for school_class in school.classes:
        listed = await doors.enrollment.ListPupils(
            enrollment_pb2.ListPupilsRequest(school_id=school.school_id, class_id=school_class.class_id), metadata=office
        )
        by_code = {profile.ministry_code: profile.pupil_id for profile in listed.pupils}
        for pupil in school_class.pupils:
            pupil.pupil_id = by_code[pupil.ministry_code]


def workbook(school: School) -> bytes:
    """The school's pupils under the headings of the Ministry's export."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(
        [
            "STT",
            "Mã định danh Bộ GD&ĐT",
            "Họ tên",
            "Ngày sinh",
            "Giới tính",
            "Dân tộc",
            "Trạng thái",
            "Số định danh cá nhân",
            "Lớp học",
            "Khối học",
            "Nơi sinh",
            "Họ tên cha",
            "Họ tên mẹ",
        ]
    )
    number = 0
    for school_class in school.classes:
        for pupil in school_class.pupils:
            number += 1
            year, month, day = pupil.birth_date.split("-")
            about = (pupil.ministry_code, pupil.full_name, f"{day}/{month}/{year}", "Nữ" if pupil.female else "Nam", pupil.ethnicity)
            place = (pupil.personal_number, school_class.name, f"Khối {school_class.grade}", "Đà Nẵng", pupil.father, pupil.mother)
            sheet.append([number, *about, "Đang học", *place])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _no_faults(where: str, faults: object) -> None:
    bad = [fault for fault in faults if not fault.warning]  # type: ignore[attr-defined]  # A repeated field of RowFault.
    if bad:
        raise Refused(f"{where}: row {bad[0].row}, {bad[0].column}: {bad[0].problem}; {bad[0].cure}")
