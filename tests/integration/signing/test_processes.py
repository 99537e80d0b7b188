"""The service and its workers as processes, on real Kafka and PostgreSQL: a worker is killed in the middle of the work."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment
from hocba.grading.v1 import events_pb2 as grading
from hocba.signing.v1 import signing_pb2 as rpc
from hocba.signing.v1 import signing_pb2_grpc
from services.chassis.envelope import Envelope
from services.chassis.rpc_client import open_channel
from services.chassis.streams import key_of, stream_of
from services.signing.adapters.key_journal import read_journal
from services.signing.adapters.staging import packed
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.stack import ports, processes
from services.stack.processes import Stack
from services.stack.signer_pki import Signer, SignerPki
from tests.integration.signing.world import NAMES, OFFICES, PROVINCE, SCHOOL, STAFF, unpacked
from tests.support.eventually import eventually
from tests.support.judges import pyhanko
from tests.support.places import scratch_places
from tests.support.records import record_of
from tests.support.trust import Trust, another_for

CLASSES = [str(uuid.uuid4()) for _ in range(3)]
PUPILS = {class_id: [str(uuid.uuid4()) for _ in range(8)] for class_id in CLASSES}
TOTAL = sum(map(len, PUPILS.values()))
WIRE = {role: getattr(common_pb2, f"SIGNATURE_ROLE_{role.name}") for role in SignatureRole}
LIMIT = 60


class Neighbours:
    """Enrollment and grading, as far as signing hears them; and the people who approve."""

    def __init__(self, stack: Stack, producer: AIOKafkaProducer, stub: Any) -> None:
        self.stack, self.producer, self.stub = stack, producer, stub
        self.envelope = Envelope(stack.deployment.keys.envelope_readers, None, "grading")

    async def tell(self, *messages: Message) -> None:
        for message in messages:
            headers = {
                "ce_id": str(uuid.uuid4()),
                "ce_type": message.DESCRIPTOR.full_name,
                "ce_time": datetime.now(UTC).isoformat(),
            }
            await self.producer.send_and_wait(
                stream_of(type(message)).topic,
                message.SerializeToString(),
                key=key_of(message).encode(),
                headers=[(name, value.encode()) for name, value in headers.items()],
            )

    def as_(self, role: str) -> tuple[tuple[str, str], ...]:
        person = next((f"person-{STAFF[r]}" for r in SignatureRole if OFFICES[r] == role), "person-office")
        token = self.stack.deployment.token(person, person, [f"{role}@school:{SCHOOL}"])
        return (("authorization", f"Bearer {token}"),)

    async def appoint(self) -> None:
        await self.tell(enrollment.SchoolRegistered(school_id=SCHOOL, version=1, name="Trường Mẫu", province_id=PROVINCE))
        for role in SignatureRole:
            event = enrollment.StaffAppointed(
                school_id=SCHOOL,
                staff_id=STAFF[role],
                version=1,
                person_id=f"person-{STAFF[role]}",
                appointments=[enrollment.Appointment(role=OFFICES[role], valid_from="2025-08-01")],
            )
            self.envelope.seal(event, "profile", enrollment.StaffProfile(full_name=NAMES[role]))
            await self.tell(event)

    async def certify(self) -> None:
        pki = SignerPki(self.stack.deployment.signers)
        for role in SignatureRole:
            staff = "" if role is SignatureRole.SCHOOL_SEAL else STAFF[role]
            (made,) = pki.make([Signer(f"p-{role}", NAMES[role], "Trường Mẫu", "Thành phố Mẫu", staff_id=staff)])
            request = rpc.RegisterCertificateRequest(
                request_id=str(uuid.uuid4()),
                school_id=SCHOOL,
                staff_id=staff,
                role=WIRE[role],
                certificate=made.certificate,
                chain=made.chain,
                key_name=made.signer.key_name,
            )
            await eventually(partial(self._registered, request), within=LIMIT, what=f"{role} certified")

    async def _registered(self, request: rpc.RegisterCertificateRequest) -> bool:
        try:
            await self.stub.RegisterCertificate(request, metadata=self.as_("registrar"), timeout=10)
        except Exception:  # The roster travels by events and may not be here yet.
            return False
        return True

    async def seal(self, class_id: str) -> None:
        contents = {pupil: record_of("primary", pupil) for pupil in PUPILS[class_id]}
        now = Timestamp()
        now.GetCurrentTime()
        event = grading.ClassSealed(
            class_id=class_id,
            school_id=SCHOOL,
            province_id=PROVINCE,
            school_year=2025,
            grade=5,
            level=common_pb2.LEVEL_PRIMARY,
            class_version=1,
            parts=1,
            sealed_at=now,
            homeroom_staff_id=STAFF[SignatureRole.HOMEROOM_TEACHER],
        )
        for pupil, content in contents.items():
            event.outcomes.add(
                sealed=True,
                transcript=common_pb2.TranscriptRef(
                    transcript_id=pupil,
                    pupil_id=pupil,
                    version=1,
                    content_digest=sha256(content).digest(),
                    public_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{pupil}/1").hex[:26].upper(),
                ),
            )
        self.envelope.seal(event, "records", grading.SealedRecords(records=list(contents.values())))
        await self.tell(event)

    async def approve(self) -> None:
        listing = rpc.ListManifestsRequest(school_id=SCHOOL)

        async def all_ready() -> list[rpc.ManifestSummary] | None:
            found = await self.stub.ListManifests(listing, metadata=self.as_("principal"), timeout=10)
            return list(found.manifests) if len(found.manifests) == len(CLASSES) else None

        for summary in await eventually(all_ready, within=LIMIT, what="a manifest per class"):
            for role in DEFAULT_ORDER:
                request = rpc.ApproveManifestRequest(
                    request_id=str(uuid.uuid4()), manifest_id=summary.manifest_id, role=WIRE[role], merkle_root=summary.merkle_root
                )
                await self.stub.ApproveManifest(request, metadata=self.as_(OFFICES[role]), timeout=10)


@asynccontextmanager
async def neighbours(stack: Stack) -> AsyncIterator[Neighbours]:
    leaf = stack.deployment.keys.leaf("edge")
    channel = open_channel(stack.deployment.addresses["signing"], "signing", ca=stack.deployment.keys.ca, certificate=leaf.certificate, key=leaf.key)
    producer = AIOKafkaProducer(bootstrap_servers=stack.deployment.kafka, acks="all")
    await producer.start()
    try:
        yield Neighbours(stack, producer, signing_pb2_grpc.SigningStub(channel))
    finally:
        await producer.stop()
        await channel.close(None)


async def test_killed_and_stopped_workers_cost_time_but_neither_documents_nor_second_signatures() -> None:
    with scratch_places("signing-processes") as places:
        async with processes.running(places, services=["signing"], workers=2, durable=False) as stack, neighbours(stack) as around:
            await around.appoint()
            await around.certify()
            for class_id in CLASSES:
                await around.seal(class_id)
                await around.seal(class_id)  # At-least-once delivery, from the start.
            await around.approve()
            await _kill_one_worker_at_work(stack)
            assert await stack.stop("signing-worker-2") == 0, "a worker that is asked to stop ends its orders and goes"
            stack.start("signing-worker-2")
            await eventually(lambda: _signed(stack), within=LIMIT, what="every transcript signed by every role")
            await _nothing_is_missing_or_double(stack)


async def test_worker_killed_while_it_waits_for_time_stamps_goes_on_with_those_that_are_stored() -> None:
    with scratch_places("long-term-processes") as places:
        port = ports.choose(places, ("slow-authority",))["slow-authority"]
        policy = places.state / "policy.toml"
        policy.write_text(f'[[policy]]\nsignature_level = "B-LTA"\nprovinces = ["{PROVINCE}"]\n')
        told = {"policy_file": str(policy), "tsa_url": f"http://127.0.0.1:{port}/tsa"}
        async with (
            processes.running(places, services=["signing"], workers=1, durable=False, overrides={"signing": told}) as stack,
            neighbours(stack) as around,
        ):
            tsa = another_for(SignerPki(stack.deployment.signers), port, places)
            await tsa.start()
            try:
                await around.appoint()
                await around.certify()
                for class_id in CLASSES:
                    await around.seal(class_id)
                await around.approve()
                for slow in (1, len(PUPILS[CLASSES[0]]) + 1):
                    # Before the first stamps are stored, and between these and the second ones.
                    await eventually(partial(_stamps_are, stack, slow - 1), within=LIMIT, what="stamps under way")
                    tsa.behave(tsa="slow", seconds=60)
                    await _kill_while_it_waits(stack, tsa)
                # An authority renews its revocation list when it likes: an order whose stamps are newer asks again after 15 s, and after 60 s more.
                await eventually(lambda: _finished(stack), within=3 * LIMIT, what="every transcript finished")
            finally:
                tsa.stop()
            await _every_stamp_is_in_its_document(stack, places.state)


async def _stamps_are(stack: Stack, at_least: int) -> bool:
    released = await _rows(stack, "SELECT FROM signing_order WHERE step = 'finish'")
    return bool(released) and len(await _rows(stack, "SELECT FROM time_stamp")) >= at_least


async def _kill_while_it_waits(stack: Stack, tsa: Trust) -> None:
    asked = tsa.asked()["tsa"]
    await eventually(lambda: tsa.asked()["tsa"] > asked, within=LIMIT, what="the worker waits for the slow authority")
    stored = {(row["transcript_id"], row["place"], bytes(row["token"])) for row in await _rows(stack, "SELECT * FROM time_stamp")}
    stack.kill("signing-worker-1")
    await asyncio.to_thread(stack._children["signing-worker-1"].process.wait)
    tsa.behave(tsa="slow", seconds=0.5)  # So that the next kill comes between two steps, however fast the machine is.
    stack.start("signing-worker-1")
    kept = {(row["transcript_id"], row["place"], bytes(row["token"])) for row in await _rows(stack, "SELECT * FROM time_stamp")}
    assert stored <= kept


async def _finished(stack: Stack) -> bool:
    return len(await _rows(stack, "SELECT FROM finished_document")) == TOTAL


async def _every_stamp_is_in_its_document(stack: Stack, folder: Path) -> None:
    stamps = await _rows(stack, "SELECT transcript_id, place, token FROM time_stamp")
    assert len(stamps) == 2 * TOTAL
    await _nothing_is_missing_or_double(stack, steps=5)
    rows = await _rows(stack, "SELECT transcript_id, version, current_pack FROM transcript")
    documents = {str(r["transcript_id"]): unpacked((stack.deployment.staging / r["current_pack"]).read_bytes())[str(r["transcript_id"]), 1] for r in rows}
    for row in stamps:
        assert bytes(row["token"]).hex().upper().encode() in documents[str(row["transcript_id"])]
    file = folder / "finished.pdf"
    file.write_bytes(next(iter(documents.values())))
    (report,) = await asyncio.to_thread(pyhanko.judge, [file], [(stack.deployment.signers / "anchors" / "root.cer").read_bytes()])
    assert report.accepts, report.lines()


async def _rows(stack: Stack, sql: str) -> list[Any]:
    connection = await asyncpg.connect(stack.deployment.databases["signing"])
    try:
        await connection.execute("SET hocba.scope = 'system'")
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def _kill_one_worker_at_work(stack: Stack) -> None:
    async def under_way() -> bool:
        return bool(await _rows(stack, "SELECT FROM intent LIMIT 1"))

    await eventually(under_way, within=LIMIT, what="the first intents")
    stack.kill("signing-worker-1")
    await asyncio.to_thread(stack._children["signing-worker-1"].process.wait)
    stack.start("signing-worker-1")


async def _signed(stack: Stack) -> bool:
    return len(await _rows(stack, "SELECT FROM signature")) == 3 * TOTAL


async def _nothing_is_missing_or_double(stack: Stack, steps: int = 4) -> None:
    staging = stack.deployment.staging
    done = await _rows(stack, "SELECT transcript_id, version, current_digest, current_pack FROM transcript WHERE state = 'signed'")
    assert len(done) == TOTAL
    for row in done:
        documents = unpacked((staging / row["current_pack"]).read_bytes())
        assert sha256(documents[str(row["transcript_id"]), row["version"]]).digest() == row["current_digest"]
        assert packed([(f"{t}-v{v}.pdf", pdf) for (t, v), pdf in documents.items()]) == (staging / row["current_pack"]).read_bytes()
    intents = await _rows(stack, "SELECT intent_id, to_be_signed FROM intent")
    planned = {str(row["intent_id"]): row["to_be_signed"].hex() for row in intents}
    journals = [line for path in (stack.deployment.state / "key-journal").glob("*.jsonl") for line in read_journal(path)]
    assert {line["intent"] for line in journals} == set(planned)
    assert all(planned[line["intent"]] == line["digest"] for line in journals), "no key saw a digest that was not intended"
    assert await _rows(stack, "SELECT FROM void_intent") == []
    told = await _rows(stack, "SELECT FROM hocba_parked")
    assert told == []
    orders = Counter(row["state"] for row in await _rows(stack, "SELECT state FROM signing_order"))
    assert orders == {"done": steps * len(CLASSES)}
