"""A whole signing service on real PostgreSQL: its use cases wired as in app.py, with a clock to turn and keys of its own.

Kafka is left out here: orders are read from the outbox and given to the worker by hand, as often and as late as a test likes.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from hocba.signing.v1 import events_pb2 as events
from services.chassis.database import Database
from services.signing import app, contracts
from services.signing.adapters.transactions import PostgresTransactions
from services.signing.application import approve_manifest, register_certificate, reject_manifest
from services.signing.application.know_people import KnowPeople, SchoolFact
from services.signing.application.ports import ManifestRow, Progress, Request
from services.signing.application.release_queued import ReleaseQueued
from services.signing.application.take_sealed_class import TakeSealedClass
from services.signing.domain.documents import DocumentKind
from services.signing.domain.people import Appointment, Caller, StaffMember
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place, Ref, SealedClass, SealedPupil, SealedSheet
from services.signing.entrypoints.rpc import SigningRPC
from services.signing.entrypoints.worker import SigningWorker
from services.signing.settings import SigningSettings
from services.stack.postgresql import Databases
from services.stack.signer_pki import KeyKind, Signer, SignerPki
from tests.support.records import record_of, with_sheet
from tests.support.trust import Trust

START = datetime.now(UTC).replace(microsecond=0)
SCHOOL, CLASS = str(uuid.uuid4()), str(uuid.uuid4())
PROVINCE = "2025-79"
NAMES = {
    SignatureRole.SUBJECT_TEACHER: "Phạm Thị Mẫu",
    SignatureRole.HOMEROOM_TEACHER: "Nguyễn Thị Mẫu",
    SignatureRole.PRINCIPAL: "Trần Văn Mẫu",
    SignatureRole.SCHOOL_SEAL: "Lê Thị Mẫu",
}
OFFICES = {
    SignatureRole.SUBJECT_TEACHER: "subject_teacher",
    SignatureRole.HOMEROOM_TEACHER: "homeroom_teacher",
    SignatureRole.PRINCIPAL: "principal",
    SignatureRole.SCHOOL_SEAL: "clerk",
}
STAFF = {role: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{SCHOOL}/{role}")) for role in SignatureRole}


class TurnedClock:
    """A clock that stands until it is turned; the outside parties tell the same time."""

    def __init__(self, trust: Trust) -> None:
        self.at = START
        self._trust = trust
        self.outside()

    def now(self) -> datetime:
        return self.at

    def turn(self, by: timedelta) -> None:
        self.at += by
        self.outside()

    def outside(self, **how: Any) -> None:
        """How the trust services behave from now on; what isn't named is normal."""
        self._trust.behave(at=self.at.isoformat(), **how)


def caller(role: SignatureRole, school: str = SCHOOL) -> Caller:
    """The person who holds the role's office at the school."""
    return Caller(f"account-{role}", f"person-{STAFF[role]}", ((OFFICES[role], f"school:{school}"),))


def request(method: str) -> Request:
    """A fresh request."""
    return Request(str(uuid.uuid4()), method, b"")


