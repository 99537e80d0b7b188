"""The read model on a real database: any order, any repetition and any concurrency of events lead to the same rows."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from hocba.archive.v1 import events_pb2 as archive_pb2
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from hocba.grading.v1 import events_pb2 as grading_pb2
from hocba.locking.v1 import events_pb2 as locking_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.chassis.consumer import Received, handlers_of
from services.chassis.database import Database
from services.chassis.errors import Conflict, Denied, NotFound
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.adapters.tallies import PostgresTallies
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.ports import Viewer
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.domain.counting import Age
from services.reporting.domain.standing import who_acts
from services.reporting.entrypoints.consumers import ReportingConsumers
from tests.support.postgres import DatabaseFactory

YEAR = 2025
EVERYTHING = Viewer(everything=True)
ROLES = (
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER,
    common_pb2.SIGNATURE_ROLE_PRINCIPAL,
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL,
)


def named(text: str) -> str:
    """The same UUID for the same text."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


SCHOOLS = {"s1": "2025-01", "s2": "2025-01", "s3": "2025-79"}
CLASSES = {f"{school}-{number}": school for school in SCHOOLS for number in (1, 2)}


def ref(pupil: str, version: int) -> common_pb2.TranscriptRef:
    return common_pb2.TranscriptRef(transcript_id=named(f"t{pupil}"), pupil_id=named(pupil), version=version)


def pupils_of(class_name: str) -> list[str]:
    return [f"{class_name}-p{number}" for number in range(5)]


def place(class_name: str) -> dict[str, Any]:
    school = CLASSES[class_name]
    return {"class_id": named(class_name), "school_id": named(school), "province_id": SCHOOLS[school]}


def roster() -> list[Message]:
    events: list[Message] = [
        enrollment_pb2.SchoolRegistered(school_id=named(school), version=1, name=f"Trường {school}", province_id=province, province_name=province)
        for school, province in SCHOOLS.items()
    ]
    for class_name, school in CLASSES.items():
        ids = {"school_id": named(school), "class_id": named(class_name), "school_year": YEAR}
        events.append(enrollment_pb2.ClassFormed(**ids, version=1, grade=10, name=class_name, province_id=SCHOOLS[school]))  # type: ignore[arg-type]  # A plain mapping.
        pupils = [
            enrollment_pb2.PupilRef(
                pupil_id=named(pupil),
                version=1,
                has_personal_number=number > 0,
                identity_state="matched" if number else "unchecked",
                missing_fields=["birth_place"] if number == 2 else [],
            )
            for number, pupil in enumerate(pupils_of(class_name))
        ]
        events.append(enrollment_pb2.PupilsEnrolled(**ids, pupils=pupils))  # type: ignore[arg-type]  # A plain mapping.
    return events


def sheet(class_name: str, subject: str, version: int = 1) -> common_pb2.SheetRef:
    return common_pb2.SheetRef(sheet_id=named(f"{class_name}/{subject}"), version=version, subject=subject)


def sheets_signed(class_name: str, *sheets: common_pb2.SheetRef) -> Message:
    return signing_pb2.SheetsSigned(**place(class_name), school_year=YEAR, sheets=[signing_pb2.SignedSheet(sheet=one) for one in sheets])


def sealed(class_name: str, class_version: int, version: int, waiting: dict[str, list[str]]) -> Message:
    outcomes = [
        grading_pb2.PupilOutcome(transcript=ref(pupil, 0 if pupil in waiting else version), sealed=pupil not in waiting, waiting_reasons=waiting.get(pupil, []))
        for pupil in pupils_of(class_name)
    ]
    sheets = [grading_pb2.SealedSheet(sheet=sheet(class_name, subject)) for subject in ("toan", "ngu_van")]
    return grading_pb2.ClassSealed(**place(class_name), school_year=YEAR, grade=10, class_version=class_version, outcomes=outcomes, sheets=sheets)


