"""The guard in front of every method, over real TLS."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from hocba.archive.v1 import archive_pb2, archive_pb2_grpc
from hocba.locking.v1 import locking_pb2, locking_pb2_grpc
from hocba.signing.v1 import signing_pb2, signing_pb2_grpc
from services.chassis.errors import Conflict, Denied, Malformed, OutcomeUnknown, Refused, ServiceError
from services.chassis.identity import current_actor
from services.chassis.rpc import Server
from services.chassis.rpc_client import open_channel
from services.chassis.settings import ServiceSettings
from services.stack import pki
from services.stack.pki import Keys
from tests.support.places import scratch_places


class Archive(archive_pb2_grpc.ArchiveServicer):
    async def GetStatus(self, request: Any, context: Any) -> Any:
        return archive_pb2.GetStatusResponse(status=current_actor().account_id)


class Locking(locking_pb2_grpc.LockingServicer):
    async def GetLock(self, request: Any, context: Any) -> Any:
        if request.class_id == "bug":
            raise RuntimeError("Nguyễn Văn A has 3.5")
        if request.class_id == "conflict":
            raise Conflict("somebody wrote first", code="stale")
        return locking_pb2.GetLockResponse(lock=locking_pb2.Lock(lock_id=current_actor().person_id))

    async def FinishUnlock(self, request: Any, context: Any) -> Any:
        return locking_pb2.UnlockResponse(state=" ".join(sorted(f"{role.name}@{role.scope}" for role in current_actor().roles)))

    async def LockClass(self, request: Any, context: Any) -> Any:
        current_actor().require("principal", "school:b")
        return locking_pb2.LockClassResponse()


class Signing(signing_pb2_grpc.SigningServicer):
    async def HaltClass(self, request: Any, context: Any) -> Any:
        return signing_pb2.HaltClassResponse(manifests_halted=len(current_actor().service))


@dataclass
class Door:
    keys: Keys
    address: str

    def channel(self, name: str, keys: Keys | None = None) -> grpc.aio.Channel:
        keys = keys or self.keys
        leaf = keys.leaf(name)
        return open_channel(self.address, "locking", ca=self.keys.ca, certificate=leaf.certificate, key=leaf.key)

    def token(self, *roles: str) -> tuple[tuple[str, str]]:
        return (("authorization", "Bearer " + self.keys.token("account-1", "person-1", roles)),)


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    with scratch_places("rpc") as places:
        keys = pki.prepare(places)
        leaf = keys.leaf("locking")
        settings = ServiceSettings(
            database_url="postgresql://nobody@127.0.0.1/none",
            kafka_bootstrap="127.0.0.1:1",
            tls_ca_file=keys.ca,
            tls_certificate_file=leaf.certificate,
            tls_key_file=leaf.key,
            token_keys_file=keys.token_keys,
            envelope_readers_file=keys.envelope_readers,
        )
        server = Server(settings, "locking", ("hocba.archive.v1.Archive", "hocba.locking.v1.Locking", "hocba.signing.v1.Signing"))
        archive_pb2_grpc.add_ArchiveServicer_to_server(Archive(), server.grpc)  # type: ignore[abstract]  # Only what the test calls.
        locking_pb2_grpc.add_LockingServicer_to_server(Locking(), server.grpc)  # type: ignore[abstract]  # Only what the test calls.
        signing_pb2_grpc.add_SigningServicer_to_server(Signing(), server.grpc)  # type: ignore[abstract]  # Only what the test calls.
        await server.start()
        yield Door(keys, server.address)
        await server.stop(0)


async def ask(channel: grpc.aio.Channel, class_id: str = "", **call: Any) -> Any:
    return await locking_pb2_grpc.LockingStub(channel).GetLock(locking_pb2.GetLockRequest(class_id=class_id), **call)


async def test_a_person_with_a_token_is_let_in_and_known(door: Door) -> None:
    async with door.channel("edge") as channel:
        answer = await ask(channel, metadata=door.token("principal@school:a"))
    assert answer.lock.lock_id == "person-1"


async def test_without_a_token_only_public_methods_answer(door: Door) -> None:
    async with door.channel("edge") as channel:
        with pytest.raises(Denied) as refused:
            await ask(channel)
        assert refused.value.code == "no_token"
        answer = await archive_pb2_grpc.ArchiveStub(channel).GetStatus(archive_pb2.GetStatusRequest())
        assert answer.status == "public"


async def test_a_forged_token_is_refused(door: Door) -> None:
    with scratch_places("other") as places:
        foreign = pki.prepare(places).token("account-1", "person-1", ("principal@school:a",))
    async with door.channel("edge") as channel:
        with pytest.raises(Denied) as refused:
            await ask(channel, metadata=(("authorization", "Bearer " + foreign),))
    assert refused.value.code == "bad_token"


async def test_a_role_in_another_school_is_refused(door: Door) -> None:
    stub_call = locking_pb2.LockClassRequest()
    async with door.channel("edge") as channel:
        stub = locking_pb2_grpc.LockingStub(channel)
        with pytest.raises(Denied):
            await stub.LockClass(stub_call, metadata=door.token("principal@school:a"))
        with pytest.raises(Denied):
            await stub.LockClass(stub_call, metadata=door.token("subject_teacher@school:b"))
        await stub.LockClass(stub_call, metadata=door.token("principal@school:b"))


async def test_a_scope_held_by_another_role_does_not_come_along(door: Door) -> None:
    roles = ("principal@school:a", "subject_teacher@school:b", "ministry_officer@nation")
    async with door.channel("edge") as channel:
        seen = await locking_pb2_grpc.LockingStub(channel).FinishUnlock(locking_pb2.MoveUnlockRequest(), metadata=door.token(*roles))
    assert seen.state == "principal@school:a subject_teacher@school:b"


async def test_a_service_that_is_not_on_the_list_is_refused_and_one_that_is_acts_for_itself(door: Door) -> None:
    halt = signing_pb2.HaltClassRequest()
    async with door.channel("archive") as channel:
        with pytest.raises(Denied) as refused:
            await signing_pb2_grpc.SigningStub(channel).HaltClass(halt)
        assert refused.value.code == "caller_not_allowed"
    async with door.channel("locking") as channel:
        assert (await signing_pb2_grpc.SigningStub(channel).HaltClass(halt)).manifests_halted == len("locking")


async def test_a_certificate_of_another_authority_does_not_get_through_tls(door: Door) -> None:
    with scratch_places("foreign") as places:
        foreign = pki.prepare(places)
        async with door.channel("edge", foreign) as channel:
            with pytest.raises(ServiceError):
                await ask(channel, metadata=door.token("principal@school:a"), timeout=2, wait_for_ready=False)


async def test_a_call_without_a_deadline_is_refused(door: Door) -> None:
    leaf = door.keys.leaf("edge")
    credentials = grpc.ssl_channel_credentials(door.keys.ca.read_bytes(), leaf.key.read_bytes(), leaf.certificate.read_bytes())
    async with grpc.aio.secure_channel(door.address, credentials, options=[("grpc.ssl_target_name_override", "locking.hocba.local")]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(channel, metadata=door.token("principal@school:a"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_errors_come_back_as_they_were_raised_and_bugs_without_detail(door: Door) -> None:
    async with door.channel("edge") as channel:
        with pytest.raises(Conflict) as conflict:
            await ask(channel, "conflict", metadata=door.token("principal@school:a"))
        assert (conflict.value.code, conflict.value.message) == ("stale", "somebody wrote first")
        with pytest.raises(ServiceError) as bug:
            await ask(channel, "bug", metadata=door.token("principal@school:a"))
        assert "Nguyễn" not in bug.value.message
        assert not isinstance(bug.value, Refused | Malformed | OutcomeUnknown)


async def test_health_tells_the_truth_without_a_token(door: Door) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with door.channel("edge") as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=""), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_unknown_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic_settings import SettingsConfigDict

    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix="HOCBA_SAMPLE_", frozen=True, extra="forbid")

    monkeypatch.setenv("HOCBA_SAMPLE_LISTNE", "127.0.0.1:1")
    with pytest.raises(Malformed) as wrong:
        Settings.load()
    assert "HOCBA_SAMPLE_LISTNE: no setting of that name" in wrong.value.message
    assert "HOCBA_SAMPLE_KAFKA_BOOTSTRAP" in wrong.value.message
