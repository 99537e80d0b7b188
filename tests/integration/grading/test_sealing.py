"""Sealing a class: outcomes, the event, idempotence, corrections as version 2, late pupils, decisions."""

import json

import pytest

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2, grading_pb2
from services.chassis.database import RowScope
from services.chassis.errors import Conflict, Malformed, Refused
from services.grading.domain.record import digest_of
from tests.integration.grading.school import (
    HOMEROOM_TEACHER,
    HOUR,
    LOCKING,
    NO_CONTEXT,
    OTHER_SCHOOL,
    PRINCIPAL,
    SCHOOL,
    START,
    TEACHER,
    School,
    SchoolClass,
    an_id,
    new_id,
)

T1, T2 = common_pb2.TERM_1, common_pb2.TERM_2


async def decide(school: School, room: SchoolClass, kind: str, value: str, pupil: str = "", **fields: object) -> grading_pb2.RecordDecisionResponse:
    paper = {"round": 1, "number": "12/QĐ-HT", "decided_on": "2026-05-25"} | fields
    decision = grading_pb2.Decision(pupil_id=pupil, kind=kind, value=value, **paper)  # type: ignore[arg-type]
    request = grading_pb2.RecordDecisionRequest(request_id=new_id(), class_id=room.class_id, decisions=[decision])
    answer: grading_pb2.RecordDecisionResponse = await school.by(PRINCIPAL, school.rpc.RecordDecision(request, NO_CONTEXT))
    return answer


@pytest.mark.parametrize("grade", [3, 8, 11])
async def test_a_filled_class_seals_every_pupil_with_its_record(school: School, grade: int) -> None:
    room = await school.form(grade, 3)
    await school.fill(room)
    readiness = await school.by(LOCKING, school.rpc.GetReadiness(grading_pb2.GetReadinessRequest(class_id=room.class_id), NO_CONTEXT))
    assert [p.ready for p in readiness.pupils] == [True] * 3
    answer = await school.seal(room)
    assert (answer.class_version, [o.sealed for o in answer.outcomes], [o.transcript.version for o in answer.outcomes]) == (1, [True] * 3, [1] * 3)
    (event,) = await school.events(events_pb2.ClassSealed)
    assert (event.part, event.parts, event.class_version, list(event.outcomes)) == (0, 1, 1, list(answer.outcomes))
    records = school.records_of(event)
    assert [digest_of(r) for r in records] == [o.transcript.content_digest for o in event.outcomes]
    record = json.loads(records[0])
    assert record["pupil"]["name"] == "Trần Minh Hà"
    assert record["school"]["principal"] == "Nguyễn Thị Principal"
    assert record["school_class"]["homeroom_teacher"] == "Nguyễn Thị Homeroom"
    assert record["subjects"][0]["teachers"] == [{"name": "Nguyễn Thị Teacher", "responsible": True}]
    assert record["history"][0]["school"] == "Trường Hoa Mẫu"


