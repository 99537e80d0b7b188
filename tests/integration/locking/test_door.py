"""The public door with real tokens and certificates, the scheduler's loops, and the CLI against both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from hocba.common.v1 import common_pb2
from hocba.locking.v1 import locking_pb2 as pb
from hocba.locking.v1 import locking_pb2_grpc
from services.__main__ import build as build_cli
from services.chassis.errors import Denied, Malformed, NotFound, Refused
from services.chassis.rpc import Server
from services.chassis.rpc_client import open_channel
from services.locking.entrypoints.rpc import LockingRPC, UseCases
from services.locking.entrypoints.scheduler import Scheduler
from services.stack.pki import Keys
from tests.integration.locking.world import HOUR, OFFICER, PROVINCE, SCHOOL, World, pupils_of, server_settings
from tests.support.eventually import eventually

HEAD = f"principal@school:{SCHOOL}"


class Door:
    """Locking's own server, and calls to it as different people."""

    def __init__(self, keys: Keys, address: str, channel: grpc.aio.Channel) -> None:
        self.keys, self.address, self.channel = keys, address, channel

    async def call(self, method: str, request: Any, person: str, *roles: str) -> Any:
        stub: Any = locking_pb2_grpc.LockingStub(self.channel)
        call: Callable[..., Awaitable[Any]] = getattr(stub, method)
        token = self.keys.token(f"account of {person}", person, roles)
        return await call(request, metadata=(("authorization", f"Bearer {token}"),))


@asynccontextmanager
async def a_door(world: World, keys: Keys) -> AsyncIterator[Door]:
    use = UseCases(world.set_window, world.close_window, world.lock_class, world.request_unlock, world.move_unlock, world.set_policy, world.read)
    server = Server(server_settings(keys, "locking"), "locking", ("hocba.locking.v1.Locking",))
    locking_pb2_grpc.add_LockingServicer_to_server(LockingRPC(use, world.clock), server.grpc)
    await server.start()
    edge = keys.leaf("edge")
    channel = open_channel(server.address, "locking", ca=keys.ca, certificate=edge.certificate, key=edge.key)
    try:
        yield Door(keys, server.address, channel)
    finally:
        await channel.close(None)
        await server.stop(0)


