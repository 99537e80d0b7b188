"""What is counted beside the pupils, on a real database: any order and repetition of events and any concurrency lead to the same rows."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from hocba.locking.v1 import events_pb2 as locking_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.chassis.consumer import Received, handlers_of
from services.chassis.database import Database
from services.chassis.errors import Conflict, Denied, Malformed
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.tallies import PostgresTallies
from services.reporting.app import tallied, tally_consumers
from services.reporting.application.get_tally import GetTally
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.ports import Viewer
from services.reporting.application.reconcile import Reconcile
from services.reporting.contracts import readiness, school, unlock_statistics
from services.reporting.settings import ReportingSettings
from tests.integration.reporting.test_read_model import EVERYTHING, SCHOOLS, YEAR, HandClock, named
from tests.support.postgres import DatabaseFactory

NOW = datetime.now(UTC).replace(microsecond=0)
"""Not long past: reconciling looks at the database's clock for what should have turned."""
REQUESTED_AT = datetime(2026, 4, 30, 18, tzinfo=UTC)
"""May already, in Viet Nam."""
SETTINGS = ReportingSettings.model_construct(certificate_expiring_days=30)
HOMEROOM, PRINCIPAL, SEAL = (
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER,
    common_pb2.SIGNATURE_ROLE_PRINCIPAL,
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL,
)


def school_event(name: str, version: int = 1, province: str = "") -> enrollment_pb2.SchoolRegistered:
    province = province or SCHOOLS[name]
    return enrollment_pb2.SchoolRegistered(
        school_id=named(name), version=version, name=f"Trường {name}", province_id=province, province_name=province, valid_from="2010-08-01"
    )


def appointed(name: str, person: str, *roles: str, version: int = 1, until: str = "") -> Message:
    held = [enrollment_pb2.Appointment(role=role, valid_from="2020-09-01", valid_to=until) for role in roles]
    return enrollment_pb2.StaffAppointed(school_id=named(name), staff_id=named(f"{name}/{person}"), version=version, appointments=held)


def certificate(name: str, person: str, role: common_pb2.SignatureRole.ValueType, days: int, version: int = 1) -> Message:
    event = signing_pb2.CertificateMoved(
        school_id=named(name),
        province_id=SCHOOLS[name],
        certificate_id=f"{name}/{person}/{days}".encode().hex(),
        version=version,
        role=role,
        staff_id=named(f"{name}/{person}") if person else "",
    )
    event.registered_at.FromDatetime(NOW - timedelta(days=300))
    event.valid_until.FromDatetime(NOW + timedelta(days=days))
    return event


def staff_events() -> list[Message]:
    """In each school a principal who can sign, a teacher who soon can't and one who never could, a deputy, a registrar, and one revoked."""
    events: list[Message] = []
    for name in SCHOOLS:
        events += [
            school_event(name),
            appointed(name, "head", "principal"),
            appointed(name, "deputy", "vice_principal", until=(NOW + timedelta(days=11)).date().isoformat()),
            appointed(name, "office", "registrar"),
            appointed(name, "first", "homeroom_teacher", "subject_teacher"),
            appointed(name, "second", "homeroom_teacher"),
            appointed(name, "third", "homeroom_teacher"),
            certificate(name, "head", PRINCIPAL, 700),
            certificate(name, "first", HOMEROOM, 20),
            certificate(name, "third", HOMEROOM, 500),
            certificate(name, "third", HOMEROOM, 500, version=2),
        ]
    return [*events, certificate("s1", "", SEAL, 900), appointed("s2", "head", "principal", "subject_teacher", version=2)]


def unlock_events() -> list[Message]:
    """Of s1: one sealed again after 90 minutes, one that a mistake of another sort opened and is open, one refused. Of s3: one lapsed."""
    lives = {
        ("s1", "a", "wrong_entry"): [("requested", 0), ("confirmed", 1), ("granted", 2), ("corrected", 92), ("sealed", 93)],
        ("s1", "b", "remarked"): [("requested", 0), ("confirmed", 5), ("granted", 9)],
        ("s1", "c", "wrong_entry"): [("requested", 0), ("refused", 4)],
        ("s3", "d", ""): [("requested", 0), ("lapsed", 3000)],
    }
    events: list[Message] = []
    for (name, unlock, reason), steps in lives.items():
        for version, (state, minutes) in enumerate(steps, start=1):
            event = locking_pb2.UnlockMoved(
                school_id=named(name), class_id=named(f"{name}-1"), unlock_id=named(f"{name}/{unlock}"), version=version, state=state, reason_code=reason
            )
            event.moved_at.FromDatetime(REQUESTED_AT + timedelta(minutes=minutes))
            events.append(event)
    return events


