"""Saving sheets: who, when, what changes, and what is kept of it."""

from typing import Any

import pytest

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2, grading_pb2
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, Refused
from tests.integration.grading.school import (
    HOMEROOM_TEACHER,
    HOUR,
    NO_CONTEXT,
    OTHER_SCHOOL,
    PRINCIPAL,
    PROVINCE,
    START,
    STRANGER,
    TEACHER,
    School,
    new_id,
    person,
)


async def test_saved_cells_are_read_back_with_averages_and_history(school: School) -> None:
    room = await school.form(8, 2)
    await school.window()
    first, second = room.pupils
    cells = [(first, "tx1", "8"), (first, "tx2", "9"), (first, "gk", "7"), (first, "ck", "8,0"), (second, "tx1", "V")]
    saved = await school.enter(room, "gdcd", cells)
    assert (saved.version, saved.changed, saved.expected, saved.filled) == (1, 5, 8, 4)
    again = await school.enter(room, "gdcd", [(first, "tx1", "8.5"), (first, "tx2", "9.0")])
    assert (again.version, again.changed, again.unchanged) == (2, 1, 1)
    query = grading_pb2.GetGradebookRequest(class_id=room.class_id, subject="gdcd", term=common_pb2.TERM_1)
    sheet = await school.by(TEACHER, school.rpc.GetGradebook(query, NO_CONTEXT))
    assert sheet.open
    assert list(sheet.columns) == ["tx1", "tx2", "gk", "ck", "comment"]
    assert sheet.rows[0].average == "7.9"  # (17.5 + 14 + 24) / 7 = 7.928…
    assert {c.column: c.value for c in sheet.rows[1].cells} == {"tx1": "V"}
    asked = grading_pb2.GetMarkHistoryRequest(class_id=room.class_id, subject="gdcd", term=common_pb2.TERM_1, pupil_id=first)
    history = await school.by(PRINCIPAL, school.rpc.GetMarkHistory(asked, NO_CONTEXT))
    assert [(c.old_value, c.new_value) for c in history.changes if c.column == "tx1"] == [("", "8.0"), ("8.0", "8.5")]
    assert {c.account_id for c in history.changes} == {"account of teacher"}
    events = await school.events(events_pb2.SheetSaved)
    assert [(e.subject, e.version, e.expected, e.filled) for e in events] == [("gdcd", 1, 8, 4), ("gdcd", 2, 8, 4)]


async def test_bad_cells_come_back_with_a_cure_and_keep_nobody_else_out(school: School) -> None:
    room = await school.form(8, 1)
    await school.window()
    saved = await school.enter(room, "toan", [(room.pupils[0], "tx1", "11"), (new_id(), "tx1", "5"), (room.pupils[0], "tx9", "5"), (room.pupils[0], "ck", "9")])
    assert saved.changed == 1
    assert [f.column for f in saved.faults] == ["tx1", "tx1", "tx9"]
    assert all(f.problem and f.cure for f in saved.faults)


async def test_only_assigned_teachers_write_and_only_their_school_reads(school: School) -> None:
    room = await school.form(8, 1)
    await school.window()
    request = school.sheet(room, "toan", [(room.pupils[0], "tx1", "8")])
    with pytest.raises(Denied, match="assigned to toan"):
        await school.by(STRANGER, school.rpc.EnterSheet(request, NO_CONTEXT))
    with pytest.raises(Denied):
        await school.by(HOMEROOM_TEACHER, school.rpc.EnterSheet(request, NO_CONTEXT))
    query = grading_pb2.GetGradebookRequest(class_id=room.class_id, subject="toan", term=common_pb2.TERM_1)
    with pytest.raises(Denied):
        await school.by(STRANGER, school.rpc.GetGradebook(query, NO_CONTEXT))
    assert await school.by(HOMEROOM_TEACHER, school.rpc.GetGradebook(query, NO_CONTEXT))
    # Even with a role elsewhere that would do, another school's rows can't be seen.
    outsider = person("teacher", "subject_teacher", school=OTHER_SCHOOL)
    with pytest.raises(Denied):
        await school.by(outsider, school.rpc.EnterSheet(request, NO_CONTEXT))


async def test_windows_open_and_close_by_gradings_own_clock(school: School) -> None:
    room = await school.form(8, 1)
    cells = [(room.pupils[0], "tx1", "8")]
    with pytest.raises(Refused, match="no window is open"):
        await school.enter(room, "toan", cells)
    await school.window(closes=START + HOUR)
    await school.enter(room, "toan", cells)
    with pytest.raises(Refused, match="no window"):
        await school.enter(room, "toan", cells, term=common_pb2.TERM_2)
    school.clock.at = START + HOUR
    with pytest.raises(Refused, match="no window"):
        await school.enter(room, "toan", [(room.pupils[0], "tx1", "9")])