def at(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def moving(unlock_id: str, **more: str) -> pb.MoveUnlockRequest:
    return pb.MoveUnlockRequest(request_id=str(uuid4()), unlock_id=unlock_id, **more)


async def test_whole_unlock_through_the_door_with_the_scheduler_running(world: World, locking_keys: Keys) -> None:
    (place,) = await world.enrol(1)
    stop = asyncio.Event()
    scheduler = Scheduler(world.keep_time, world.run_errand, tick_seconds=0.02, errands_at_once=2)
    async with a_door(world, locking_keys) as door:
        running = asyncio.gather(scheduler.keep(stop), scheduler.run(stop))
        teacher = ("teacher", f"subject_teacher@school:{SCHOOL}")
        window = pb.SetWindowRequest(
            request_id=str(uuid4()),
            scope=pb.WindowScope(province_id=PROVINCE),
            school_year=2025,
            term=common_pb2.TERM_2,
            opens_at=at(world.clock.now() - HOUR),
            closes_at=at(world.clock.now() + HOUR),
            seals_year=True,
        )
        made = await door.call("SetWindow", window, "officer", f"doet_officer@province:{PROVINCE}")
        assert (made.window.state, made.window.version, made.window.window_id) == ("open", 1, window.request_id)
        assert await door.call("SetWindow", window, "officer", f"doet_officer@province:{PROVINCE}") == made
        world.clock.turn(2 * HOUR)

        async def locked() -> bool:
            with suppress(NotFound):
                answer = await door.call("GetLock", pb.GetLockRequest(class_id=str(place.class_id)), "principal", HEAD)
                return bool(answer.lock.state == "locked")
            return False

        await eventually(locked)
        asked = pb.RequestUnlockRequest(
            request_id=str(uuid4()),
            class_id=str(place.class_id),
            subject="toan",
            term=common_pb2.TERM_2,
            pupil_ids=[str(pupils_of(place)[0])],
            reason="Nhập nhầm điểm cuối kỳ II của một học sinh.",
            evidence="biên bản 12/BB",
            minutes=30,
        )
        unlock = await door.call("RequestUnlock", asked, *teacher)
        assert (unlock.state, unlock.unlock_id, unlock.pupil_ids) == ("requested", asked.request_id, asked.pupil_ids)
        with pytest.raises(Refused) as no:
            await door.call("FinishUnlock", moving(unlock.unlock_id), *teacher)
        assert no.value.code == "not_granted"
        assert "chưa được mở khóa" in no.value.message
        confirmed = await door.call("ConfirmUnlock", moving(unlock.unlock_id, reason="đã kiểm tra bài"), "principal", HEAD)
        assert [(step.state, step.role) for step in confirmed.steps][1:] == [("confirmed", "principal"), ("reported", "")]
        await door.call("AcknowledgeUnlock", moving(unlock.unlock_id), "officer", f"doet_officer@province:{PROVINCE}")

        async def state() -> str:
            answer = await door.call("GetUnlock", pb.GetUnlockRequest(unlock_id=unlock.unlock_id), *teacher)
            return str(answer.state)

        await eventually(lambda: _is(state, "granted"))
        granted = await door.call("GetUnlock", pb.GetUnlockRequest(unlock_id=unlock.unlock_id), *teacher)
        assert granted.open_until.ToDatetime(UTC) == world.clock.now() + timedelta(minutes=30)
        world.clock.turn(HOUR)
        await eventually(lambda: _is(state, "sealed"))
        listed = await door.call("ListUnlocks", pb.ListUnlocksRequest(state="sealed"), "officer", f"doet_officer@province:{PROVINCE}")
        assert [(one.unlock_id, one.sealed_class_version) for one in listed.unlocks] == [(unlock.unlock_id, 2)]
        stop.set()
        await running
    assert await world.faults() == []


async def _is(state: Callable[[], Awaitable[str]], expected: str) -> bool:
    return await state() == expected


async def test_faulty_requests_name_the_field_and_the_wrong_people_are_turned_away(world: World, locking_keys: Keys) -> None:
    (place,) = await world.locked(1)
    unlock_id = str(await world.ask(place))
    async with a_door(world, locking_keys) as door:
        faulty: list[tuple[str, Any, str]] = [
            ("SetWindow", pb.SetWindowRequest(request_id=str(uuid4()), school_year=2025, term=common_pb2.TERM_1), "opens_at"),
            ("SetWindow", pb.SetWindowRequest(request_id=str(uuid4()), school_year=7, term=common_pb2.TERM_1), "school_year"),
            ("SetWindow", pb.SetWindowRequest(request_id=str(uuid4()), school_year=2025), "term"),
            ("SetWindow", pb.SetWindowRequest(request_id="x", school_year=2025, term=common_pb2.TERM_1), "request_id"),
            ("LockClass", pb.LockClassRequest(request_id=str(uuid4()), class_id="7A"), "class_id"),
            ("ConfirmUnlock", pb.MoveUnlockRequest(request_id=str(uuid4())), "unlock_id"),
            ("ListUnlocks", pb.ListUnlocksRequest(state="opened"), "state"),
        ]
        for method, request, field in faulty:
            with pytest.raises(Malformed) as no:
                await door.call(method, request, "principal", HEAD)
            assert (no.value.code, field in no.value.message) == (field, True)
        with pytest.raises(Denied):
            await door.call("ConfirmUnlock", moving(unlock_id), "principal", f"subject_teacher@school:{SCHOOL}")
        with pytest.raises(NotFound):
            await door.call("ConfirmUnlock", moving(unlock_id), "principal", f"principal@school:{uuid4()}")
        with pytest.raises(Refused) as refused:
            await door.call("ConfirmUnlock", moving(unlock_id), "teacher", HEAD)
        assert refused.value.code == "requester_cannot_confirm"
        policy = pb.SetPolicyRequest(request_id=str(uuid4()), policy=pb.Policy(province_id=PROVINCE, wait="SOMETIMES"))
        with pytest.raises(Malformed) as no:
            await door.call("SetPolicy", policy, "officer", f"doet_officer@province:{PROVINCE}")
        assert no.value.code.startswith("policy.")


async def test_command_line_lists_opens_closes_and_follows_an_unlock(world: World, locking_keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place,) = await world.locked(1)
    unlock_id = str(await world.ask(place))
    edge = locking_keys.leaf("edge")
    token = tmp_path / "token"
    async with a_door(world, locking_keys) as door:
        for name, value in (("ADDRESS", door.address), ("CA_FILE", locking_keys.ca), ("CERTIFICATE_FILE", edge.certificate), ("KEY_FILE", edge.key)):
            monkeypatch.setenv(f"HOCBA_EDGE_{name}", str(value))
        monkeypatch.setenv("HOCBA_EDGE_TOKEN_FILE", str(token))
        cli = build_cli()

        async def run(person: str, role: str, *words: str) -> Any:
            token.write_text(locking_keys.token(f"account of {person}", person, (role,)))
            done = await asyncio.to_thread(CliRunner().invoke, cli, ["locking", *words, "--json"])
            assert done.exit_code == 0, done.output
            return json.loads(done.stdout)

        officer = ("officer", f"doet_officer@province:{PROVINCE}")
        school = ("principal", HEAD)
        opened = await run(
            *officer, "windows", "open", "--year", "2025", "--term", "1", "--opens", "2026-05-25T07:00+07:00", "--closes", "2026-06-25T17:00+07:00",
            "--province", PROVINCE,
        )  # fmt: skip
        assert opened[0]["closes_at"] == "2026-06-25T10:00:00Z"
        assert len(await run(*school, "windows", "list", "--year", "2025", "--province", PROVINCE)) == 2
        assert (await run(*officer, "windows", "close", opened[0]["window_id"], "--as", officer[1]))[0]["state"] == "closed"
        assert [row["unlock_id"] for row in await run(*school, "unlocks", "list", "--state", "requested")] == [unlock_id]
        assert (await run(*school, "unlocks", "confirm", unlock_id, "--as", HEAD))[0]["state"] == "reported"
        assert [step["state"] for step in (await run(*school, "unlocks", "show", unlock_id))["steps"]] == ["requested", "confirmed", "reported"]
        assert (await run(*school, "lock", str(place.class_id)))[0]["state"] == "locked"
        assert (await run(*officer, "policy", PROVINCE, "--set", '{"wait": "NEVER", "open_for_hours": 3}'))["version"] == "1"
        assert (await run(*school, "policy", PROVINCE))["wait"] == "NEVER"
        token.write_text(locking_keys.token("account of teacher", "teacher", (HEAD,)))
        refused = await asyncio.to_thread(CliRunner().invoke, cli, ["locking", "unlocks", "confirm", str(uuid4()), "--as", HEAD])
        assert refused.exit_code == 2
    assert OFFICER.person_id == "officer"