@dataclass
class Counting:
    """Reporting's counters over a database of this test's own."""

    database: Database
    clock: HandClock = field(default_factory=lambda: HandClock(NOW))

    async def receive(self, events: Sequence[Message], *, batch: int = 500, lanes: int = 1) -> None:
        """As the consumers get them: runs of one type, repeated after a conflict, on several lanes at once."""
        handlers = handlers_of(tally_consumers(SETTINGS, self.database, self.clock))
        queue: list[list[Received[Any]]] = []
        for event in events:
            received = Received(event, str(uuid.uuid4()), "", NOW, {})
            if queue and type(queue[-1][0].event) is type(event) and len(queue[-1]) < batch:
                queue[-1].append(received)
            else:
                queue.append([received])

        async def lane() -> None:
            while queue:
                run = queue.pop(0)
                while True:
                    try:
                        await handlers[type(run[0].event)](run)
                        break
                    except Conflict:
                        continue

        await asyncio.gather(*(lane() for _ in range(lanes)))
        schools = [school(event) for event in events if isinstance(event, enrollment_pb2.SchoolRegistered)]
        await KeepDetails(PostgresReadModel(self.database))(schools=schools)

    async def state(self) -> list[Any]:
        """What the events led to; counters of zero say nothing."""
        queries = (
            "SELECT * FROM school_places ORDER BY 1",
            "SELECT * FROM tallied ORDER BY 1, 2",
            "SELECT * FROM tallies WHERE amount <> 0 ORDER BY 1, 2, 3, 4, 5, 6",
        )
        async with self.database.transaction() as connection:
            return [[tuple(row) for row in await connection.fetch(query)] for query in queries]

    async def turn(self) -> int:
        return sum([await things.turn() for things in tallied(SETTINGS, self.database, self.clock)])

    async def rebuild(self) -> int:
        return sum([await things.rebuild() for things in tallied(SETTINGS, self.database, self.clock)])

    async def differences(self) -> set[str]:
        return {item.check for item in await Reconcile(PostgresFigures(self.database), PostgresTallies(self.database))(EVERYTHING, YEAR, "")}

    def get(self, subject: str) -> GetTally:
        return GetTally(PostgresFigures(self.database), PostgresTallies(self.database), subject)

    async def offices(self, province: str = "", school: str = "") -> dict[str, tuple[int, int, int, int, int, int]]:
        """(signers, holding, expiring, expired, revoked, without) by office."""
        total, _ = await self.get("staff")(EVERYTHING, province, school)
        return {one.office: (one.signers, one.holding, one.expiring, one.expired, one.revoked, one.without) for one in readiness(total).offices}


@pytest_asyncio.fixture
async def counting(make_database: DatabaseFactory) -> AsyncIterator[Counting]:
    database = Database(make_database("reporting").url, name="test", pool=6)
    await database.open()
    yield Counting(database)
    await database.close()


@pytest_asyncio.fixture
async def another(make_database: DatabaseFactory) -> AsyncIterator[Counting]:
    database = Database(make_database("reporting").url, name="test", pool=6)
    await database.open()
    yield Counting(database)
    await database.close()


async def test_staff_are_counted_by_office_and_place_and_the_seal_with_the_school(counting: Counting) -> None:
    await counting.receive(staff_events())
    assert await counting.offices() == {
        "staff": (15, 6, 3, 0, 3, 6),
        "subject_teacher": (4, 0, 0, 0, 0, 4),
        "homeroom_teacher": (9, 3, 3, 0, 3, 3),
        "principal": (3, 3, 0, 0, 0, 0),
        "vice_principal": (3, 0, 0, 0, 0, 3),
        "school_seal": (3, 1, 0, 0, 0, 2),
    }
    assert (await counting.offices("2025-01"))["staff"] == (10, 4, 2, 0, 2, 4)
    assert (await counting.offices(school=named("s3")))["school_seal"] == (1, 0, 0, 0, 0, 1)
    _, provinces = await counting.get("staff")(EVERYTHING, "", "", "province")
    assert [(part.place.province_id, readiness(part).offices[0].signers) for part in provinces] == [("2025-01", 10), ("2025-79", 5)]
    _, schools = await counting.get("staff")(EVERYTHING, "2025-01", "", "school")
    assert [(part.place.name, readiness(part).offices[0].holding) for part in schools] == [("Trường s1", 2), ("Trường s2", 2)]
    assert await counting.differences() == set()


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_repeated_and_concurrent_events_lead_to_the_same_rows(counting: Counting, another: Counting, seed: int) -> None:
    await counting.receive(staff_events())
    await counting.receive(unlock_events())
    chance = random.Random(seed)
    events = staff_events() + chance.sample(staff_events(), 12) + unlock_events() + unlock_events()
    chance.shuffle(events)
    await another.receive(events, batch=chance.choice([1, 5, 500]), lanes=4)
    assert await another.state() == await counting.state()
    assert await another.differences() == set()
    before = await counting.state()
    await counting.receive([*unlock_events(), *staff_events()], batch=2)
    assert await counting.state() == before, "reading the topics again changes nothing"