@pytest.mark.parametrize(
    ("scope", "open_"),
    [
        ({"province_id": ""}, True),
        ({"province_id": PROVINCE}, True),
        ({"province_id": "2025-01"}, False),
        ({"province_id": PROVINCE, "grade": 8}, True),
        ({"province_id": PROVINCE, "grade": 9}, False),
        ({"school_id": OTHER_SCHOOL}, False),
    ],
)
async def test_windows_reach_as_far_as_their_scope(school: School, scope: dict[str, Any], open_: bool) -> None:
    room = await school.form(8, 1)
    await school.window(**scope)
    query = grading_pb2.GetGradebookRequest(class_id=room.class_id, subject="toan", term=common_pb2.TERM_1)
    assert (await school.by(TEACHER, school.rpc.GetGradebook(query, NO_CONTEXT))).open is open_


async def test_older_window_versions_are_ignored(school: School) -> None:
    room = await school.form(8, 1)
    await school.window(closes=START + HOUR)
    await school.window(closes=START - HOUR / 2)
    school.window_versions[common_pb2.TERM_1] = 0
    await school.window(closes=START + HOUR)
    with pytest.raises(Refused):
        await school.enter(room, "toan", [(room.pupils[0], "tx1", "8")])


async def test_a_repeated_request_gets_the_first_answer_and_a_changed_one_is_refused(school: School) -> None:
    room = await school.form(8, 1)
    await school.window()
    request = school.sheet(room, "toan", [(room.pupils[0], "tx1", "8")])
    first = await school.by(TEACHER, school.rpc.EnterSheet(request, NO_CONTEXT))
    school.clock.at = START + 2 * HOUR
    assert await school.by(TEACHER, school.rpc.EnterSheet(request, NO_CONTEXT)) == first
    request.cells[0].value = "9"
    with pytest.raises(Conflict, match="another request"):
        await school.by(TEACHER, school.rpc.EnterSheet(request, NO_CONTEXT))
    assert await school.value("SELECT count(*) FROM mark_history") == 1


async def test_exempt_and_unchosen_subjects_have_no_cells(school: School) -> None:
    room = await school.form(10, 2)
    await school.window()
    one, two = room.pupils
    pupils = [
        grading_pb2.PupilSubjects(
            pupil_id=one, electives=["dia_li", "vat_li", "tin_hoc", "am_nhac"], exemptions=[grading_pb2.Exemption(subject="gdtc", reason="Giấy bệnh viện")]
        ),
        grading_pb2.PupilSubjects(pupil_id=two, electives=["toan"]),
    ]
    request = grading_pb2.SetSubjectsRequest(request_id=new_id(), class_id=room.class_id, pupils=pupils)
    answer = await school.by(PRINCIPAL, school.rpc.SetSubjects(request, NO_CONTEXT))
    assert [f.pupil_id for f in answer.faults] == [two]
    saved = await school.enter(room, "gdtc", [(one, "nx1", "D"), (two, "nx1", "D")])
    assert [f.pupil_id for f in saved.faults] == [one]
    assert saved.expected == 4
    saved = await school.enter(room, "gd_kt_pl", [(one, "tx1", "8"), (two, "tx1", "8")])
    assert [f.pupil_id for f in saved.faults] == [one]
    with pytest.raises(Conflict):
        await school.by(TEACHER, school.rpc.SetSubjects(request, NO_CONTEXT))
    request.request_id = new_id()
    with pytest.raises(Denied):
        await school.by(TEACHER, school.rpc.SetSubjects(request, NO_CONTEXT))


async def test_history_can_neither_be_changed_nor_removed(school: School) -> None:
    room = await school.form(8, 1)
    await school.window()
    await school.enter(room, "toan", [(room.pupils[0], "tx1", "8")])
    with pytest.raises(Exception, match="permission denied"):
        await school.value("UPDATE mark_history SET new_value = '10.0'")
    for statement in ("UPDATE mark_history SET new_value = '10.0'", "DELETE FROM mark_history", "TRUNCATE mark_history"):
        with pytest.raises(Exception, match="append-only"):
            await school.as_owner(statement)


async def test_malformed_calls_name_what_is_wrong(school: School) -> None:
    room = await school.form(8, 1)
    with pytest.raises(Malformed, match="term is missing"):
        await school.enter(room, "toan", [], term=0)
    with pytest.raises(Malformed, match="not a UUID"):
        await school.by(TEACHER, school.rpc.GetReadiness(grading_pb2.GetReadinessRequest(class_id="8A"), NO_CONTEXT))
    with pytest.raises(NotFound, match="unknown here"):
        await school.by(TEACHER, school.rpc.GetReadiness(grading_pb2.GetReadinessRequest(class_id=new_id()), NO_CONTEXT))
    query = grading_pb2.GetGradebookRequest(class_id=room.class_id, subject="hoa_hoc", term=common_pb2.TERM_1)
    with pytest.raises(Malformed, match="no subject"):
        await school.by(PRINCIPAL, school.rpc.GetGradebook(query, NO_CONTEXT))