async def test_the_same_lock_gets_the_same_answer_for_ever(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    lock_id = new_id()
    first = await school.seal(room, lock_id)
    assert await school.seal(room, lock_id) == first
    assert len(await school.events(events_pb2.ClassSealed)) == 1
    with pytest.raises(Conflict, match="another class or term"):
        await school.seal(room, lock_id, T1)
    second = await school.seal(room)
    assert (second.class_version, [o.changed for o in second.outcomes]) == (2, [False, False])
    assert second.class_digest == first.class_digest


async def test_unready_pupils_wait_with_reasons_and_hold_nobody_up(school: School) -> None:
    room = await school.form(8, 3)
    await school.fill(room)
    await school.enter(room, "toan", [(room.pupils[1], "ck", "")], term=T2)
    await school.enrol(room.class_id, [room.pupils[2]], version=2, numbers=False)
    answer = await school.seal(room)
    reasons = {o.transcript.pupil_id: list(o.waiting_reasons) for o in answer.outcomes}
    assert reasons == {room.pupils[0]: [], room.pupils[1]: ["missing_marks"], room.pupils[2]: ["no_personal_number"]}
    # The window is still open, so the teacher completes the mark; a late seal then takes that pupil only.
    saved = await school.enter(room, "toan", [(room.pupils[0], "ck", "1"), (room.pupils[1], "ck", "7")], term=T2)
    assert (saved.changed, [f.pupil_id for f in saved.faults]) == (1, [room.pupils[0]])
    late = await school.seal(room)
    assert [(o.sealed, o.changed) for o in late.outcomes if o.transcript.pupil_id == room.pupils[1]] == [(True, True)]
    assert [(o.sealed, o.changed) for o in late.outcomes if o.transcript.pupil_id == room.pupils[0]] == [(True, False)]


async def test_readiness_names_the_responsible_teacher(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    await school.enter(room, "toan", [(p, "ck", "") for p in room.pupils], term=T2)
    request = grading_pb2.GetReadinessRequest(class_id=room.class_id)
    answer = await school.by(HOMEROOM_TEACHER, school.rpc.GetReadiness(request, NO_CONTEXT))
    (missing,) = answer.missing
    assert (missing.subject, missing.term, missing.cells, missing.pupils) == ("toan", T2, 2, 2)
    assert missing.staff_id


async def test_a_correction_under_an_unlock_makes_version_two_of_that_pupil_only(school: School) -> None:
    room = await school.form(8, 3)
    await school.fill(room)
    first = await school.seal(room)
    wrong = room.pupils[1]
    cell = [(wrong, "ck", "9.5")]
    with pytest.raises(Refused, match="sealed"):
        await school.enter(room, "toan", cell, term=T2)
    unlock = await school.reopen(room, "toan", [wrong])
    with pytest.raises(Malformed, match="needs a reason"):
        await school.enter(room, "toan", cell, term=T2, unlock_id=unlock)
    with pytest.raises(Refused, match="not this sheet"):
        await school.enter(room, "ngu_van", cell, term=T2, unlock_id=unlock, reason="Nhầm")
    saved = await school.enter(room, "toan", [*cell, (room.pupils[0], "ck", "1")], term=T2, unlock_id=unlock, reason="Nhập nhầm điểm")
    assert (saved.changed, [f.pupil_id for f in saved.faults]) == (1, [room.pupils[0]])
    close = grading_pb2.CloseScopeRequest(unlock_id=unlock, class_id=room.class_id)
    assert (await school.by(LOCKING, school.rpc.CloseScope(close, NO_CONTEXT))).marks_changed == 1
    with pytest.raises(Refused, match="not open"):
        await school.enter(room, "toan", [(wrong, "ck", "10")], term=T2, unlock_id=unlock, reason="Nữa")
    second = await school.seal(room)
    versions = {o.transcript.pupil_id: (o.transcript.version, o.changed, o.corrections) for o in second.outcomes}
    assert versions == {room.pupils[0]: (1, False, 0), wrong: (2, True, 1), room.pupils[2]: (1, False, 0)}
    before, after = (next(o.transcript for o in answer.outcomes if o.transcript.pupil_id == wrong) for answer in (first, second))
    assert before.transcript_id == after.transcript_id
    assert before.public_id != after.public_id
    events = await school.events(events_pb2.ClassSealed)
    record = json.loads(school.records_of(events[1])[1])
    assert record["corrections"] == {"count": 1, "subjects": ["Toán"]}
    # The corrected mark is signed for in a sheet of one row; nobody else's row moves, and the first sheets stay in force.
    named = [[(s.sheet.subject, s.sheet.version, s.rows) for s in event.sheets] for event in events]
    assert {(version, rows) for _, version, rows in named[0]} == {(1, 3)}
    assert set(named[1]) - set(named[0]) == {("toan", 2, 1)}
    assert set(named[0]) <= set(named[1])
    assert record["transcript"]["supersedes"] == 1
    (reopened,) = await school.events(events_pb2.ScopeReopened)
    assert (reopened.unlock_id, reopened.class_version) == (unlock, 1)


async def test_sheets_are_kept_once_and_told_again_word_for_word(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    lock_id = new_id()
    await school.seal(room, lock_id)
    await school.seal(room, lock_id)
    await school.seal(room)
    first, second = await school.events(events_pb2.ClassSealed)
    contents = school.sheets_of(first)
    assert contents == school.sheets_of(second)
    assert [digest_of(content) for content in contents] == [sealed.sheet.content_digest for sealed in first.sheets]
    assert [sealed.sheet.subject for sealed in second.sheets] == [json.loads(content)["subject"]["code"] for content in contents]
    assert await school.value("SELECT count(*) FROM class_sheets") == len(contents) == len(room.subjects)
    assert {sealed.responsible_staff_id for sealed in first.sheets} == {an_id("staff teacher")}
    with pytest.raises(Exception, match="append-only"):
        await school.as_owner("UPDATE class_sheets SET content = 'x'")


async def test_another_schools_people_see_no_sheet(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    await school.seal(room)
    for scope, seen in ((RowScope("school", schools=(SCHOOL,)), True), (RowScope("school", schools=(OTHER_SCHOOL,)), False), (RowScope("none"), False)):
        async with school.database.transaction(scope) as connection:
            assert bool(await connection.fetchval("SELECT count(*) FROM class_sheets")) is seen


async def test_a_seal_ends_every_unlock_of_the_class(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    await school.seal(room)
    unlock = await school.reopen(room, "toan")
    await school.seal(room)
    with pytest.raises(Refused, match="not open"):
        await school.enter(room, "toan", [(room.pupils[0], "ck", "9")], term=T2, unlock_id=unlock, reason="Nhầm")


async def test_an_unlock_ends_at_its_time_without_anybody(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    await school.seal(room)
    unlock = await school.reopen(room, "toan", until=START + HOUR)
    school.clock.at = START + HOUR
    with pytest.raises(Refused, match="ended at"):
        await school.enter(room, "toan", [(room.pupils[0], "ck", "9")], term=T2, unlock_id=unlock, reason="Nhầm")
    with pytest.raises(Malformed, match="has passed"):
        await school.reopen(room, "toan", until=START)


async def test_a_reseal_after_names_and_staff_changed_touches_nobody(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    await school.seal(room)
    await school.appoint("principal", "principal", version=2, full_name="Lê Đức Nam")
    assert [o.changed for o in (await school.seal(room)).outcomes] == [False, False]


async def test_sealing_the_first_term_freezes_its_sheets_and_makes_no_transcript(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    answer = await school.seal(room, term=T1)
    assert (answer.class_version, len(answer.outcomes)) == (1, 0)
    assert await school.events(events_pb2.ClassSealed) == []
    with pytest.raises(Refused, match="sealed"):
        await school.enter(room, "toan", [(room.pupils[0], "ck", "9")], term=T1)
    assert (await school.enter(room, "toan", [(room.pupils[0], "ck", "9")], term=T2)).changed == 1
    unlock = await school.reopen(room, "toan", term=T1)
    assert (await school.enter(room, "toan", [(room.pupils[0], "ck", "9")], term=T1, unlock_id=unlock, reason="Nhầm")).changed == 1
    with pytest.raises(Malformed, match="with the year"):
        await school.seal(room, term=T2)


async def test_summer_results_finish_a_waiting_pupil(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    weak = room.pupils[0]
    for subject in ("toan", "ngu_van"):
        for term in (T1, T2):
            await school.enter(room, subject, [(weak, c, "3") for c in ("tx1", "tx2", "tx3", "tx4", "gk", "ck")], term=term)
    answer = await school.seal(room)
    assert [list(o.waiting_reasons) for o in answer.outcomes] == [["retake_in_summer"], []]
    assert "the rules settle" in (await decide(school, room, "promotion", "promoted", weak)).faults[0].problem
    school.clock.at = START + 2000 * HOUR
    results = [grading_pb2.LaterResult(pupil_id=p, subject=s, value="6", reason="Kiểm tra lại") for p in room.pupils for s in ("toan", "ngu_van")]
    request = grading_pb2.EnterLaterResultRequest(request_id=new_id(), class_id=room.class_id, results=results)
    entered = await school.by(TEACHER, school.rpc.EnterLaterResult(request, NO_CONTEXT))
    assert (entered.changed, {f.pupil_id for f in entered.faults}) == (2, {room.pupils[1]})
    assert await school.by(TEACHER, school.rpc.EnterLaterResult(request, NO_CONTEXT)) == entered
    late = await school.seal(room)
    assert [(o.sealed, o.changed) for o in late.outcomes] == [(True, True), (True, False)]
    record = json.loads(school.records_of((await school.events(events_pb2.ClassSealed))[1])[0])
    assert record["results"]["after_summer"]["learning"] == "Khá"


async def test_completion_is_decided_for_everybody_who_fulfils_it_and_printed(school: School) -> None:
    room = await school.form(9, 2)
    await school.fill(room)
    await school.enter(room, "gdtc", [(room.pupils[1], "nx_ck", "CD")], term=T2)
    assert [list(o.waiting_reasons) for o in (await school.seal(room)).outcomes] == [["completion_undecided"], []]
    assert (await decide(school, room, "completion", "completed")).changed == 1
    assert (await decide(school, room, "completion", "completed", room.pupils[0], number="")).faults[0].cure == "give both"
    await school.seal(room)
    record = json.loads(school.records_of((await school.events(events_pb2.ClassSealed))[1])[0])
    assert record["completion"]["number"] == "12/QĐ-HT"
    assert record["results"]["promotion"] == "Hoàn thành chương trình trung học cơ sở"
    sealed = await decide(school, room, "completion", "not_completed", room.pupils[0])
    assert "sealed" in sealed.faults[0].problem


async def test_a_class_with_big_records_is_split_into_parts_of_one_version(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.grading.contracts.events.MESSAGE_BYTES", 10_000)
    room = await school.form(8, 4)
    await school.fill(room)
    answer = await school.seal(room)
    events = await school.events(events_pb2.ClassSealed)
    assert [(e.part, e.parts, e.class_version) for e in events] == [(n, len(events), 1) for n in range(len(events))]
    assert len(events) > 1
    assert [o for e in events for o in e.outcomes] == list(answer.outcomes)
    assert sum(len(school.records_of(e)) for e in events) == 4
