"""An unlock storm: many people and two instances do whatever comes to their minds while time passes; then the books are balanced."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hocba.locking.v1 import events_pb2
from services.chassis.errors import ServiceError
from services.locking.application.move_unlock import Move
from services.locking.domain.policy import Wait
from services.locking.domain.refusals import Denied, Refused
from services.locking.domain.scope import Place
from tests.integration.locking.world import DEPUTY, OFFICER, PRINCIPAL, TEACHER, World, pupils_of

PEOPLE = 50
DEEDS = 8
ENOUGH = 10
CLASSES = 6


class Storm:
    """Fifty people at two doors, by one seed."""

    def __init__(self, doors: list[World], places: list[Place], seed: int) -> None:
        self.doors, self.places, self.dice = doors, places, random.Random(seed)
        self.unlocks: list[UUID] = []
        self.refused = 0
        self.saved: dict[str, int] = defaultdict(int)

    async def person(self) -> None:
        end = asyncio.get_running_loop().time() + 30
        done = 0
        while done < DEEDS or (sum(self.saved.values()) < ENOUGH and asyncio.get_running_loop().time() < end):
            done += 1
            try:
                await self.deed(self.dice.choice(self.doors))
            except (Refused, Denied, ServiceError):
                self.refused += 1

    async def deed(self, door: World) -> None:
        place = self.dice.choice(self.places)
        what = self.dice.randrange(20)
        if what < 3 or not self.unlocks:
            self.unlocks.append(await door.ask(place, pupils=(self.dice.choice(pupils_of(place)),)))
        elif what == 3:
            await door.lock(place)
        elif what < 10:
            # Where something is open somebody writes, and sometimes where nothing is.
            book = door.grading.books[str(place.class_id)]
            known = [pupil for scope in book.scopes.values() if not scope.closed for pupil in scope.pupils] or [str(pupils_of(place)[0])]
            self.saved[str(place.class_id)] += await door.grading.save(place.class_id, self.dice.choice(known), str(self.dice.randrange(11)))
        else:
            move = self.dice.choice([*Move, Move.CONFIRM, Move.CONFIRM, Move.CONFIRM, Move.ACKNOWLEDGE, Move.ACKNOWLEDGE])
            fitting = {Move.ACKNOWLEDGE: OFFICER, Move.OBJECT: OFFICER, Move.FINISH: TEACHER, Move.CANCEL: TEACHER}.get(move, PRINCIPAL)
            anybody = self.dice.choice([PRINCIPAL, DEPUTY, OFFICER, TEACHER])
            await door.move(self.dice.choice(self.unlocks[-12:]), move, self.dice.choice([fitting, fitting, anybody]))

    async def time(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for door in self.doors:
                await door.round()
            self.doors[0].clock.turn(timedelta(minutes=self.dice.randrange(1, 15)))
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_any_storm_every_change_was_carried_by_two_people_and_everything_is_sealed(world: World, seed: int) -> None:
    await world.policy(wait=Wait.FOR_A_TIME, wait_hours=1, open_for_hours=4, confirm_within_hours=6, objection_stops=seed % 2 == 0)
    places = await world.locked(CLASSES)
    async with world.another_instance() as second:
        storm, stop = Storm([world, second], places, seed), asyncio.Event()
        passing = asyncio.create_task(storm.time(stop))
        await asyncio.gather(*(storm.person() for _ in range(PEOPLE)))
        stop.set()
        await passing
        for _ in range(6):
            world.clock.turn(timedelta(hours=100))
            await asyncio.gather(world.round(), second.round())
            world.clock.turn(timedelta(seconds=10))
            await asyncio.gather(world.round(), second.round())
    assert storm.refused > 20, "a storm in which nobody is refused proves nothing"
    assert sum(storm.saved.values()) >= ENOUGH
    assert await world.faults() == []
    await _balance(world, places, storm)


async def _balance(world: World, places: list[Place], storm: Storm) -> None:
    rows = await world.rows("SELECT * FROM unlocks")
    assert {row["state"] for row in rows} <= {"RESEALED", "REFUSED", "CANCELLED", "LAPSED"}
    assert await world.rows("SELECT 1 FROM errands") == []
    assert await world.rows("SELECT 1 FROM locks WHERE state <> 'HELD'") == []
    opened = {str(row["unlock_id"]) for row in rows if row["approver_person"] not in (None, row["requester_person"])}
    for place in places:
        book = world.grading.books[str(place.class_id)]
        assert set(book.scopes) <= opened
        assert sum(scope.corrections for scope in book.scopes.values()) == storm.saved[str(place.class_id)]
        # Every pupil's last seal holds the last mark: nothing was written after the seal that nobody sealed again.
        held: Any = (await world.rows("SELECT outcomes FROM locks WHERE class_id = $1 ORDER BY class_version DESC LIMIT 1", place.class_id))[0]
        for pupil, mark in book.marks.items():
            digest = book.sealed[pupil][1].hex()
            assert f'"digest": "{digest}"' in held["outcomes"], f"{pupil} with {mark} is not what was sealed last"
    versions = defaultdict(list)
    for event in await world.events(events_pb2.UnlockMoved):
        versions[event.unlock_id].append(event.version)
    assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values())
