"""A whole grading service on real PostgreSQL, with one school that enrollment's events have made and a clock to turn.

Everything goes in by the doors that the world uses: events by the consumers, calls by the RPC class under an actor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

import asyncpg
from google.protobuf import symbol_database
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment
from hocba.grading.v1 import events_pb2, grading_pb2
from services.chassis.consumer import Received
from services.chassis.database import Database
from services.chassis.envelope import Envelope
from services.chassis.identity import Actor, Role, service_actor, set_current_actor
from services.grading.adapters.store import PostgresTransactions
from services.grading.app import use_cases
from services.grading.application.keep_roster import KeepRoster
from services.grading.application.withdraw_version import WithdrawVersion
from services.grading.domain.rulesets import rule_set_for
from services.grading.domain.sheets import layout
from services.grading.domain.subjects import HOMEROOM, form_rows
from services.grading.domain.terms import Level, Term, level_of_grade
from services.grading.entrypoints.consumers import GradingConsumers
from services.grading.entrypoints.rpc import GradingRPC
from services.stack.pki import Keys
from services.stack.postgresql import Databases
from tests.unit.grading.years import CLUSTERS, ELECTIVES, FILL

START = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROVINCE = "2025-79"
YEAR = 2025
WIRE_LEVEL = {
    Level.PRIMARY: common_pb2.LEVEL_PRIMARY,
    Level.LOWER_SECONDARY: common_pb2.LEVEL_LOWER_SECONDARY,
    Level.UPPER_SECONDARY: common_pb2.LEVEL_UPPER_SECONDARY,
}
NO_CONTEXT: Any = None
T = TypeVar("T")


class TurnedClock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


def an_id(name: str) -> str:
    return str(uuid5(UUID(int=2), name))


def new_id() -> str:
    return str(uuid4())


def stamp(at: datetime) -> Timestamp:
    wire = Timestamp()
    wire.FromDatetime(at)
    return wire


def received(event: Any) -> list[Received[Any]]:
    return [Received(event, new_id(), "key", START, {})]


SCHOOL, OTHER_SCHOOL = an_id("school"), an_id("other school")


def person(name: str, *roles: str, school: str = SCHOOL) -> Actor:
    return Actor(f"account of {name}", name, tuple(Role(role, f"school:{school}") for role in roles))


PRINCIPAL = person("principal", "principal")
REGISTRAR = person("registrar", "registrar")
HOMEROOM_TEACHER = person("homeroom", "homeroom_teacher")
TEACHER = person("teacher", "subject_teacher")
STRANGER = person("stranger", "subject_teacher")
LOCKING = service_actor("locking")


@dataclass
class SchoolClass:
    """A class with its pupils and the subjects it is taught."""

    class_id: str
    grade: int
    pupils: list[str]
    subjects: list[str] = field(default_factory=list)


@dataclass
class School:
    """One running grading service and what was put into it."""

    clock: TurnedClock
    rpc: GradingRPC
    consumers: GradingConsumers
    database: Database
    databases: Databases
    reader: Envelope
    transactions: PostgresTransactions
    window_versions: dict[int, int] = field(default_factory=dict)

    # --- the roster ---

    async def open(self) -> None:
        """The school, its people, a second school."""
        for school_id, name in ((SCHOOL, "Trường Hoa Mẫu"), (OTHER_SCHOOL, "Trường Lá Mẫu")):
            event = enrollment.SchoolRegistered(
                school_id=school_id,
                version=1,
                code="79000042",
                name=name,
                province_id=PROVINCE,
                province_name="Thành phố Hồ Chí Minh",
                commune_name="Phường Mẫu",
            )
            await self.consumers.on_school_registered(received(event))
        for name, role in (("principal", "principal"), ("homeroom", "homeroom_teacher"), ("teacher", "subject_teacher")):
            await self.appoint(name, role)

    async def appoint(self, name: str, role: str, version: int = 1, full_name: str = "", school: str = SCHOOL) -> None:
        event = enrollment.StaffAppointed(
            school_id=school, staff_id=an_id(f"staff {name}"), version=version, person_id=name, appointments=[enrollment.Appointment(role=role)]
        )
        self.reader_envelope().seal(event, "profile", enrollment.StaffProfile(full_name=full_name or f"Nguyễn Thị {name.title()}"))
        await self.consumers.on_staff_appointed(received(event))

    def reader_envelope(self) -> Envelope:
        return self.consumers.envelope

    async def form(self, grade: int, pupils: int, *, name: str = "", school: str = SCHOOL) -> SchoolClass:
        """A class with teachers for everything and so many pupils."""
        class_id = an_id(f"class {grade} {name} {school}")
        formed = enrollment.ClassFormed(
            school_id=school,
            class_id=class_id,
            version=1,
            school_year=YEAR,
            grade=grade,
            level=WIRE_LEVEL[level_of_grade(grade)],
            name=f"{grade}A{name}",
            homeroom_staff_id=an_id("staff homeroom"),
            province_id=PROVINCE,
        )
        await self.consumers.on_class_formed(received(formed))
        subjects = [s.code for s in form_rows(level_of_grade(grade)) if s.taught_in(grade) and (not s.elective_in(grade) or s.code in ELECTIVES)]
        assigned = enrollment.TeachingAssigned(
            school_id=school,
            class_id=class_id,
            version=1,
            assignments=[enrollment.Assignment(subject=s, staff_id=an_id("staff teacher"), responsible=True) for s in subjects],
        )
        await self.consumers.on_teaching_assigned(received(assigned))
        ids = [an_id(f"pupil {n} of {class_id}") for n in range(pupils)]
        await self.enrol(class_id, ids, school=school)
        made = SchoolClass(class_id, grade, ids, subjects)
        if grade >= 10:
            await self.choose(made)
        return made

    async def enrol(self, class_id: str, pupils: Sequence[str], *, version: int = 1, school: str = SCHOOL, numbers: bool = True, **details: Any) -> None:
        event = enrollment.PupilsEnrolled(
            school_id=school,
            class_id=class_id,
            school_year=YEAR,
            pupils=[enrollment.PupilRef(pupil_id=p, version=version, has_personal_number=numbers, roll_number=n) for n, p in enumerate(pupils, 1)],
        )
        profile = {"gender": "female", "birth_date": "2012-03-15", "full_name": "Trần Minh Hà", "personal_number": "079312000042" if numbers else "", **details}
        profiles = enrollment.PupilProfiles(profiles=[enrollment.PupilProfile(pupil_id=p, **profile) for p in pupils])
        self.reader_envelope().seal(event, "profiles", profiles)
        await self.consumers.on_pupils_enrolled(received(event))

    async def transfer(self, pupil: str, to_school: str, to_class: str, *, version: int = 2) -> None:
        event = enrollment.PupilTransferred(
            school_id=to_school or SCHOOL,
            pupil_id=pupil,
            school_year=YEAR,
            version=version,
            to_school_id=to_school,
            to_class_id=to_class,
            transferred_on="2026-01-15",
            roll_number=40,
        )
        await self.consumers.on_pupil_transferred(received(event))

    async def choose(self, school_class: SchoolClass) -> None:
        chosen = [grading_pb2.PupilSubjects(pupil_id=p, electives=ELECTIVES, clusters=CLUSTERS) for p in school_class.pupils]
        request = grading_pb2.SetSubjectsRequest(request_id=new_id(), class_id=school_class.class_id, pupils=chosen)
        answer = await self.by(REGISTRAR, self.rpc.SetSubjects(request, NO_CONTEXT))
        assert not answer.faults, answer.faults

    # --- calls ---

    async def by(self, actor: Actor, call: Any) -> Any:
        """Run a call as an actor, in a task of its own so that parallel calls don't share who they are."""

        async def run() -> Any:
            set_current_actor(actor)
            return await call

        return await asyncio.create_task(run())

    async def window(self, term: int = common_pb2.TERM_1, *, opens: datetime = START - HOUR, closes: datetime = START + HOUR, **scope: Any) -> None:
        version = self.window_versions[term] = self.window_versions.get(term, 0) + 1
        request = grading_pb2.GrantWindowRequest(
            window_id=an_id(f"window {term}"),
            version=version,
            scope=grading_pb2.Scope(**(scope or {"school_id": SCHOOL})),
            school_year=YEAR,
            term=term,  # type: ignore[arg-type]  # Both terms are valid values.
            opens_at=stamp(opens),
            closes_at=stamp(closes),
        )
        await self.by(LOCKING, self.rpc.GrantWindow(request, NO_CONTEXT))

    def sheet(self, school_class: SchoolClass, subject: str, cells: Iterable[tuple[str, str, str]], **fields: Any) -> grading_pb2.EnterSheetRequest:
        wire = [grading_pb2.Cell(pupil_id=p, column=c, value=v) for p, c, v in cells]
        given = {"request_id": new_id(), "term": common_pb2.TERM_1, **fields}
        return grading_pb2.EnterSheetRequest(class_id=school_class.class_id, subject=subject, cells=wire, **given)

    async def enter(self, school_class: SchoolClass, subject: str, cells: Iterable[tuple[str, str, str]], **fields: Any) -> grading_pb2.EnterSheetResponse:
        saved: grading_pb2.EnterSheetResponse = await self.by(TEACHER, self.rpc.EnterSheet(self.sheet(school_class, subject, cells, **fields), NO_CONTEXT))
        return saved

    async def fill(self, school_class: SchoolClass) -> None:
        """Every required cell of both terms, well marked."""
        rules = rule_set_for(school_class.grade, YEAR)
        for term in (Term.TERM_1, Term.TERM_2):
            await self.window(int(term))
            for subject in (*school_class.subjects, HOMEROOM):
                columns = layout(rules, school_class.grade, subject, term, cluster=subject in CLUSTERS and school_class.grade >= 10)
                cells = [(p, c.code, FILL[c.kind]) for p in school_class.pupils for c in columns if c.required]
                if subject == HOMEROOM:
                    wire = [grading_pb2.Cell(pupil_id=p, column=c, value=v) for p, c, v in cells]
                    request = grading_pb2.EnterHomeroomRequest(request_id=new_id(), class_id=school_class.class_id, term=int(term), cells=wire)  # type: ignore[arg-type]
                    answer = await self.by(HOMEROOM_TEACHER, self.rpc.EnterHomeroom(request, NO_CONTEXT))
                else:
                    answer = await self.enter(school_class, subject, cells, term=int(term))
                assert not answer.faults, answer.faults[0]

    async def seal(self, school_class: SchoolClass, lock_id: str = "", term: int = 0) -> grading_pb2.SealClassResponse:
        request = grading_pb2.SealClassRequest(lock_id=lock_id or new_id(), class_id=school_class.class_id, term=term)  # type: ignore[arg-type]
        answer: grading_pb2.SealClassResponse = await self.by(LOCKING, self.rpc.SealClass(request, NO_CONTEXT))
        return answer

    async def reopen(
        self, school_class: SchoolClass, subject: str, pupils: Sequence[str] = (), *, term: int = common_pb2.TERM_2, until: datetime = START + HOUR
    ) -> str:
        unlock_id = new_id()
        request = grading_pb2.ReopenScopeRequest(
            unlock_id=unlock_id,
            class_id=school_class.class_id,
            pupil_ids=pupils,
            subject=subject,
            term=term,  # type: ignore[arg-type]
            open_until=stamp(until),
            reason="Nhập nhầm",
        )
        await self.by(LOCKING, self.rpc.ReopenScope(request, NO_CONTEXT))
        return unlock_id

    # --- what came of it ---

    async def events(self, kind: type[T]) -> list[T]:
        """Everything of a kind in the outbox, oldest first."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT type, payload FROM hocba_outbox ORDER BY id")
        found = [symbol_database.Default().GetSymbol(row["type"]).FromString(row["payload"]) for row in rows]
        return [event for event in found if isinstance(event, kind)]

    async def value(self, sql: str, *arguments: Any) -> Any:
        """One value as the system sees it."""
        async with self.database.transaction() as connection:
            return await connection.fetchval(sql, *arguments)

    def records_of(self, event: events_pb2.ClassSealed) -> list[bytes]:
        """The canonical records, opened as a reader would."""
        return list(self.reader.open(event.records, events_pb2.SealedRecords).records)

    def sheets_of(self, event: events_pb2.ClassSealed) -> list[bytes]:
        """The canonical class-subject sheets, opened as a reader would."""
        return list(self.reader.open(event.records, events_pb2.SealedRecords).sheets)

    async def as_owner(self, sql: str) -> None:
        connection = await asyncpg.connect(self.databases.owner_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def a_school(databases: Databases, keys: Keys) -> AsyncIterator[School]:
    """A school on a database of its own."""
    database = Database(databases.url, name="grading-test", pool=16)
    await database.open()
    envelope = Envelope(keys.envelope_readers, keys.envelope_key("grading"), "grading")
    reader = Envelope(keys.envelope_readers, keys.envelope_key("signing"), "signing")
    clock = TurnedClock()
    transactions = PostgresTransactions(database, envelope)
    set_current_actor(service_actor("grading"))
    rpc = GradingRPC(use_cases(transactions, clock, rule_set_for))
    made = School(clock, rpc, GradingConsumers(KeepRoster(transactions), WithdrawVersion(transactions), envelope), database, databases, reader, transactions)
    await made.open()
    try:
        yield made
    finally:
        await database.close()