def term_end(class_name: str) -> list[Message]:
    """A class's way: one pupil waits, one signature fails and is repeated, one document is refused, one is corrected."""
    first, second, third, *_ = pupils_of(class_name)
    ready = pupils_of(class_name)[1:]
    where = place(class_name)
    events: list[Message] = [sealed(class_name, 1, 1, {first: ["no_personal_number"]})]
    events += [sheets_signed(class_name, sheet(class_name, "toan")), sheets_signed(class_name, sheet(class_name, "ngu_van"))]
    for role in ROLES:
        events.append(signing_pb2.ManifestMoved(**where, state="approved", role=role, transcripts=[ref(pupil, 1) for pupil in ready]))
        outcomes = [signing_pb2.PupilSigning(transcript=ref(pupil, 1), signed=pupil != second, reason="certificate_expired") for pupil in ready]
        events.append(signing_pb2.RoleSigned(**where, role=role, outcomes=outcomes))
        repeated = [signing_pb2.PupilSigning(transcript=ref(second, 1), signed=True)]
        events.append(signing_pb2.RoleSigned(**where, role=role, outcomes=repeated))
    events.append(
        signing_pb2.TranscriptsSigned(**where, school_year=YEAR, transcripts=[signing_pb2.SignedTranscript(transcript=ref(pupil, 1)) for pupil in ready])
    )
    admitted = [archive_pb2.ArchivedTranscript(transcript=ref(pupil, 1)) for pupil in ready if pupil != third]
    events.append(archive_pb2.TranscriptsArchived(**where, school_year=YEAR, transcripts=admitted))
    refused = archive_pb2.RejectedTranscript(transcript=ref(third, 1), reason="signer_untrusted")
    events.append(archive_pb2.TranscriptsRejected(**where, school_year=YEAR, transcripts=[refused]))
    return events


def whole_term() -> list[Message]:
    events = roster()
    for class_name in CLASSES:
        events += term_end(class_name)
    moving = pupils_of("s1-1")[0]
    events.append(
        enrollment_pb2.PupilTransferred(
            school_id=named("s3"), pupil_id=named(moving), school_year=YEAR, version=2, from_school_id=named("s1"), from_class_id=named("s1-1"),
            to_school_id=named("s3"), to_class_id=named("s3-1"), from_province_id="2025-01", to_province_id="2025-79",
        )
    )  # fmt: skip
    return events


def announced_at(event: Message) -> datetime:
    """Stands for when it was announced, which doesn't depend on when it is read."""
    return datetime(2026, 5, 31, tzinfo=UTC) + timedelta(seconds=len(event.SerializeToString()) % 1000)


@dataclass
class Reporting:
    """Reporting over a database of this test's own."""

    database: Database

    @property
    def figures(self) -> PostgresFigures:
        return PostgresFigures(self.database)

    async def receive(self, events: Sequence[Message], *, batch: int = 1, lanes: int = 1) -> None:
        """Hand the events over as the consumers get them: runs of one type, repeated after a conflict, on several lanes at once."""
        model = PostgresReadModel(self.database)
        handlers = handlers_of(ReportingConsumers(ApplyNews(model), KeepDetails(model)))
        queue: list[list[Received[Any]]] = []
        for event in events:
            received = Received(event, str(uuid.uuid4()), "", announced_at(event), {})
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

    async def state(self) -> list[Any]:
        """What the events led to; counters of zero say nothing."""
        queries = (
            "SELECT * FROM schools ORDER BY 1",
            "SELECT * FROM classes ORDER BY 1",
            "SELECT pupil_id, school_year, facts::text, class_id, school_id, province_id, steps, reason FROM pupils ORDER BY 1, 2",
            "SELECT scope, scope_id, school_year, grade, measure, pupils FROM counters WHERE pupils <> 0 ORDER BY 1, 2, 3, 4, 5",
            "SELECT class_id, pupil_id, news::text FROM waiting_news ORDER BY 1, 2",
            "SELECT * FROM sheets ORDER BY 1, 2, 3",
            "SELECT * FROM unlocks ORDER BY 1",
        )
        async with self.database.transaction() as connection:
            return [[tuple(row) for row in await connection.fetch(query)] for query in queries]

    async def total(self, province: str = "", school: str = "") -> dict[str, int]:
        total, _, _ = await GetCoverage(self.figures)(EVERYTHING, YEAR, province, school)
        return dict(total.counts)

    async def differences(self) -> Sequence[Any]:
        return await Reconcile(self.figures, PostgresTallies(self.database))(EVERYTHING, YEAR, "")


@pytest_asyncio.fixture
async def reporting(make_database: DatabaseFactory) -> AsyncIterator[Reporting]:
    database = Database(make_database("reporting").url, name="test", pool=6)
    await database.open()
    yield Reporting(database)
    await database.close()


