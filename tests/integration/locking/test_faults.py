"""Clocks that jump, neighbours that are away, answers that are lost, and a process that dies anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from hocba.common.v1 import common_pb2
from hocba.locking.v1 import events_pb2
from services.locking.adapters.work import PostgresTransactions
from services.locking.application.move_unlock import Move
from services.locking.application.ports import Work
from services.locking.domain.lock import Lock
from services.locking.domain.people import Caller
from tests.integration.locking.world import HOUR, OFFICER, PRINCIPAL, START, TEACHER, World, pupils_of

DAY = 24 * HOUR


async def test_clock_that_jumps_alone_closes_nothing(world: World) -> None:
    (place,) = await world.enrol(1)
    await world.open(hours=8)
    world.witness.at = START
    for jump in (400 * DAY, -400 * DAY - 2 * HOUR, 4 * HOUR):
        world.clock.turn(jump)
        done = await world.keep_time()
        assert done.clocks_differ
    world.clock.turn(-2 * HOUR)
    assert not (await world.keep_time()).clocks_differ
    assert await world.rows("SELECT 1 FROM locks") == []
    await world.errands()
    assert await world.grading.save(place.class_id, str(pupils_of(place)[0]), "8.0")


async def test_unreachable_second_clock_holds_the_scheduler(world: World) -> None:
    await world.locked(1)

    async def away() -> None:
        return None

    world.witness.now = away  # type: ignore[method-assign]  # A clock that doesn't answer.
    assert (await world.keep_time()).clocks_differ


async def test_long_pause_closes_everything_once_and_going_back_opens_nothing(world: World) -> None:
    places = await world.enrol(4)
    await world.open(hours=8)
    await world.errands()
    world.clock.turn(400 * DAY)
    await world.round()
    assert len(await world.events(events_pb2.ClassLocked)) == 4
    world.clock.turn(-400 * DAY)
    await world.round()
    for place in places:
        assert not await world.grading.save(place.class_id, str(pupils_of(place)[0]), "8.0")
    world.clock.turn(12 * HOUR)
    await world.round()
    assert world.grading.trouble.count("SealClass") == 4
    assert len(await world.events(events_pb2.ClassLocked)) == 4
    assert await world.faults() == []


async def test_errands_put_off_under_a_fast_clock_run_after_it_goes_back(world: World) -> None:
    (place,) = await world.enrol(1)
    world.clock.turn(2 * HOUR)
    await world.open(hours=8)
    world.grading.trouble.down = True
    await world.errands()
    world.clock.turn(-2 * HOUR)
    world.grading.trouble.down = False
    assert await world.errands() == 0
    assert await world.errands() == 1
    assert world.grading.window(place.class_id, common_pb2.TERM_2) is not None


async def test_grading_down_at_closing_time_is_asked_until_it_answers(world: World) -> None:
    places = await world.enrol(3)
    await world.open(hours=1)
    await world.errands()
    world.grading.trouble.down = True
    world.clock.turn(2 * HOUR)
    for _ in range(3):
        await world.round()
        world.clock.turn(timedelta(minutes=1))
    assert await world.events(events_pb2.ClassLocked) == []
    for place in places:
        assert not await world.grading.save(place.class_id, str(pupils_of(place)[0]), "8.0"), "the lease has ended by itself"
    waiting = await world.rows("SELECT kind, attempts, last_error FROM errands")
    assert {(row["kind"], row["attempts"] >= 3, row["last_error"] in ("unavailable", "deadline")) for row in waiting} == {("seal", True, True)}
    world.grading.trouble.down = False
    world.clock.turn(timedelta(minutes=1))
    await world.round()
    locks = await world.events(events_pb2.ClassLocked)
    assert len(locks) == len({lock.lock_id for lock in locks}) == 3
    assert len({*world.grading.trouble.subjects("SealClass")}) == 3, "always under the ids that were stored first"


@pytest.mark.parametrize("method", ["GrantWindow", "SealClass", "ReopenScope", "CloseScope"])
async def test_call_that_was_executed_but_timed_out_is_harmless(world: World, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.chassis.rpc_client.DEADLINE_SECONDS", 0.5)
    world.grading.trouble.next[method].append("lost")
    (place,) = await world.enrol(1)
    await world.open(hours=1)
    for _ in range(2):
        await world.errands()
        world.clock.turn(timedelta(seconds=10))
    world.clock.turn(2 * HOUR)
    for _ in range(2):
        await world.round()
        world.clock.turn(timedelta(seconds=10))
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    for _ in range(2):
        await world.errands()
        world.clock.turn(timedelta(seconds=10))
    assert await world.grading.save(place.class_id, str(pupils_of(place)[0]), "9.0")
    await world.move(unlock_id, Move.FINISH, TEACHER)
    for _ in range(2):
        await world.errands()
        world.clock.turn(timedelta(seconds=10))
    assert await world.state(unlock_id) == "RESEALED"
    assert [event.class_version for event in await world.events(events_pb2.ClassLocked)] == [1, 2]
    assert world.grading.books[str(place.class_id)].version == 2
    asked = world.grading.trouble.subjects(method)
    assert len(asked) - len(set(asked)) >= 1, "the lost call was repeated under the same id"
    assert await world.faults() == []


class Death(Exception):
    """The process dies before COMMIT."""


def dying(world: World, kind: str) -> World:
    """The world of a process that dies once, just before it commits what a neighbour has answered to an errand."""
    real = PostgresTransactions(world.database, world.clock)
    alive = {"yes": True}

    @asynccontextmanager
    async def transactions(caller: Caller) -> AsyncIterator[Work]:
        async with real(caller) as work:
            claim = work.errands.claim
            claimed = []

            async def watch(now: object) -> object:
                claimed.append(await claim(now))  # type: ignore[arg-type]  # Passed through.
                return claimed[-1]

            object.__setattr__(work, "errands", _Watched(work.errands, watch))
            yield work
            if alive["yes"] and claimed and claimed[0] is not None and claimed[0].kind == kind:
                alive["yes"] = False
                raise Death

    world.run_errand = replace(world.run_errand, transactions=transactions)
    return world


class _Watched:
    def __init__(self, errands: object, claim: object) -> None:
        self._errands = errands
        self.claim = claim

    def __getattr__(self, name: str) -> object:
        return getattr(self._errands, name)


@pytest.mark.parametrize("kind", ["lease", "seal", "open"])
async def test_death_between_the_neighbours_answer_and_the_commit_changes_nothing_twice(world: World, kind: str) -> None:
    dying(world, kind)
    died = 0

    async def errands() -> None:
        nonlocal died
        try:
            await world.errands()
        except Death:
            died += 1
            await world.errands()

    (place,) = await world.enrol(1)
    await world.open(hours=1)
    await errands()
    world.clock.turn(2 * HOUR)
    await world.keep_time()
    await errands()
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    await errands()
    assert await world.state(unlock_id) == "GRANTED"
    await world.move(unlock_id, Move.FINISH, TEACHER)
    await errands()
    assert died == 1
    assert await world.state(unlock_id) == "RESEALED"
    assert [event.class_version for event in await world.events(events_pb2.ClassLocked)] == [1, 2]
    assert world.grading.books[str(place.class_id)].version == 2
    assert await world.faults() == []


async def test_grant_that_never_gets_through_expires_and_seals_again(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    world.signing.trouble.down = True
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    await world.errands()
    world.clock.turn(49 * HOUR)
    await world.round()
    assert await world.state(unlock_id) == "RESEALED"
    assert world.grading.trouble.count("ReopenScope") == 0


async def test_errand_that_hits_a_bug_lets_the_others_pass(world: World) -> None:
    from services.locking.application.run_errand import RunErrand

    first, second = await world.enrol(2)
    await world.open(hours=8)
    real = world.run_errand.grading

    class Broken:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        async def grant(self, lease: object, place: object) -> int:
            raise KeyError("bug")

    broken: RunErrand = replace(world.run_errand, grading=Broken())  # type: ignore[arg-type]  # On purpose.
    with pytest.raises(KeyError):
        await broken()
    await broken.put_off_after_bug("bug: KeyError")
    assert await world.errands() == 1
    told = [world.grading.window(place.class_id, common_pb2.TERM_2) is not None for place in (first, second)]
    assert sorted(told) == [False, True]
    world.clock.turn(timedelta(seconds=2))
    assert await world.errands() == 1


async def test_class_that_cannot_be_closed_keeps_no_other_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.locking.application import locking

    places = await world.enrol(5)
    await world.open(hours=1)
    real = locking.order

    async def order(work: Work, lock: Lock, caller: Caller) -> Lock:
        if lock.place == places[2]:
            raise KeyError("bug")
        return await real(work, lock, caller)

    monkeypatch.setattr(locking, "order", order)
    world.clock.turn(2 * HOUR)
    with pytest.raises(KeyError):
        await world.keep_time()
    assert len(await world.rows("SELECT 1 FROM locks")) == 4
    monkeypatch.setattr(locking, "order", real)
    await world.round()
    assert len(await world.events(events_pb2.ClassLocked)) == 5
