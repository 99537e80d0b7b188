"""Enrollment's events through the consumers: in any order, more than once, and with what follows from them."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as pb
from services.chassis.consumer import Received, handlers_of
from services.chassis.errors import Malformed
from services.locking.entrypoints.consumers import LockingConsumers
from tests.integration.locking.world import HOUR, PROVINCE, SCHOOL, START, World, an_id


async def receive(world: World, *events: Message) -> None:
    """Hand events to the handlers that the service subscribes with."""
    handlers = handlers_of(LockingConsumers(world.follow))
    for event in events:
        batch: list[Received[Any]] = [Received(event, str(uuid4()), "key", START, {})]
        await handlers[type(event)](batch)


def a_class(name: str = "7A", version: int = 1, grade: int = 7, province: str = PROVINCE) -> pb.ClassFormed:
    return pb.ClassFormed(
        school_id=str(SCHOOL), class_id=str(an_id(name)), version=version, school_year=2025, grade=grade, homeroom_staff_id="s1", province_id=province
    )


async def test_repeats_and_older_versions_change_nothing(world: World) -> None:
    assigned = pb.TeachingAssigned(school_id=str(SCHOOL), class_id=str(an_id("7A")), version=2)
    assigned.assignments.add(subject="toan", staff_id="s2")
    older = pb.TeachingAssigned(school_id=str(SCHOOL), class_id=str(an_id("7A")), version=1)
    appointed = pb.StaffAppointed(school_id=str(SCHOOL), staff_id="s2", version=3, person_id="p2")
    appointed.appointments.add(role="subject_teacher")
    dismissed = pb.StaffAppointed(school_id=str(SCHOOL), staff_id="s2", version=2, person_id="somebody")
    school = pb.SchoolRegistered(school_id=str(SCHOOL), version=1, province_id=PROVINCE)
    news = (school, a_class(version=2, grade=8), a_class(version=1), assigned, older, appointed, dismissed)

    async def stored() -> list[Any]:
        tables = ("schools", "classes", "staff", "teaching", "leases")
        return [tuple(row.values()) for table in tables for row in await world.rows(f"SELECT * FROM {table} ORDER BY 1, 2")]

    await receive(world, *news)
    first = await stored()
    await receive(world, *news, *reversed(news))
    assert await stored() == first
    assert (await world.rows("SELECT grade FROM classes"))[0]["grade"] == 8
    assert (await world.rows("SELECT person_id FROM staff"))[0]["person_id"] == "p2"
    async with world.transactions(world_service()) as work:
        assert await work.roster.teaches("p2", an_id("7A"), "toan")
        assert not await work.roster.teaches("p2", an_id("7A"), "ngu_van")
        assert await work.roster.schools_of("p2") == {SCHOOL}


def world_service() -> Any:
    from services.locking.domain.people import SERVICE

    return SERVICE


async def test_class_that_changes_grade_follows_the_other_grades_window(world: World) -> None:
    from services.locking.domain.scope import Area, Scope

    await receive(world, a_class(grade=8))
    await world.open(hours=8)
    await world.open(Scope(Area.PROVINCE, PROVINCE, grade=9), hours=3)
    await receive(world, a_class(version=2, grade=9))
    await world.errands()
    lease = world.grading.window(an_id("7A"), common_pb2.TERM_2)
    assert lease is not None
    assert (lease.version, lease.closes_at.ToDatetime(UTC)) == (2, world.clock.now() + 3 * HOUR)


async def test_school_that_comes_into_another_province_takes_its_classes_along(world: World) -> None:
    await receive(world, pb.SchoolRegistered(school_id=str(SCHOOL), version=1, province_id="1997-01"), a_class(province="1997-01"))
    await receive(world, pb.SchoolRegistered(school_id=str(SCHOOL), version=2, province_id=PROVINCE))
    assert (await world.rows("SELECT province_id FROM classes"))[0]["province_id"] == PROVINCE


async def test_event_that_cannot_be_right_is_malformed_and_leaves_nothing(world: World) -> None:
    with pytest.raises(Malformed):
        await receive(world, pb.ClassFormed(school_id="7", class_id=str(an_id("7A"))))
    assert await world.rows("SELECT 1 FROM classes") == []