@pytest_asyncio.fixture
async def another(make_database: DatabaseFactory) -> AsyncIterator[Reporting]:
    database = Database(make_database("reporting").url, name="test", pool=6)
    await database.open()
    yield Reporting(database)
    await database.close()


async def test_term_end_is_counted_with_a_reason_for_everybody_who_is_missing(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    nation = await reporting.total()
    assert nation == {
        "enrolled": 30, "identity_verified": 24, "without_number": 6, "without_birth_place": 6, "ready": 29, "sealed": 24,
        "approved_homeroom": 24, "approved_principal": 24, "approved_seal": 24,
        "signed_homeroom": 24, "signed_principal": 24, "signed_seal": 24, "archived": 18, "rejected": 6,
        "reason:no_personal_number": 6, "reason:rejected": 6,
    }  # fmt: skip
    assert (await reporting.total("2025-01"))["enrolled"] == 19
    assert (await reporting.total("2025-79"))["enrolled"] == 11
    assert (await reporting.total(school=named("s1")))["archived"] == 6
    assert await reporting.differences() == []


@pytest.mark.parametrize("seed", range(4))
async def test_shuffled_repeated_and_concurrent_events_lead_to_the_same_rows(reporting: Reporting, another: Reporting, seed: int) -> None:
    await reporting.receive(whole_term(), batch=500)
    chance = random.Random(seed)
    events = whole_term() + chance.sample(whole_term(), 20)
    chance.shuffle(events)
    await another.receive(events, batch=chance.choice([1, 7, 500]), lanes=4)
    assert await another.state() == await reporting.state()
    assert await another.differences() == []


async def test_replay_from_the_start_changes_nothing(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    before = await reporting.state()
    await reporting.receive(whole_term(), batch=3)
    assert await reporting.state() == before


async def test_class_that_moves_takes_its_counters_along(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    moved = enrollment_pb2.ClassFormed(school_id=named("s3"), class_id=named("s1-2"), version=2, school_year=YEAR, grade=10, name="10A9", province_id="2025-79")
    await reporting.receive([moved])
    assert (await reporting.total(school=named("s1")))["enrolled"] == 4
    assert (await reporting.total(school=named("s3")))["enrolled"] == 16
    assert (await reporting.total("2025-79"))["enrolled"] == 16
    assert await reporting.differences() == []


async def test_signatures_told_before_anybody_tells_of_the_class_wait_for_its_year(reporting: Reporting) -> None:
    signed = [event for event in term_end("s1-1") if isinstance(event, signing_pb2.RoleSigned)]
    await reporting.receive(signed)
    assert await reporting.total() == {}
    await reporting.receive([*roster(), sealed("s1-1", 1, 1, {})])
    assert (await reporting.total())["signed_seal"] == 4


async def test_class_whose_sheets_lack_a_signature_awaits_its_subject_teachers_since_the_seal(reporting: Reporting) -> None:
    await reporting.receive(roster(), batch=500)
    homeroom = signing_pb2.ManifestMoved(**place("s1-1"), state="approved", role=ROLES[0], transcripts=[ref(pupil, 1) for pupil in pupils_of("s1-1")])

    async def missing() -> set[tuple[str, datetime | None]]:
        found = await ListMissing(reporting.figures)(EVERYTHING, YEAR, "", named("s1-1"))
        return {(one.reason, one.since) for one in found}

    seal = sealed("s1-1", 1, 1, {})
    await reporting.receive([seal])
    since = datetime(2026, 5, 31, tzinfo=UTC) + timedelta(seconds=len(seal.SerializeToString()) % 1000)
    assert await missing() == {("awaiting_subject_teacher", since)}
    assert who_acts("awaiting_subject_teacher") == "subject_teacher"
    await reporting.receive([homeroom, sheets_signed("s1-1", sheet("s1-1", "toan"), sheet("s1-1", "toan", 7))])
    assert await missing() == {("awaiting_subject_teacher", since)}, "an early approval waits, and one sheet is lacking"
    assert (await reporting.total(school=named("s1")))["reason:awaiting_subject_teacher"] == 5
    last = sheets_signed("s1-1", sheet("s1-1", "ngu_van"))
    await reporting.receive([last])
    turned = datetime(2026, 5, 31, tzinfo=UTC) + timedelta(seconds=len(last.SerializeToString()) % 1000)
    assert await missing() == {("signing_under_way", turned)}
    assert await reporting.differences() == []
    before = await reporting.state()
    await RebuildCounters(PostgresReadModel(reporting.database))()
    assert await reporting.state() == before


async def test_correction_takes_the_class_back_until_it_is_signed_anew(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    await reporting.receive([sealed("s1-2", 2, 2, {})])
    school = await reporting.total(school=named("s1"))
    assert (school["archived"], school["reason:awaiting_homeroom_teacher"]) == (3, 5)
    assert await reporting.differences() == []


async def test_rebuild_mends_counters_that_were_damaged(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    before = await reporting.state()
    async with reporting.database.transaction() as connection:
        await connection.execute("UPDATE counters SET pupils = pupils + 3 WHERE scope = 'class' AND measure = 'sealed'")
        await connection.execute("UPDATE counters SET pupils = 0 WHERE scope = 'province' AND measure = 'archived'")
    checks = {item.check for item in await reporting.differences()}
    assert checks == {"school_is_sum_of_parts", "province_is_sum_of_parts", "nation_is_sum_of_parts", "class_is_count_of_pupils"}
    assert await RebuildCounters(PostgresReadModel(reporting.database))() == 30
    assert await reporting.state() == before
    assert await reporting.differences() == []


async def test_grades_sum_up_to_their_scope(reporting: Reporting) -> None:
    await reporting.receive([*whole_term(), enrollment_pb2.ClassFormed(school_id=named("s1"), class_id=named("s1-2"), version=3, school_year=YEAR, grade=11,
        name="11A1", province_id="2025-01")], batch=500)  # fmt: skip
    for province, school in (("", ""), ("2025-01", ""), ("", named("s1"))):
        total, grades, _ = await GetCoverage(reporting.figures)(EVERYTHING, YEAR, province, school, "grade")
        assert [part.place.grade for part in grades] == [10, 11]
        assert sum((Counter(part.counts) for part in grades), Counter()) == total.counts
    _, provinces, _ = await GetCoverage(reporting.figures)(EVERYTHING, YEAR, "", "", "province")
    assert [(part.place.province_id, part.place.name, part.counts["enrolled"]) for part in provinces] == [
        ("2025-01", "2025-01", 19),
        ("2025-79", "2025-79", 11),
    ]
    with pytest.raises(Denied):
        await GetCoverage(reporting.figures)(Viewer(provinces=("2025-01",)), YEAR, "", "", "grade")


async def test_those_who_wait_are_told_since_when_and_damage_to_it_is_found(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    day = datetime(2026, 5, 31, tzinfo=UTC).date()
    for school in ("", named("s1")):
        total, _, _ = await GetCoverage(reporting.figures)(EVERYTHING, YEAR, "", school)
        assert total.ages == {"no_personal_number": Age(day, day), "rejected": Age(day, day)}
    assert (await GetClassStatus(reporting.figures)(EVERYTHING, named("s1-1")))[0].ages["rejected"] == Age(day, day)
    async with reporting.database.transaction() as connection:
        await connection.execute("UPDATE waits SET day = day - 1 WHERE scope = 'school' AND scope_id = $1", named("s1"))
        await connection.execute("UPDATE waits SET pupils = 0 WHERE scope = 'nation' AND reason = 'rejected'")
    assert {item.check for item in await reporting.differences()} == {"waiting_is_count_of_pupils", "waiting_is_sum_of_reason"}
    await RebuildCounters(PostgresReadModel(reporting.database))()
    assert await reporting.differences() == []


@dataclass
class HandClock:
    """Stands still until it is set."""

    time: datetime

    def now(self) -> datetime:
        return self.time


async def test_numbers_are_told_as_they_stood(reporting: Reporting) -> None:
    clock = HandClock(datetime(2026, 5, 31, 1, tzinfo=UTC))
    history = PostgresHistory(reporting.database)
    take, ask = TakeSnapshot(history, clock), GetHistory(reporting.figures, history)
    await reporting.receive(roster(), batch=500)
    assert await take() == 1 + 2 + 3
    assert await take() == 0, "within the hour"
    clock.time += timedelta(hours=1)
    assert await take() == 0, "nothing has moved"
    await reporting.receive(term_end("s1-1"))
    clock.time += timedelta(hours=1)
    assert await take() == 1 + 1, "the nation and one province; schools once a day"
    assert await TakeSnapshot(history, clock)() == 1, "another instance: its day begins with the schools"
    await reporting.receive(term_end("s1-2"))
    clock.time += timedelta(hours=20)
    assert await take() == 1 + 1 + 1

    async def archived(school: str = "", since: datetime | None = None, until: datetime = clock.time) -> list[int]:
        year, points = await ask(EVERYTHING, 0, "", school, since, until)
        assert year == YEAR
        return [point.coverage.counts.get("archived", 0) for point in points]

    assert await archived() == [0, 3, 6]
    assert await archived(named("s1")) == [0, 3, 6]
    assert await archived(named("s3")) == [0]
    half_past_four = datetime(2026, 5, 31, 4, 30, tzinfo=UTC)
    assert await archived(since=half_past_four) == [3, 6]
    assert await archived(since=half_past_four, until=half_past_four) == [3]
    with pytest.raises(Denied):
        await ask(Viewer(schools=(named("s1"),)), YEAR, "", "", None, clock.time)


async def test_parts_are_named_and_missing_pupils_listed_with_who_must_act(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    _, schools, _ = await GetCoverage(reporting.figures)(EVERYTHING, YEAR, "2025-01", "", "school")
    assert [part.place.name for part in schools] == ["Trường s1", "Trường s2"]
    _, classes, year = await GetCoverage(reporting.figures)(EVERYTHING, 0, "", named("s1"), "class")
    assert year == YEAR
    assert [(part.place.name, part.counts["archived"]) for part in classes] == [("s1-1", 3), ("s1-2", 3)]
    missing = await ListMissing(reporting.figures)(EVERYTHING, YEAR, named("s2"), "")
    assert sorted(item.reason for item in missing) == ["no_personal_number"] * 2 + ["rejected"] * 2


async def test_class_status_shows_sheets_and_open_unlocks(reporting: Reporting) -> None:
    sheet = {"class_id": named("s1-1"), "subject": "toan", "term": common_pb2.TERM_1}

    def unlock(version: int, state: str) -> Message:
        return locking_pb2.UnlockMoved(class_id=named("s1-1"), unlock_id=named("u"), version=version, state=state)

    await reporting.receive(
        [
            *roster(),
            grading_pb2.SheetSaved(**sheet, version=2, expected=40, filled=40),  # type: ignore[arg-type]  # A plain mapping.
            grading_pb2.SheetSaved(**sheet, version=1, expected=40, filled=10),  # type: ignore[arg-type]  # A plain mapping.
            unlock(1, "requested"),
        ]
    )
    status = GetClassStatus(reporting.figures)
    coverage, sheets, unlocks = await status(EVERYTHING, named("s1-1"))
    assert (coverage.counts["enrolled"], [item.filled for item in sheets], [item.state for item in unlocks]) == (5, [40], ["requested"])
    await reporting.receive([unlock(4, "sealed"), unlock(3, "granted")])
    assert (await status(EVERYTHING, named("s1-1")))[2] == []


async def test_numbers_are_told_to_their_own_people_only(reporting: Reporting) -> None:
    await reporting.receive(whole_term(), batch=500)
    coverage, missing = GetCoverage(reporting.figures), ListMissing(reporting.figures)

    async def may(viewer: Viewer, province: str, school: str) -> bool:
        try:
            await coverage(viewer, YEAR, province, school)
        except Denied:
            return False
        return True

    principal, officer = Viewer(schools=(named("s1"),)), Viewer(provinces=("2025-01",))
    asked = [("", ""), ("2025-01", ""), ("2025-79", ""), ("", named("s1")), ("", named("s2")), ("", named("s3"))]
    assert [await may(principal, *scope) for scope in asked] == [False, False, False, True, False, False]
    assert [await may(officer, *scope) for scope in asked] == [False, True, False, True, True, False]
    assert [await may(EVERYTHING, *scope) for scope in asked] == [True] * 6
    assert [await may(Viewer(), *scope) for scope in asked] == [False] * 6
    with pytest.raises(Denied):
        await missing(principal, YEAR, named("s1"), named("s3-1"))
    with pytest.raises(NotFound):
        await coverage(EVERYTHING, YEAR, "", named("nowhere"))
