"""Real concurrency: what must hold when a save meets another save, a seal, or the end of a window."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2
from services.chassis.errors import Refused
from tests.integration.grading.school import HOUR, LOCKING, NO_CONTEXT, OTHER_SCHOOL, START, TEACHER, School, an_id, new_id
from tests.support.eventually import eventually

T1, T2 = common_pb2.TERM_1, common_pb2.TERM_2


async def waiting(school: School) -> int:
    """How many of our sessions wait for a lock right now."""
    return int(await school.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))


async def test_one_request_sent_many_times_at_once_is_done_once(school: School) -> None:
    room = await school.form(8, 3)
    await school.window()
    request = school.sheet(room, "toan", [(p, "tx1", "8") for p in room.pupils])
    answers = await asyncio.gather(*(school.by(TEACHER, school.rpc.EnterSheet(request, NO_CONTEXT)) for _ in range(12)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].changed == 3
    assert await school.value("SELECT count(*) FROM mark_history") == 3
    assert len(await school.events(events_pb2.SheetSaved)) == 1


async def test_parallel_saves_of_one_sheet_lose_nothing_and_number_themselves(school: School) -> None:
    room = await school.form(8, 10)
    await school.window()
    answers = await asyncio.gather(*(school.enter(room, "toan", [(p, "tx1", "8"), (p, "ck", "7")]) for p in room.pupils))
    assert sorted(a.version for a in answers) == list(range(1, 11))
    assert max(a.filled for a in answers) == 20
    assert await school.value("SELECT count(*) FROM marks WHERE value <> ''") == 20


async def test_a_save_that_waited_past_the_closing_time_is_refused(school: School) -> None:
    room = await school.form(8, 1)
    await school.window(closes=START + HOUR)
    await school.enter(room, "toan", [(room.pupils[0], "tx1", "5")])
    async with school.database.transaction() as holding:
        await holding.execute("SELECT 1 FROM gradebooks WHERE class_id = $1 FOR UPDATE", room.class_id)
        late = asyncio.create_task(school.enter(room, "toan", [(room.pupils[0], "tx1", "10")]))
        await eventually(lambda: waiting(school), what="the save waits for the sheet")
        school.clock.at = START + HOUR
    with pytest.raises(Refused, match="no window"):
        await late
    assert await school.value("SELECT value FROM marks") == "5.0"


async def test_an_unlock_that_expires_while_saving_is_refused(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    await school.seal(room)
    unlock = await school.reopen(room, "toan", until=START + HOUR)
    async with school.database.transaction() as holding:
        await holding.execute("SELECT 1 FROM gradebooks WHERE class_id = $1 FOR UPDATE", room.class_id)
        late = asyncio.create_task(school.enter(room, "toan", [(room.pupils[0], "ck", "10")], term=T2, unlock_id=unlock, reason="Nhầm"))
        await eventually(lambda: waiting(school), what="the save waits for the sheet")
        school.clock.at = START + HOUR + timedelta(microseconds=1)
    with pytest.raises(Refused, match="ended at"):
        await late
    assert await school.value("SELECT count(*) FROM mark_history WHERE after_seal") == 0


async def test_seal_and_saves_at_once_leave_no_mark_outside_the_seal(school: School) -> None:
    room = await school.form(8, 4)
    await school.fill(room)
    pupil = room.pupils[0]

    async def save(number: int) -> Any:
        try:
            return await school.enter(room, "toan", [(pupil, "ck", f"{number / 10:.1f}")], term=T2)
        except Refused as no:
            return no

    seals = [school.seal(room)]
    results = await asyncio.gather(*(save(n) for n in range(10)), *seals, *(save(n) for n in range(10, 20)))
    sealed = next(r for r in results if hasattr(r, "class_version"))
    record = school.records_of((await school.events(events_pb2.ClassSealed))[0])[0].decode()
    kept = await school.value("SELECT value FROM marks WHERE pupil_id = $1 AND subject = 'toan' AND term = 2 AND col = 'ck'", pupil)
    assert sealed.outcomes[0].sealed
    # Sealing again finds the same content: whatever was saved, was saved before the seal.
    assert not any(o.changed for o in (await school.seal(room)).outcomes)
    assert await school.value("SELECT count(*) FROM mark_history WHERE after_seal") == 0
    assert kept is not None
    assert record


async def test_a_seal_waits_for_a_running_save_and_contains_it(school: School) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    async with school.database.transaction() as saving:
        await saving.execute("SELECT 1 FROM classes WHERE class_id = $1 FOR SHARE", room.class_id)
        seal = asyncio.create_task(school.seal(room))
        await eventually(lambda: waiting(school), what="the seal waits for the save")
        await saving.execute("UPDATE marks SET value = '1.0' WHERE subject = 'toan' AND term = 2 AND col = 'ck'")
    await seal
    (event,) = await school.events(events_pb2.ClassSealed)
    assert '"year":"6.8"' in school.records_of(event)[0].decode()  # (8.5 + 2 x 6.0) / 3


async def test_one_lock_sent_twice_at_once_seals_once(school: School) -> None:
    room = await school.form(8, 2)
    await school.fill(room)
    lock_id = new_id()
    first, second, third = await asyncio.gather(*(school.seal(room, lock_id) for _ in range(3)))
    assert first == second == third
    assert len(await school.events(events_pb2.ClassSealed)) == 1


async def test_transfer_and_seal_at_once_leave_the_pupil_in_exactly_one_class(school: School) -> None:
    room = await school.form(8, 2)
    other = await school.form(8, 0, name="2", school=OTHER_SCHOOL)
    await school.fill(room)
    mover = room.pupils[0]
    answer, _ = await asyncio.gather(school.seal(room), school.transfer(mover, OTHER_SCHOOL, other.class_id))
    sealed_here = mover in {o.transcript.pupil_id for o in answer.outcomes}
    there = (await school.seal(other)).outcomes
    assert sealed_here is not (mover in {o.transcript.pupil_id for o in there})
    place = str(await school.value("SELECT school_id FROM pupil_years WHERE pupil_id = $1", mover))
    assert (place != OTHER_SCHOOL) is sealed_here
    assert await school.value("SELECT count(DISTINCT school_id) FROM marks WHERE pupil_id = $1", mover) == 1


async def test_a_transfer_waits_for_a_running_save_and_takes_its_cells_along(school: School) -> None:
    room = await school.form(8, 1)
    other = await school.form(8, 0, name="2", school=OTHER_SCHOOL)
    await school.window()
    await school.enter(room, "toan", [(room.pupils[0], "tx1", "5")])
    async with school.database.transaction() as saving:
        await saving.execute("SELECT 1 FROM classes WHERE class_id = $1 FOR SHARE", room.class_id)
        moving = asyncio.create_task(school.transfer(room.pupils[0], OTHER_SCHOOL, other.class_id))
        await eventually(lambda: waiting(school), what="the transfer waits for the save")
        await saving.execute("INSERT INTO marks SELECT pupil_id, school_year, subject, term, 'tx2', value, source, school_id FROM marks")
    await moving
    assert await school.value("SELECT count(*) FROM marks WHERE school_id = $1", OTHER_SCHOOL) == 2


async def test_a_seal_holds_the_rows_of_its_pupils(school: School) -> None:
    room = await school.form(8, 1)
    async with school.transactions() as work:
        await work.hold_class(room.class_id)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await school.value("SELECT 1 FROM pupil_years WHERE pupil_id = $1 FOR UPDATE NOWAIT", room.pupils[0])


async def test_windows_granted_at_once_end_in_the_newest(school: School) -> None:
    await asyncio.gather(*(school.window(closes=START + n * HOUR) for n in range(1, 9)))
    assert await school.value("SELECT version FROM windows WHERE window_id = $1", an_id(f"window {T1}")) == 8
    assert await school.value("SELECT closes_at FROM windows") == START + 8 * HOUR
    assert LOCKING.service == "locking"