async def test_time_turns_what_is_counted_with_no_news(counting: Counting) -> None:
    await counting.receive(staff_events())
    assert await counting.turn() == 0
    counting.clock.time += timedelta(days=12)
    assert await counting.turn() == 3, "the deputies' time is over"
    assert "vice_principal" not in await counting.offices()
    counting.clock.time += timedelta(days=8)
    assert await counting.turn() == 3
    assert await counting.turn() == 0
    assert (await counting.offices())["homeroom_teacher"] == (9, 0, 0, 3, 3, 3)
    before = await counting.state()
    await counting.rebuild()
    assert await counting.state() == before


async def test_a_school_that_changes_its_province_takes_its_counters_along(counting: Counting, another: Counting) -> None:
    moved = school_event("s2", 2, "2025-79")
    await counting.receive([*staff_events(), moved])
    assert (await counting.offices("2025-01"))["staff"][0] == 5
    assert (await counting.offices("2025-79"))["staff"][0] == 10
    await another.receive([moved, *staff_events()])
    assert await another.state() == await counting.state()
    assert await counting.differences() == set()


async def test_rebuild_mends_counters_that_were_damaged(counting: Counting) -> None:
    await counting.receive(staff_events())
    before = await counting.state()
    async with counting.database.transaction() as connection:
        await connection.execute("UPDATE tallies SET amount = amount + 2 WHERE scope = 'school' AND kind = 'principal'")
        await connection.execute("UPDATE tallies SET amount = 0 WHERE scope = 'nation' AND kind = 'school_seal'")
    assert await counting.differences() == {"staff_province_is_sum_of_parts", "staff_nation_is_sum_of_parts", "staff_school_is_count_of_things"}
    assert await counting.rebuild() == 3 * 7, "the schools' seals among them"
    assert await counting.state() == before


async def test_counters_that_nobody_turns_are_noticed(counting: Counting) -> None:
    await counting.receive(staff_events())
    async with counting.database.transaction() as connection:
        await connection.execute("UPDATE tallied SET turns_at = now() - interval '1 hour' WHERE item_id = $1", named("s1/head"))
    assert await counting.differences() == {"staff_turned_in_time"}


async def test_unlocks_are_counted_by_month_reason_and_place_with_how_long_they_stood_open(counting: Counting) -> None:
    await counting.receive([*staff_events(), *unlock_events()])
    months = ("2026-01", "2026-12")
    total, provinces = await counting.get("unlock")(EVERYTHING, "", "", "province", *months)
    wrong, remarked, other = unlock_statistics(total).counts
    assert (wrong.month, wrong.reason, wrong.requested, wrong.sealed, wrong.refused) == ("2026-05", "wrong_entry", 2, 1, 1)
    assert (wrong.opened, wrong.closed, wrong.open_seconds, wrong.within_4_hours, wrong.within_1_hour) == (1, 1, 5400, 1, 0)
    assert (remarked.reason, remarked.requested, remarked.open, remarked.opened, remarked.closed) == ("remarked", 1, 1, 1, 0)
    assert (other.reason, other.requested, other.lapsed, other.opened) == ("other", 1, 1, 0)
    assert [(part.place.province_id, sum(line.requested for line in unlock_statistics(part).counts)) for part in provinces] == [("2025-01", 3), ("2025-79", 1)]
    assert (await counting.get("unlock")(EVERYTHING, "", "", "", "2026-06", "2026-12"))[0].counts == {}
    assert await counting.differences() == set()
    before = await counting.state()
    await counting.rebuild()
    assert await counting.state() == before


async def test_counters_are_told_to_their_own_people_only(counting: Counting) -> None:
    await counting.receive(staff_events())
    get, principal, officer = counting.get("staff"), Viewer(schools=(named("s1"),)), Viewer(provinces=("2025-01",))
    await get(principal, "", named("s1"))
    await get(officer, "2025-01", "", "school")
    for viewer, province, of_school in ((principal, "2025-01", ""), (principal, "", named("s2")), (officer, "", ""), (officer, "2025-79", "")):
        with pytest.raises(Denied):
            await get(viewer, province, of_school)
    with pytest.raises(Malformed):
        await get(EVERYTHING, "2025-01", "", "province")
