"""Enrollment on a real database, entered by its gRPC face under any actor, without the network."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import psycopg
from google.protobuf.message import Message
from joserfc.jwk import ECKey

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.database import Database
from services.chassis.envelope import Envelope
from services.chassis.identity import Actor, Role, set_current_actor
from services.enrollment.adapters.population import NoPopulationDatabase
from services.enrollment.adapters.transactions import PostgresTransactions
from services.enrollment.app import door
from services.enrollment.application.ports import PopulationDatabase
from services.enrollment.entrypoints.rpc import EnrollmentRPC
from services.enrollment.settings import EnrollmentSettings
from services.rehearsal import names

T = TypeVar("T")
YEAR = 2026
TODAY = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HEADINGS = ("STT", "Mã định danh Bộ GD&ĐT", "Họ tên", "Ngày sinh", "Giới tính", "Dân tộc", "Trạng thái", "Số định danh cá nhân", "Lớp học", "Khối học")


@dataclass
class FixedClock:
    """A clock that stands still."""

    at: datetime = TODAY

    def now(self) -> datetime:
        return self.at


def actor(*roles: str, account: str = "") -> Actor:
    """A person who holds `role@scope` roles."""
    held = tuple(Role(*role.split("@", 1)) for role in roles)
    name = account or "-".join(sorted(role.name for role in held))
    return Actor(name, name, held)


def office(school_id: str) -> Actor:
    """A school's registrar."""
    return actor(f"registrar@school:{school_id}", account=f"registrar-{school_id[:8]}")


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class House:
    """Enrollment with its database and the key of grading, one reader of what it seals."""

    database: Database
    url: str
    owner_url: str
    envelope: Envelope
    rpc: EnrollmentRPC
    officer: Actor = field(default_factory=lambda: actor("system_operator@nation"))

    async def call(self, who: Actor, method: Callable[[Any, Any], Awaitable[T]], request: Message) -> T:
        """One call under an actor of its own."""

        async def run() -> T:
            set_current_actor(who)
            return await method(request, None)

        return await asyncio.create_task(run())

    async def school(self, code: str, province: str = "2025-79", levels: Sequence[common_pb2.Level.ValueType] = (common_pb2.LEVEL_LOWER_SECONDARY,)) -> str:
        """A school that has been open for years."""
        request = pb.RegisterSchoolRequest(
            request_id=new_id(), code=code, name=f"Trường {code}", province_id=province, levels=levels, valid_from="2010-08-01", public_school=True
        )
        return (await self.call(self.officer, self.rpc.RegisterSchool, request)).school_id

    async def form(self, school_id: str, name: str, grade: int = 6, year: int = YEAR) -> str:
        """A class of a school."""
        request = pb.FormClassRequest(request_id=new_id(), school_id=school_id, school_year=year, grade=grade, name=name)
        return (await self.call(office(school_id), self.rpc.FormClass, request)).class_id

    async def enrol(self, school_id: str, class_id: str, *pupils: ev.PupilProfile) -> pb.EnrolPupilsResponse:
        """Pupils of a class."""
        request = pb.EnrolPupilsRequest(request_id=new_id(), school_id=school_id, class_id=class_id, pupils=pupils)
        return await self.call(office(school_id), self.rpc.EnrolPupils, request)

    async def load(self, who: Actor, content: bytes, *, school_id: str = "", job_id: str = "", name: str = "ds.csv", **header: Any) -> pb.ImportRosterResponse:
        """Import a file; the last answer."""
        told = pb.ImportRosterRequest.Header(
            request_id=job_id or new_id(), school_id=school_id, school_year=YEAR, file_name=name, **({"form_classes": True} | header)
        )

        async def parts() -> AsyncIterator[pb.ImportRosterRequest]:
            yield pb.ImportRosterRequest(header=told)
            for start in range(0, len(content), 10_000):
                yield pb.ImportRosterRequest(chunk=content[start : start + 10_000])

        async def run() -> pb.ImportRosterResponse:
            set_current_actor(who)
            answers = [answer async for answer in self.rpc.ImportRoster(parts(), None)]
            assert [a.done for a in answers] == [False] * (len(answers) - 1) + [True]
            return answers[-1]

        return await asyncio.create_task(run())

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds, every school's."""
        with psycopg.connect(self.owner_url) as connection:
            connection.execute("SELECT set_config('hocba.scope', 'system', false)")
            return list(connection.execute(sql, values).fetchall())

    def events(self, kind: type[Message]) -> list[Any]:
        """Events of a kind that wait in the outbox, in order."""
        found = self.rows("SELECT payload FROM hocba_outbox WHERE type = %s ORDER BY id", kind.DESCRIPTOR.full_name)
        return [kind.FromString(bytes(payload)) for (payload,) in found]


def make_envelope(folder: Path) -> Envelope:
    """An envelope for enrollment's readers that can open grading's part."""
    keys = {name: ECKey.generate_key("P-256", {"kid": name, "use": "enc"}) for name in ("grading", "signing")}
    (folder / "readers.json").write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys.values()]}))
    (folder / "grading.json").write_text(json.dumps(keys["grading"].as_dict(private=True)))
    return Envelope(folder / "readers.json", folder / "grading.json", "grading")


def make_rpc(database: Database, envelope: Envelope, *, population: PopulationDatabase | None = None, **settings: Any) -> EnrollmentRPC:
    """The gRPC face as the app wires it."""
    told = EnrollmentSettings.model_construct(**{name: f.default for name, f in EnrollmentSettings.model_fields.items() if name in _OWN} | settings)
    return door(told, PostgresTransactions(database, envelope), population or NoPopulationDatabase(), FixedClock())


_OWN = {"population_at_once", "transfer_needs_both_schools", "import_chunk_rows", "import_file_megabytes"}


def profile(number: int, **told: Any) -> ev.PupilProfile:
    """A pupil of grade 6, the same for the same number; each has codes of his own."""
    draw = Random(number)  # Sample data.
    female = draw.random() < 0.5
    given = (names.FAMILY, names.MIDDLE_FEMALE if female else names.MIDDLE_MALE, names.GIVEN_FEMALE if female else names.GIVEN_MALE)
    values = {
        "full_name": " ".join(draw.choice(part) for part in given),
        "gender": "female" if female else "male",
        "birth_date": f"{YEAR - 11}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
        "ethnicity": "Kinh",
        "personal_number": f"079{3 if female else 2}{(YEAR - 11) % 100:02d}{number:06d}",
        "ministry_code": f"79{number:08d}",
    }
    return ev.PupilProfile(**(values | told))


def roster(pupils: Sequence[tuple[str, ev.PupilProfile]], *, school_codes: Sequence[str] = (), bom: bool = True) -> bytes:
    """A file under the Ministry's headings: pupils by class name, each with a school's code if there are codes."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*HEADINGS, *(["Mã trường"] if school_codes else [])])
    for row, (class_name, told) in enumerate(pupils, start=1):
        year, month, day = told.birth_date.split("-")
        cells = [row, told.ministry_code, told.full_name, f"{day}/{month}/{year}", {"male": "Nam", "female": "Nữ"}[told.gender], told.ethnicity, "Đang học"]
        writer.writerow([*cells, told.personal_number, class_name, "", *([school_codes[row - 1]] if school_codes else [])])
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")