@dataclass
class World:
    """One service with one school and one class."""

    database: Database
    transactions: PostgresTransactions
    clock: TurnedClock
    rpc: SigningRPC
    worker: SigningWorker
    take: TakeSealedClass
    know: KnowPeople
    release: ReleaseQueued
    pki: SignerPki
    settings: SigningSettings
    level: str = "lower_secondary"
    homes: dict[SignatureRole, str] = field(default_factory=dict)
    """What stands before a role's key name: where its key lives, if not in a PKCS#12 file."""
    kinds: dict[SignatureRole, KeyKind] = field(default_factory=dict)
    """What kind of key a role has, if not RSA."""
    pupils: list[str] = field(default_factory=lambda: [str(uuid.uuid4()) for _ in range(3)])
    done: set[str] = field(default_factory=set)

    async def people(self) -> None:
        """The school, its signers, and their certificates."""
        await self.know([SchoolFact(SCHOOL, PROVINCE, 1, "Trường Mẫu"), *(self.member(role) for role in SignatureRole)])
        for role in SignatureRole:
            await self.certify(role)

    def member(self, role: SignatureRole, version: int = 1, *appointments: Appointment) -> StaffMember:
        held = appointments or (Appointment(OFFICES[role], "2025-08-01", "", "", ""),)
        return StaffMember(STAFF[role], SCHOOL, version, f"person-{STAFF[role]}", NAMES[role], held)

    async def certify(self, role: SignatureRole) -> None:
        seal = role is SignatureRole.SCHOOL_SEAL
        staff = None if seal else STAFF[role]
        kind = self.kinds.get(role, KeyKind.RSA_2048)
        name = f"{role}-{SCHOOL}" + ("" if kind is KeyKind.RSA_2048 else f"-{kind}")
        signer = Signer(name, "Trường Mẫu" if seal else NAMES[role], "Trường Mẫu", "Thành phố Mẫu", "", staff or "", kind)
        (made,) = self.pki.make([signer])
        office = Caller("office", "person-office", (("registrar", f"school:{SCHOOL}"),))
        await self.rpc.register_certificate(
            register_certificate.Command(
                request("RegisterCertificate"), office, SCHOOL, role, staff, made.certificate, made.chain, self.homes.get(role, "") + signer.key_name
            )
        )

    def sealed(self, class_version: int = 1, **changed: Any) -> SealedClass:
        """The class as grading would tell it; `changed` may hold versions and comments by pupil, and a list of pupils.

        `sheets` names (subject, version, pupils in it): their rows stand in a sheet that the subject teacher signs.
        """
        versions: dict[str, int] = changed.get("versions", {})
        comments: dict[str, str] = changed.get("comments", {})
        contents = {pupil: record_of(self.level, pupil, versions.get(pupil, 1), comment=comments.get(pupil)) for pupil in changed.get("pupils", self.pupils)}
        sheets = []
        for subject, sheet_version, rows in changed.get("sheets", ()):
            proven, sheet = with_sheet([contents[pupil] for pupil in rows if pupil in contents], subject, sheet_version)
            contents |= dict(zip((pupil for pupil in rows if pupil in contents), proven, strict=True))
            of_sheet = Ref(sheet.sheet_id, "", sheet_version, sha256(sheet.content).digest(), sheet.public_id, DocumentKind.SHEET, subject)
            sheets.append(SealedSheet(of_sheet, sheet.content, STAFF[SignatureRole.SUBJECT_TEACHER]))
        pupils = []
        for pupil, content in contents.items():
            version = versions.get(pupil, 1)
            public_id = json.loads(content)["transcript"]["public_id"]
            ref = Ref(pupil, str(uuid.uuid5(uuid.NAMESPACE_OID, pupil)), version, sha256(content).digest(), public_id)
            pupils.append(SealedPupil(ref, content, 0))
        place = Place(CLASS, SCHOOL, PROVINCE)
        homeroom = STAFF[SignatureRole.HOMEROOM_TEACHER]
        level = self.level.upper()
        return SealedClass(place, 2025, 8, level, class_version, 0, 1, self.clock.now(), homeroom, tuple(pupils), tuple(sheets))

    async def seal(self, class_version: int = 1, **changed: Any) -> SealedClass:
        sealed = self.sealed(class_version, **changed)
        await self.take(sealed)
        return sealed

    async def told(self, kind: type[Message]) -> list[Any]:
        """All events of a kind in the outbox, oldest first."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch("SELECT payload FROM hocba_outbox WHERE type = $1 ORDER BY id", kind.DESCRIPTOR.full_name)
        return [kind.FromString(bytes(row["payload"])) for row in rows]

    async def orders(self) -> list[events.SigningOrder]:
        """All orders ever released, mass and express; whatever is queued is released first."""
        while await self.release():
            pass
        express = [e.order for e in await self.told(events.ExpressSigningOrder)]
        return [*await self.told(events.SigningOrder), *express]

    async def work(self) -> int:
        """Let the worker do every order that it has not done; gives how many."""
        return await self.work_until("")

    async def work_until(self, step: str) -> int:
        """The same, but orders of this step stay undone."""
        count = 0
        while fresh := [order for order in await self.orders() if order.order_id not in self.done and order.step != step]:
            for order in fresh:
                await self.do(order)
                count += 1
        return count

    async def do(self, order: events.SigningOrder) -> None:
        """Deliver one order to the worker."""
        order_id, step = contracts.order_of(order)
        await self.worker.use_case(step)(order_id)
        self.done.add(order_id)

    async def manifests(self, state: str = "ready") -> list[ManifestRow]:
        async with self.transactions() as work:
            return [m for m in await work.manifests.listed("", CLASS, None) if m.state.value == state]

    async def approve(self, manifest: ManifestRow, role: SignatureRole, who: Caller | None = None) -> str:
        answer = await self.rpc.approve_manifest(
            approve_manifest.Command(request("ApproveManifest"), who or caller(role), manifest.manifest_id, role, manifest.merkle_root)
        )
        await self.release()  # As the running service does at once.
        return answer["released"]

    async def reject(self, manifest: ManifestRow, role: SignatureRole) -> None:
        command = reject_manifest.Command(request("RejectManifest"), caller(role), manifest.manifest_id, role, "sai tên học sinh")
        await self.rpc.reject_manifest(command)

    async def progress(self) -> tuple[Progress, list[tuple[str, str]]]:
        """How far the class is, and what doesn't go on: (transcript or sheet id, reason)."""
        (found,), failures = await self.rpc.get_progress(caller(SignatureRole.PRINCIPAL), SCHOOL, CLASS)
        return found, [(failure.spot.transcript_id, failure.reason) for failure in failures]

    async def approve_all(self) -> None:
        """Every role approves every ready manifest of its documents."""
        for manifest in await self.manifests():
            for role in manifest.policy.roles:
                await self.approve(manifest, role)

    async def issued(self) -> dict[tuple[str, int], bytes]:
        """Every finished document by transcript (or sheet) and version, out of the packs that were announced."""
        found: dict[tuple[str, int], bytes] = {}
        for told in [*await self.told(events.TranscriptsSigned), *await self.told(events.SheetsSigned)]:
            pack = (Path(self.settings.staging_url) / told.pack).read_bytes()
            assert sha256(pack).digest() == told.pack_digest
            for name, content in unpacked(pack).items():
                found[name] = content
        return found

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        """Rows as the service itself would see them."""
        async with self.database.transaction() as connection:
            return list(await connection.fetch(sql, *values))


