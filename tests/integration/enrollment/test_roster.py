"""Schools, classes, staff and pupils on a real database: what is told to others, and what a repeat changes."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, Refused
from services.enrollment.adapters.pupils import PostgresPupils
from services.enrollment.adapters.transactions import QUERIES
from services.enrollment.domain.refusals import Overtaken
from services.enrollment.domain.school_year import SchoolYear
from tests.integration.enrollment.house import YEAR, House, actor, new_id, office, profile


async def test_a_class_of_pupils_is_one_sealed_message(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    answer = await house.enrol(school, of_class, *(profile(n) for n in range(35)))
    assert [f for f in answer.faults if not f.warning] == []
    assert [ref.roll_number for ref in answer.pupils] == list(range(1, 36))
    (event,) = house.events(ev.PupilsEnrolled)
    assert list(event.pupils) == list(answer.pupils)
    assert (event.school_id, event.class_id, event.school_year) == (school, of_class, YEAR)
    opened = house.envelope.open(event.profiles, ev.PupilProfiles)
    assert [p.full_name for p in opened.profiles] == [profile(n).full_name for n in range(35)]
    assert profile(0).full_name.encode() not in event.SerializeToString()


async def test_a_repeated_request_id_answers_as_the_first_time_and_changes_nothing(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    request = pb.EnrolPupilsRequest(request_id=new_id(), school_id=school, class_id=of_class, pupils=[profile(1), profile(2, personal_number="123")])
    first = await house.call(office(school), house.rpc.EnrolPupils, request)
    assert await house.call(office(school), house.rpc.EnrolPupils, request) == first
    assert len(house.events(ev.PupilsEnrolled)) == 1
    request.pupils[0].full_name = "Lê Văn An"
    with pytest.raises(Conflict, match="another request"):
        await house.call(office(school), house.rpc.EnrolPupils, request)


async def test_a_pupil_at_fault_does_not_keep_the_others_out(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    answer = await house.enrol(school, of_class, profile(1), profile(2, full_name=""), profile(3, personal_number=""), profile(1))
    assert [bool(ref.pupil_id) for ref in answer.pupils] == [True, False, True, False]
    assert answer.pupils[2].absence_reason == "pending"
    stops = [(fault.row, fault.problem) for fault in answer.faults if not fault.warning]
    assert [row for row, _ in stops] == [2, 4]
    assert "dòng 1" in stops[1][1]


async def test_details_sent_again_raise_the_version_only_when_they_differ(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    (first,) = (await house.enrol(school, of_class, profile(1))).pupils
    (same,) = (await house.enrol(school, of_class, profile(1))).pupils
    (changed,) = (await house.enrol(school, of_class, profile(1, address="12 Lê Lợi"))).pupils
    assert same == first
    assert (changed.pupil_id, changed.version, changed.roll_number) == (first.pupil_id, first.version + 1, first.roll_number)
    assert [event.pupils[0].version for event in house.events(ev.PupilsEnrolled)] == [1, 2]


async def test_a_place_or_pupil_of_a_stale_version_is_not_written(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    (ref,) = (await house.enrol(school, of_class, profile(1))).pupils
    await house.enrol(school, of_class, profile(1, address="12 Lê Lợi"))
    async with house.database.transaction() as connection:
        pupils = PostgresPupils(connection, QUERIES)
        standing = await pupils.standing(UUID(ref.pupil_id), SchoolYear(YEAR))
        for version in (1, 2, 4):
            with pytest.raises(Overtaken):
                await pupils.place([replace(standing.enrolment, version=version)])
            with pytest.raises(Overtaken):
                await pupils.change([replace(standing.pupil, version=version)])


async def test_a_personal_number_is_corrected_and_its_history_kept(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    (ref,) = (await house.enrol(school, of_class, profile(1))).pupils
    number = "079215777777"
    request = pb.CorrectPersonalNumberRequest(request_id=new_id(), school_id=school, pupil_id=ref.pupil_id, personal_number=number, reason="QĐ 12/2026")
    answer = await house.call(office(school), house.rpc.CorrectPersonalNumber, request)
    assert answer.pupil.version == ref.version + 1
    assert await house.call(office(school), house.rpc.CorrectPersonalNumber, request) == answer
    history = await house.call(office(school), house.rpc.GetPupil, pb.GetPupilRequest(pupil_id=ref.pupil_id))
    assert [n.personal_number for n in history.numbers] == [profile(1).personal_number, number]
    assert house.envelope.open(house.events(ev.PupilsEnrolled)[-1].profiles, ev.PupilProfiles).profiles[0].personal_number == number


async def test_two_pupils_cannot_share_a_personal_number(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    refs = (await house.enrol(school, of_class, profile(1), profile(2))).pupils
    taken = pb.CorrectPersonalNumberRequest(
        request_id=new_id(), school_id=school, pupil_id=refs[1].pupil_id, personal_number=profile(1).personal_number, reason="nhầm"
    )
    with pytest.raises(Conflict, match="học sinh khác"):
        await house.call(office(school), house.rpc.CorrectPersonalNumber, taken)
    answer = await house.enrol(school, of_class, profile(1, ministry_code=profile(2).ministry_code))
    assert "hai học sinh khác nhau" in answer.faults[0].problem


async def test_staff_are_appointed_once_per_person_and_deputies_need_an_authority(house: House) -> None:
    school = await house.school("79000001")

    async def appoint(person: str, *appointments: ev.Appointment) -> pb.AppointStaffResponse:
        request = pb.AppointStaffRequest(request_id=new_id(), school_id=school, person_id=person, full_name="Trần Văn Bình", appointments=appointments)
        return await house.call(office(school), house.rpc.AppointStaff, request)

    head = await appoint("p1", ev.Appointment(role="principal", valid_from="2026-08-01"))
    assert await appoint("p1", ev.Appointment(role="principal", valid_from="2026-08-01")) == head
    with pytest.raises(Refused, match="đã có hiệu trưởng"):
        await appoint("p2", ev.Appointment(role="principal", valid_from="2027-01-01"))
    with pytest.raises(Malformed, match="quyết định"):
        await appoint("p2", ev.Appointment(role="vice_principal", valid_from="2026-09-01", acts_for_staff_id=head.staff_id))
    deputy = await appoint("p2", ev.Appointment(role="vice_principal", valid_from="2026-09-01", acts_for_staff_id=head.staff_id, authority="12/QĐ-UQ"))
    assert deputy.version == 1
    appointed = house.events(ev.StaffAppointed)
    assert [(event.person_id, event.version) for event in appointed] == [("p1", 1), ("p2", 1)]
    assert house.envelope.open(appointed[0].profile, ev.StaffProfile).full_name == "Trần Văn Bình"


async def test_exactly_one_teacher_answers_for_a_subject_and_term(house: House) -> None:
    school = await house.school("79000001")
    of_class = await house.form(school, "6A1")
    staff = []
    for person in ("p1", "p2", "p3"):
        request = pb.AppointStaffRequest(request_id=new_id(), school_id=school, person_id=person, full_name="Lê Thị Hà")
        staff.append((await house.call(office(school), house.rpc.AppointStaff, request)).staff_id)

    async def assign(*assignments: ev.Assignment) -> int:
        request = pb.AssignTeachingRequest(request_id=new_id(), school_id=school, class_id=of_class, assignments=assignments)
        return (await house.call(office(school), house.rpc.AssignTeaching, request)).version

    shared = [ev.Assignment(subject="khtn", staff_id=s, responsible=s == staff[0]) for s in staff]
    assert await assign(*shared) == 1
    by_term = [ev.Assignment(subject="toan", staff_id=s, responsible=True, term=t) for s, t in zip(staff, (common_pb2.TERM_1, common_pb2.TERM_2), strict=False)]
    assert await assign(*shared, *by_term) == 2
    with pytest.raises(Malformed, match="cần đúng một"):
        await assign(*(ev.Assignment(subject="toan", staff_id=s, responsible=True) for s in staff[:2]))
    with pytest.raises(Malformed, match="cần đúng một"):
        await assign(ev.Assignment(subject="toan", staff_id=staff[0]))
    assert [len(event.assignments) for event in house.events(ev.TeachingAssigned)] == [3, 5]


async def test_a_school_that_changes_nothing_keeps_its_version_and_one_that_moves_province_takes_its_rows_along(house: House) -> None:
    school = await house.school("74000001", "2025-79")
    of_class = await house.form(school, "6A1")
    await house.enrol(school, of_class, profile(1))

    async def register(province: str) -> int:
        request = pb.RegisterSchoolRequest(
            request_id=new_id(),
            school_id=school,
            code="74000001",
            name="Trường 74000001",
            province_id=province,
            levels=[common_pb2.LEVEL_LOWER_SECONDARY],
            valid_from="2010-08-01",
            public_school=True,
        )
        return (await house.call(house.officer, house.rpc.RegisterSchool, request)).version

    assert await register("2025-79") == 1
    assert await register("2025-75") == 2
    assert house.rows("SELECT DISTINCT province_id FROM pupils UNION SELECT province_id FROM enrolments UNION SELECT province_id FROM classes") == [
        ("2025-75",)
    ]
    assert [(event.province_id, event.version) for event in house.events(ev.ClassFormed)] == [("2025-79", 1), ("2025-75", 2)]
    with pytest.raises(Malformed, match="Thành phố Hồ Chí Minh"):
        await register("1997-74")


async def test_merged_schools_end_and_their_classes_go_on_at_the_successor(house: House) -> None:
    old, new = await house.school("79000001"), await house.school("79000002", levels=(common_pb2.LEVEL_PRIMARY, common_pb2.LEVEL_LOWER_SECONDARY))
    of_class, last_year = await house.form(old, "6A1"), await house.form(old, "6A1", year=YEAR - 1)
    await house.form(new, "6A1")
    (ref,) = (await house.enrol(old, of_class, profile(1))).pupils
    await house.enrol(old, last_year, profile(2))
    request = pb.MergeSchoolsRequest(request_id=new_id(), successor_id=new, predecessor_ids=[old], merged_on="2026-11-20", moves_from_school_year=YEAR)
    answer = await house.call(house.officer, house.rpc.MergeSchools, request)
    assert (answer.classes_moved, answer.pupils_moved) == (1, 1)
    assert await house.call(house.officer, house.rpc.MergeSchools, request) == answer
    schools = {event.school_id: event for event in house.events(ev.SchoolRegistered)}
    assert (schools[old].valid_to, list(schools[new].predecessor_ids)) == ("2026-11-19", [old])
    moved = house.events(ev.ClassFormed)[-1]
    assert (moved.school_id, moved.class_id, moved.version, moved.name) == (new, of_class, 2, "6A1-79000001")
    told = house.events(ev.PupilsEnrolled)[-1]
    assert (told.school_id, told.pupils[0].pupil_id, told.pupils[0].version) == (new, ref.pupil_id, ref.version + 1)
    assert house.rows("SELECT count(*) FROM enrolments WHERE school_id = %s", old) == [(1,)]
    with pytest.raises(Refused, match="đã kết thúc"):
        await house.call(
            house.officer, house.rpc.MergeSchools, pb.MergeSchoolsRequest(request_id=new_id(), successor_id=new, predecessor_ids=[old], merged_on="2026-11-21")
        )


async def test_roles_reach_no_further_than_their_scope(house: House) -> None:
    mine, theirs = await house.school("79000001"), await house.school("79000002")
    of_class = await house.form(theirs, "6A1")
    await house.enrol(theirs, of_class, profile(1))
    with pytest.raises(NotFound):
        await house.call(office(mine), house.rpc.ListPupils, pb.ListPupilsRequest(school_id=theirs, class_id=of_class))
    with pytest.raises(Denied):
        await house.call(office(mine), house.rpc.FormClass, pb.FormClassRequest(request_id=new_id(), school_id=theirs, school_year=YEAR, grade=6, name="6A2"))
    officer = actor("doet_officer@province:2025-48")
    with pytest.raises(Denied):
        await house.call(
            officer,
            house.rpc.RegisterSchool,
            pb.RegisterSchoolRequest(
                request_id=new_id(), code="79000003", name="T", province_id="2025-79", levels=[common_pb2.LEVEL_PRIMARY], valid_from="2026-08-01"
            ),
        )
    teacher = actor(f"homeroom_teacher@class:{of_class}", f"subject_teacher@school:{theirs}")
    assert len((await house.call(teacher, house.rpc.ListPupils, pb.ListPupilsRequest(school_id=theirs, class_id=of_class))).pupils) == 1


async def test_lists_of_provinces_and_schools_are_open_to_all(house: House) -> None:
    school = await house.school("79000001")
    anybody = actor("subject_teacher@school:" + school)
    provinces = (await house.call(anybody, house.rpc.ListProvinces, pb.ListProvincesRequest())).provinces
    assert len(provinces) == 34
    assert next(p.title for p in provinces if p.code == "75") == "Thành phố Đồng Nai"
    assert len((await house.call(anybody, house.rpc.ListProvinces, pb.ListProvincesRequest(on="2025-06-30"))).provinces) == 63
    schools = (await house.call(anybody, house.rpc.ListSchools, pb.ListSchoolsRequest(province_id="2025-79"))).schools
    assert [(s.code, s.province_name) for s in schools] == [("79000001", "Hồ Chí Minh")]
