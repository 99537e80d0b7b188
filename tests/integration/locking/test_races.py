"""Races with real concurrency on real PostgreSQL: whoever comes second reads what the first has done, and nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, timedelta
from typing import Any

import pytest

from hocba.common.v1 import common_pb2
from hocba.locking.v1 import events_pb2
from services.locking.application.move_unlock import Move
from services.locking.domain.people import SERVICE
from services.locking.domain.policy import Wait
from services.locking.domain.refusals import Denied, Refusal, Refused
from services.locking.domain.scope import Area, Scope
from tests.integration.locking.world import (
    DEPUTY,
    HOUR,
    OFFICER,
    PRINCIPAL,
    PROVINCE,
    SCHOOL,
    TEACHER,
    World,
    caller,
    pupils_of,
)
from tests.support.eventually import eventually


async def tried(call: Coroutine[Any, Any, Any]) -> str:
    """`done`, or the code of the refusal."""
    try:
        await call
    except (Refused, Denied) as no:
        return no.refusal.code
    return "done"


async def together(*calls: Coroutine[Any, Any, Any]) -> Counter[str]:
    return Counter(await asyncio.gather(*map(tried, calls)))


async def steps(world: World, verb: str) -> int:
    return int((await world.rows("SELECT count(*) AS n FROM unlock_steps WHERE verb = $1", verb))[0]["n"])


async def test_of_many_approvers_at_once_exactly_one_confirms(world: World) -> None:
    await world.policy(confirming_roles=("principal", "vice_principal"))
    places = await world.locked(5)
    async with world.another_instance() as second:
        for place in places:
            unlock_id = await world.ask(place)
            approvers = [(world, PRINCIPAL), (second, DEPUTY)] * 4
            came_out = await together(*(at.move(unlock_id, Move.CONFIRM, by) for at, by in approvers))
            assert came_out == {"done": 1, Refusal.ALREADY_CONFIRMED.code: 7}
    assert await steps(world, "confirm") == len(places)
    assert await world.faults() == []


async def test_confirm_refuse_and_cancel_at_once_end_in_one_of_them(world: World) -> None:
    places = await world.locked(6)
    for place in places:
        unlock_id = await world.ask(place)
        came_out = await together(
            world.move(unlock_id, Move.REFUSE, PRINCIPAL),
            world.move(unlock_id, Move.CANCEL, TEACHER),
            world.move(unlock_id, Move.REFUSE, DEPUTY),
        )
        assert came_out["done"] == 1
        assert await world.state(unlock_id) in ("REFUSED", "CANCELLED")


async def test_expiry_while_confirming_gives_one_of_both(world: World) -> None:
    await world.policy(confirm_within_hours=5)
    places = await world.locked(8)
    unlocks = [await world.ask(place) for place in places]
    world.clock.turn(5 * HOUR - timedelta(microseconds=1))

    async def time_passes() -> None:
        await asyncio.sleep(0)
        world.clock.turn(timedelta(microseconds=1))
        await world.keep_time()

    came_out = await together(*(world.move(unlock_id, Move.CONFIRM, PRINCIPAL) for unlock_id in unlocks), time_passes())
    await world.keep_time()
    states = Counter([await world.state(unlock_id) for unlock_id in unlocks])
    assert set(states) <= {"REPORTED", "LAPSED"}
    assert states["REPORTED"] == came_out["done"] - 1 == await steps(world, "confirm")
    assert states["LAPSED"] == await steps(world, "lapse")
    assert set(came_out) <= {"done", Refusal.CONFIRM_DEADLINE_PASSED.code, Refusal.IS_LAPSED.code}


async def test_finishing_at_the_moment_of_expiry_seals_again_once(world: World) -> None:
    places = await world.locked(6)
    unlocks = [await world.granted(place) for place in places]
    before = world.grading.trouble.count("SealClass")
    world.clock.turn(48 * HOUR - timedelta(microseconds=1))
    async with world.another_instance() as second:

        async def expire() -> None:
            world.clock.turn(timedelta(microseconds=1))
            await second.round()

        await together(*(world.move(unlock_id, Move.FINISH, TEACHER) for unlock_id in unlocks), expire(), expire())
        await world.round()
    assert {await world.state(unlock_id) for unlock_id in unlocks} == {"RESEALED"}
    assert await steps(world, "finish") + await steps(world, "expire") == len(unlocks)
    assert world.grading.trouble.count("SealClass") - before == len(unlocks)
    assert await world.faults() == []


async def test_nothing_is_saved_after_the_answer_that_closed_the_class(world: World) -> None:
    (place,) = await world.enrol(1, pupils=5)
    window = await world.open(hours=8)
    await world.errands()
    closed = asyncio.Event()

    async def teacher(pupil: str) -> list[tuple[str, str]]:
        saved = []
        for value in range(1, 10_000):
            if await world.grading.save(place.class_id, pupil, str(value)):
                saved.append((pupil, str(value)))
            elif closed.is_set():
                break
            await asyncio.sleep(0)
        return saved

    async def close() -> None:
        await world.close(window)
        await world.round()
        closed.set()

    *by_teacher, _ = await asyncio.gather(*(teacher(str(pupil)) for pupil in pupils_of(place, 5)), close())
    last = {saved[-1][0]: saved[-1][1] for saved in by_teacher if saved}
    assert len(last) == 5, "every teacher was at work when the window closed"
    marks = world.grading.books[str(place.class_id)].marks
    assert last == {pupil: marks[pupil] for pupil in last}
    (event,) = await world.events(events_pb2.ClassLocked)
    assert event.class_digest == world.grading.books[str(place.class_id)].answers[event.lock_id].class_digest
    assert event.sealed == 5


async def test_lock_is_recorded_only_with_gradings_answer_in_hand(world: World) -> None:
    (place,) = await world.enrol(1)
    window = await world.open(hours=8)
    await world.errands()
    gate = world.grading.trouble.gates["SealClass"] = asyncio.Event()
    await world.close(window)
    await world.keep_time()
    sealing = asyncio.create_task(world.errands())
    await eventually(lambda: world.grading.trouble.count("SealClass"))
    assert await world.events(events_pb2.ClassLocked) == []
    assert (await world.rows("SELECT state FROM locks"))[0]["state"] == "INTENDED"
    gate.set()
    await sealing
    world.clock.turn(timedelta(minutes=2))
    await world.errands()
    assert len(await world.events(events_pb2.ClassLocked)) == 1
    assert str(place.class_id) == (await world.events(events_pb2.ClassLocked))[0].class_id


async def test_two_schedulers_seal_every_class_once(world: World) -> None:
    places = await world.enrol(25)
    await world.open(hours=1)
    await world.errands()
    world.clock.turn(2 * HOUR)
    async with world.another_instance() as second:
        rounds = await asyncio.gather(*(instance.keep_time() for instance in (world, second, world, second)))
        await asyncio.gather(*(instance.errands() for instance in (world, second) for _ in range(3)))
    assert sum(done.closed for done in rounds) == len(places)
    assert sum(done.turned for done in rounds) == 1
    sealed = world.grading.trouble.subjects("SealClass")
    assert len(sealed) == len(set(sealed)) == len(places)
    assert len(await world.events(events_pb2.ClassLocked)) == len(places)
    assert await world.faults() == []


async def test_two_schedulers_grant_and_expire_every_unlock_once(world: World) -> None:
    await world.policy(wait=Wait.NEVER, open_for_hours=1)
    places = await world.locked(8)
    unlocks = [await world.ask(place) for place in places]
    async with world.another_instance() as second:
        await asyncio.gather(*(at.move(unlock_id, Move.CONFIRM, PRINCIPAL) for at, unlock_id in zip([world, second] * 4, unlocks, strict=True)))
        await asyncio.gather(*(instance.errands() for instance in (world, second) * 2))
        assert Counter(world.grading.trouble.subjects("ReopenScope")) == Counter(map(str, unlocks))
        world.clock.turn(HOUR)
        await asyncio.gather(*(instance.keep_time() for instance in (world, second) * 2))
        await asyncio.gather(*(instance.errands() for instance in (world, second) * 2))
    assert {await world.state(unlock_id) for unlock_id in unlocks} == {"RESEALED"}
    for verb in ("begin_grant", "opened", "expire", "resealed"):
        assert await steps(world, verb) == len(places)


async def test_two_unlocks_of_one_class_are_never_open_together(world: World) -> None:
    await world.policy(wait=Wait.NEVER)
    (place,) = await world.locked(1)
    unlocks = [await world.ask(place, pupils=(pupil,)) for pupil in pupils_of(place)]
    async with world.another_instance() as second:
        await together(*(at.move(unlock_id, Move.CONFIRM, PRINCIPAL) for at, unlock_id in zip([world, second, world], unlocks, strict=True)))
        await asyncio.gather(world.errands(), second.errands())
    assert Counter([await world.state(unlock_id) for unlock_id in unlocks]) == {"GRANTED": 1, "REPORTED": 2}
    for _ in range(3):
        world.clock.turn(48 * HOUR)
        await world.round()
        world.clock.turn(timedelta(seconds=6))
        await world.round()
    assert Counter([await world.state(unlock_id) for unlock_id in unlocks]) == {"RESEALED": 3}
    assert world.grading.books[str(place.class_id)].version == 4


async def test_lock_by_hand_against_the_grant_leaves_no_class_open_and_sealed(world: World) -> None:
    await world.policy(wait=Wait.NEVER)
    places = await world.enrol(6)
    for place in places:
        world.grading.books[str(place.class_id)].waiting[str(pupils_of(place)[2])] = "missing_marks"
    await world.open(hours=1)
    world.clock.turn(2 * HOUR)
    await world.round()
    unlocks = [await world.ask(place) for place in places]
    async with world.another_instance() as second:
        for place, unlock_id in zip(places, unlocks, strict=True):
            came_out = await together(world.lock(place), second.move(unlock_id, Move.CONFIRM, PRINCIPAL))
            assert came_out["done"] >= 1
            both = await world.rows(
                "SELECT 1 FROM unlocks u JOIN locks l USING (class_id) WHERE u.state = 'GRANTING' AND l.state = 'INTENDED' AND class_id = $1", place.class_id
            )
            assert both == []
        await asyncio.gather(world.errands(), second.errands())
    world.clock.turn(60 * HOUR)
    for _ in range(3):
        await world.round()
        world.clock.turn(timedelta(seconds=6))
    world.clock.turn(60 * HOUR)
    await world.round()
    assert {await world.state(unlock_id) for unlock_id in unlocks} == {"RESEALED"}


async def test_school_that_sets_its_window_while_its_province_narrows_the_frame_is_judged_by_the_new_frame(world: World) -> None:
    (place,) = await world.enrol(1)
    province = await world.open(hours=8)
    school = Scope(Area.SCHOOL, PROVINCE, SCHOOL)

    async def waiting(count: int) -> bool:
        async with world.database.connection() as connection:
            sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            return bool(await connection.fetchval(sql) == count)

    async with world.transactions(SERVICE) as work:
        # Whoever plans waits for this class; both are then in the middle of their work at once.
        await work.roster.hold_class(place.class_id)
        narrowing = asyncio.create_task(tried(world.open(hours=3, window_id=province.window_id)))
        await eventually(lambda: waiting(1))
        setting = asyncio.create_task(tried(world.open(school, 5, by=PRINCIPAL)))
        await eventually(lambda: waiting(2))
    assert (await narrowing, await setting) == ("done", Refusal.OUTSIDE_FRAME.code)
    await world.errands()
    lease = world.grading.window(place.class_id, common_pb2.TERM_2)
    assert lease is not None
    assert lease.closes_at.ToDatetime(UTC) == world.clock.now() + 3 * HOUR


@pytest.mark.parametrize("officers", [2, 6])
async def test_acknowledging_and_objecting_at_once_is_one_history(world: World, officers: int) -> None:
    await world.policy(wait=Wait.UNTIL_ACKNOWLEDGED)
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    people = [caller(f"officer {n}", ("doet_officer", f"province:{PROVINCE}")) for n in range(officers)]
    await together(*(world.move(unlock_id, move, by) for by, move in zip(people, [Move.ACKNOWLEDGE, Move.OBJECT] * officers, strict=False)))
    history = await world.rows("SELECT version FROM unlock_steps WHERE unlock_id = $1 ORDER BY version", unlock_id)
    assert [row["version"] for row in history] == list(range(1, len(history) + 1))
    assert await world.faults() == []
    assert OFFICER.person_id == "officer"