def unpacked(pack: bytes) -> dict[tuple[str, int], bytes]:
    """Documents of a pack by (transcript id, version)."""
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        found = {}
        for name in archive.namelist():
            transcript_id, version = name.removesuffix(".pdf").rsplit("-v", 1)
            found[transcript_id, int(version)] = archive.read(name)
        return found


def settings_for(databases: Databases, folder: Path, pki: SignerPki, **more: Any) -> SigningSettings:
    """Settings of a service that talks to no broker."""
    nowhere = folder / "nowhere"
    return SigningSettings.model_construct(
        database_url=databases.url,
        staging_url=str(folder / "staging"),
        trust_dir=pki.anchors,
        keys_dir=pki.keys,
        keys_password_file=None,
        pkcs11_library=None,
        pkcs11_pins_dir=None,
        pkcs11_sessions=2,
        remote_providers_file=None,
        remote_batch=50,
        webhook_listen="",
        key_journal_dir=folder / "journal",
        instance="worker-1",
        verification_url="https://tracuu.hocba.example/t",
        form_version="v1",
        express_limit=1,
        tsa_url=f"{pki.services}/tsa",
        tsa_chain_dir=pki.folder,
        envelope_key_file=nowhere,
        **more,
    )


def wired(database: Database, settings: SigningSettings, clock: TurnedClock, pki: SignerPki, level: str = "lower_secondary") -> World:
    """The parts as app.py names them."""
    transactions = PostgresTransactions(database)
    return World(
        database,
        transactions,
        clock,
        app.doors(settings, transactions, clock),
        app.worker(settings, transactions, clock),
        TakeSealedClass(transactions, clock, settings.express_limit),
        KnowPeople(transactions),
        ReleaseQueued(transactions, clock, settings.release_limit, settings.release_quantum),
        pki,
        settings,
        level,
    )


@asynccontextmanager
async def a_world(databases: Databases, folder: Path, trust: Trust) -> AsyncIterator[World]:
    """A service with people, ready for a class."""
    database = Database(databases.url, name="signing-test", pool=6)
    await database.open()
    try:
        world = wired(database, settings_for(databases, folder, trust.pki), TurnedClock(trust), trust.pki)
        await world.people()
        yield world
    finally:
        await database.close()


def with_worker(world: World, change: Callable[[Any], Any]) -> SigningWorker:
    """A second worker whose SignClass is changed, for faults."""
    made = app.worker(world.settings, world.transactions, world.clock)
    return replace(made, sign_class=change(made.sign_class))
