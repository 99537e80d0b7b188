"""Enrollment's events: repeats and old versions change nothing, and a transfer takes the running year along."""

import json

from hocba.enrollment.v1 import events_pb2 as enrollment
from hocba.grading.v1 import events_pb2
from services.chassis.errors import Denied
from tests.integration.grading.school import HOMEROOM_TEACHER, OTHER_SCHOOL, SCHOOL, YEAR, School, an_id, received


async def test_repeats_and_older_versions_change_nothing(school: School) -> None:
    room = await school.form(8, 2)
    await school.enrol(room.class_id, room.pupils, version=3, full_name="Lê Ngọc An")
    await school.enrol(room.class_id, room.pupils, version=2, full_name="Lê Ngọc Bình")
    await school.enrol(room.class_id, room.pupils, version=3, full_name="Lê Ngọc Chi")
    assert await school.value("SELECT DISTINCT full_name FROM pupil_years") == "Lê Ngọc An"
    old = enrollment.ClassFormed(school_id=SCHOOL, class_id=room.class_id, version=1, school_year=YEAR, grade=9, name="9B", province_id="2025-79")
    await school.consumers.on_class_formed(received(old))
    assert await school.value("SELECT grade FROM classes") == 8
    fewer = enrollment.TeachingAssigned(school_id=SCHOOL, class_id=room.class_id, version=1)
    await school.consumers.on_teaching_assigned(received(fewer))
    assert await school.value("SELECT count(*) FROM teaching") == len(room.subjects)
    fewer.version = 2
    await school.consumers.on_teaching_assigned(received(fewer))
    assert await school.value("SELECT count(*) FROM teaching") == 0


async def test_teaching_may_arrive_before_the_class(school: School) -> None:
    class_id = an_id("early")
    event = enrollment.TeachingAssigned(
        school_id=SCHOOL, class_id=class_id, version=1, assignments=[enrollment.Assignment(subject="toan", staff_id=an_id("staff teacher"), responsible=True)]
    )
    await school.consumers.on_teaching_assigned(received(event))
    assert await school.value("SELECT count(*) FROM teaching WHERE class_id = $1", class_id) == 1


async def test_a_transfer_takes_the_running_years_marks_to_the_new_school(school: School) -> None:
    room = await school.form(8, 2)
    other = await school.form(8, 1, name="2", school=OTHER_SCHOOL)
    await school.fill(room)
    mover = room.pupils[0]
    await school.transfer(mover, OTHER_SCHOOL, other.class_id)
    await school.transfer(mover, OTHER_SCHOOL, other.class_id)
    assert await school.value("SELECT count(*) FROM marks WHERE pupil_id = $1 AND school_id <> $2", mover, OTHER_SCHOOL) == 0
    here, there = await school.seal(room), await school.seal(other)
    assert [o.transcript.pupil_id for o in here.outcomes] == [room.pupils[1]]
    outcome = next(o for o in there.outcomes if o.transcript.pupil_id == mover)
    assert outcome.sealed
    event = (await school.events(events_pb2.ClassSealed))[1]
    records = {json.loads(r)["pupil"]["id"]: json.loads(r) for r in school.records_of(event)}
    assert records[mover]["school"]["name"] == "Trường Lá Mẫu"


async def test_a_class_that_a_successor_takes_over_brings_pupils_and_marks(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    moved = enrollment.ClassFormed(school_id=OTHER_SCHOOL, class_id=room.class_id, version=2, school_year=YEAR, grade=8, name="8A", province_id="2025-79")
    await school.consumers.on_class_formed(received(moved))
    for table in ("pupil_years", "marks"):
        assert await school.value(f"SELECT count(*) FROM {table} WHERE school_id <> $1", OTHER_SCHOOL) == 0


async def test_a_sealed_year_stays_where_it_was_sealed(school: School) -> None:
    room = await school.form(8, 1)
    other = await school.form(8, 0, name="2", school=OTHER_SCHOOL)
    await school.fill(room)
    await school.seal(room)
    await school.transfer(room.pupils[0], OTHER_SCHOOL, other.class_id)
    await school.enrol(other.class_id, room.pupils, version=3, school=OTHER_SCHOOL)
    assert str(await school.value("SELECT class_id FROM pupil_years")) == room.class_id
    assert [o.changed for o in (await school.seal(room)).outcomes] == [False]
    assert len((await school.seal(other)).outcomes) == 0


async def test_a_transfer_without_a_class_waits_and_leaving_takes_out(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    await school.transfer(room.pupils[0], OTHER_SCHOOL, "")
    await school.transfer(room.pupils[1], "", "")
    (outcome,) = (await school.seal(room)).outcomes
    assert list(outcome.waiting_reasons) == ["transfer_under_way"]


async def test_rows_of_another_school_are_invisible_even_to_a_bare_query(school: School) -> None:
    from services.chassis.database import RowScope

    room = await school.form(8, 1)
    await school.fill(room)
    for table in ("pupil_years", "marks", "mark_history", "staff"):
        for scope, seen in ((RowScope("school", schools=(OTHER_SCHOOL,)), False), (RowScope("none"), False), (RowScope("school", schools=(SCHOOL,)), True)):
            async with school.database.transaction(scope) as connection:
                assert (await connection.fetchval(f"SELECT count(*) FROM {table}") > 0) is seen, (table, scope)
    assert Denied.status == "PERMISSION_DENIED"
    assert HOMEROOM_TEACHER.person_id == "homeroom"
