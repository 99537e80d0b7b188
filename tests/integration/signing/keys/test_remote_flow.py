"""Classes whose signers sign elsewhere and later: no worker waits, no key is used twice blindly, no wrong value is announced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from hocba.signing.v1 import events_pb2 as events
from services.chassis.errors import Refused, Unavailable
from services.signing.adapters.key_journal import read_journal
from services.signing.domain.remote import UNKNOWN_LIFE
from services.signing.domain.roles import SignatureRole
from services.stack.signer_pki import KeyKind
from tests.integration.signing.keys.remote_world import PRINCIPAL, SEAL, RemoteWorld, a_remote_world
from tests.integration.signing.world import CLASS, caller, request, with_worker
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust

Make = Callable[..., AbstractAsyncContextManager[RemoteWorld]]


@pytest.fixture
def make(make_database: DatabaseFactory, trust: Trust, tmp_path: Path) -> Make:
    return partial(a_remote_world, make_database("signing"), tmp_path, trust)


@pytest.fixture
async def remote(make: Make) -> AsyncIterator[RemoteWorld]:
    async with make() as made:
        await made.to_role(PRINCIPAL)
        yield made


async def closed(remote: RemoteWorld) -> bool:
    return all(state not in ("waiting", "confirming", "signing") for state in await remote.states())


async def test_class_waits_without_a_worker_and_goes_on_with_the_values(remote: RemoteWorld) -> None:
    assert await remote.round() == 1
    assert await remote.states() == ["done"]
    assert len(await remote.values()) == 3
    await remote.redeliver()
    assert len(await remote.world.issued()) == 3
    assert (await remote.stand_in.seen())["signed"].popitem()[1] == 3
    assert await remote.voids() == []
    journal = list(read_journal(remote.world.settings.key_journal_dir / "worker-1.jsonl"))  # type: ignore[operator]
    assert sum(line["key"].startswith("csc:") for line in journal) == 3, "written before the request was kept"


async def test_orders_that_come_again_while_it_waits_ask_for_nothing_twice(remote: RemoteWorld) -> None:
    for _ in range(3):
        await remote.redeliver()
    assert await remote.states() == ["waiting"]
    await remote.round()
    await remote.redeliver()
    await remote.redeliver()
    assert len(await remote.world.issued()) == 3
    assert sum((await remote.stand_in.seen())["signed"].values()) == 3


async def test_signer_confirms_after_a_while(make: Make) -> None:
    async with make("--confirmation", "manual") as remote:
        await remote.to_role(PRINCIPAL)
        await remote.round()
        assert await remote.states() == ["confirming"]
        await remote.round(5)
        await remote.redeliver()
        assert await remote.states() == ["confirming"]
        assert await remote.stand_in.phone("confirm") == 1
        await remote.round(5)
        await remote.redeliver()
        assert len(await remote.world.issued()) == 3


async def test_signer_who_declines_is_told_per_pupil_and_a_retry_asks_anew(make: Make) -> None:
    async with make("--confirmation", "manual") as remote:
        await remote.to_role(PRINCIPAL)
        await remote.round()
        await remote.stand_in.phone("decline")
        await remote.round(5)
        assert await remote.states() == ["failed"]
        await remote.redeliver()
        told = [o for event in await remote.world.told(events.RoleSigned) for o in event.outcomes if not o.signed]
        assert {o.reason for o in told} == {"remote_declined"}
        assert len(await remote.voids()) == 3
        answer = await remote.world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
        assert answer["retried"] == "3"
        await remote.world.work()
        assert sorted(await remote.states()) == ["failed", "waiting"]
        await remote.round()
        await remote.stand_in.phone("confirm")
        await remote.until(partial(closed, remote))
        await remote.redeliver()
        assert len(await remote.world.issued()) == 3


async def test_provider_that_signs_another_hash_is_caught_and_nothing_is_announced(remote: RemoteWorld) -> None:
    await remote.stand_in.behave(other_hash=1)
    await remote.round()
    assert await remote.states() == ["failed"]
    assert await remote.values() == {}
    await remote.redeliver()
    assert await remote.world.issued() == {}
    assert {row["role"] for row in await remote.world.rows("SELECT role FROM signature")} == {"homeroom_teacher"}
    told = [o for event in await remote.world.told(events.RoleSigned) for o in event.outcomes if not o.signed]
    assert {o.reason for o in told} == {"wrong_signature"}
    assert len(await remote.world.rows("SELECT FROM void_value")) == 3, "what the key did is accounted for"


async def test_executed_but_unanswered_is_asked_about_and_never_sent_again(remote: RemoteWorld) -> None:
    await remote.stand_in.behave(drop_after_signing=1)
    await remote.round()
    assert await remote.states() == ["signing"]
    await remote.until(partial(closed, remote))
    assert await remote.states() == ["done"]
    assert sum((await remote.stand_in.seen())["signed"].values()) == 3
    await remote.redeliver()
    assert len(await remote.world.issued()) == 3


async def test_what_nobody_can_tell_is_void_by_rule_before_another_attempt(remote: RemoteWorld) -> None:
    await remote.stand_in.behave(drop_after_signing=1, forget=True)
    await remote.round()
    await remote.round(60)
    assert await remote.states() == ["signing"], "not before its activation data has expired"
    assert (await remote.stand_in.seen())["calls"]["signatures/signHash"] == 1
    await remote.round(UNKNOWN_LIFE.total_seconds())
    assert await remote.states() == ["lost"]
    assert len(await remote.voids()) == 3
    await remote.stand_in.behave(forget=False)
    await remote.world.work()
    await remote.until(partial(closed, remote))
    await remote.redeliver()
    assert sorted(await remote.states()) == ["done", "lost"]
    assert len(await remote.world.issued()) == 3
    attempts = await remote.world.rows("SELECT attempt, count(*) FROM intent WHERE role = 'principal' GROUP BY attempt ORDER BY attempt")
    assert [tuple(row) for row in attempts] == [(0, 3), (1, 3)]


async def test_provider_that_loses_everything_ends_with_a_reason(remote: RemoteWorld) -> None:
    await remote.stand_in.behave(drop_after_signing=99, forget=True)
    for _ in range(3):
        await remote.round()
        await remote.round(60)
        await remote.round(UNKNOWN_LIFE.total_seconds())
        await remote.world.work()
    await remote.redeliver()
    assert await remote.states() == ["lost"] * 3
    told = [o for event in await remote.world.told(events.RoleSigned) for o in event.outcomes if not o.signed]
    assert {o.reason for o in told} == {"outcome_unknown"}
    assert len(await remote.voids()) == 9


@pytest.mark.parametrize("spoilt", ["busy", "unavailable"])
async def test_busy_provider_is_asked_again_later(remote: RemoteWorld, spoilt: str) -> None:
    await remote.stand_in.behave(**{spoilt: 3})
    await remote.round()
    await remote.until(partial(closed, remote))
    assert await remote.states() == ["done"]
    assert sum((await remote.stand_in.seen())["signed"].values()) == 3


async def test_notice_brings_values_and_a_forged_one_brings_nothing(make: Make) -> None:
    async with make(mode="A") as remote:
        await remote.to_role(PRINCIPAL)
        await remote.stand_in.behave(ready_seconds=0.0)
        await remote.round()
        assert await remote.states() == ["signing"]
        (row,) = await remote.world.rows("SELECT request_id::text AS id FROM remote_request")
        with pytest.raises(Refused):
            await remote.notice("somebody-else", row["id"], ())
        await remote.notice("standin", row["id"], ())
        await remote.notice("standin", row["id"], (b"x", b"y", b"z"))
        assert await remote.states() == ["signing"], "a hint without right values only makes it due"
        assert await remote.voids() == []
        await remote.round()
        assert await remote.states() == ["done"]
        kept = await remote.values()
        await remote.notice("standin", row["id"], (b"x", b"y", b"z"))
        assert await remote.values() == kept
        await remote.redeliver()
        assert len(await remote.world.issued()) == 3


async def test_halted_class_sends_nothing_out_and_late_values_are_void(make: Make) -> None:
    async with make("--confirmation", "manual") as remote:
        await remote.to_role(PRINCIPAL)
        await remote.round()
        await remote.world.rpc.halt_class(CLASS, "00000000-0000-0000-0000-000000000077")
        await remote.stand_in.phone("confirm")
        await remote.round(5)
        assert await remote.states() == ["cancelled"]
        assert (await remote.stand_in.seen())["signed"] == {}
        assert len(await remote.voids()) >= 3


async def test_values_that_come_after_the_halt_are_accounted_for(remote: RemoteWorld) -> None:
    await remote.stand_in.behave(drop_after_signing=1)
    await remote.round()
    await remote.world.rpc.halt_class(CLASS, "00000000-0000-0000-0000-000000000077")
    await remote.until(partial(closed, remote))
    assert await remote.states() == ["cancelled"]
    assert await remote.values() == {}
    assert len(await remote.world.rows("SELECT FROM void_value")) == 3


async def test_big_class_goes_in_parcels_and_is_finished_once(make: Make) -> None:
    async with make() as remote:
        world = remote.world
        sign = world.worker.sign_class
        object.__setattr__(sign, "remote_batch", 2)
        await world.seal()
        await world.work()
        await world.approve_all()
        await world.work()
        assert await remote.states() == ["waiting"] * 2
        await remote.round()
        await remote.redeliver()
        assert len(await world.issued()) == 3
        assert len(await world.told(events.TranscriptsSigned)) == 1


async def test_request_that_nobody_serves_in_time_gets_another_attempt(make: Make) -> None:
    async with make(homes={SEAL: "agent:"}) as remote:
        await remote.to_role(SEAL)
        assert await remote.round(3600) == 0, "an agent comes by itself"
        await remote.round(timedelta(hours=24).total_seconds())
        assert await remote.states() == ["lost"]
        await remote.world.work()
        assert await remote.states() == ["lost", "waiting"]


async def test_worker_that_dies_after_the_values_came_makes_the_same_bytes(remote: RemoteWorld) -> None:
    await remote.round()
    kept = await remote.values()
    await remote.redeliver()
    before = await remote.world.issued()
    await remote.redeliver()
    assert await remote.world.issued() == before
    assert await remote.values() == kept


async def test_elliptic_values_differ_each_time_and_the_first_is_what_every_repeat_splices_in(make: Make) -> None:
    async with make(kind=KeyKind.P_256) as remote:
        world = remote.world
        await remote.to_role(PRINCIPAL)
        await remote.round()
        kept = await remote.values()
        first = next(order for order in await world.orders() if order.role == 2)

        class Dead:
            read = world.worker.sign_class.staging.read

            async def put(self, *_: object) -> None:
                raise Unavailable("killed before the pack was staged")

        with pytest.raises(Unavailable):
            await with_worker(world, lambda sign: replace(sign, staging=Dead())).sign_class(first.order_id)
        await remote.redeliver()
        issued = b"".join((await world.issued()).values()).lower()
        assert all(value.hex().encode() in issued for value in kept.values())
        assert sum((await remote.stand_in.seen())["signed"].values()) == 3
        before = await world.issued()
        await remote.redeliver()
        assert await world.issued() == before


@pytest.mark.parametrize("kind", [KeyKind.RSA_2048, KeyKind.P_256])
async def test_subject_teacher_signs_a_sheet_at_a_provider_and_the_class_goes_on(make: Make, kind: KeyKind) -> None:
    async with make(homes={SignatureRole.SUBJECT_TEACHER: "csc:standin/"}, kind=kind) as remote:
        await remote.world.seal(sheets=[("toan", 1, remote.world.pupils)])
        await remote.world.work()
        await remote.world.approve_all()
        await remote.world.work()
        assert await remote.states() == ["waiting"]
        assert await remote.world.issued() == {}
        await remote.until(partial(closed, remote))
        assert await remote.states() == ["done"]
        await remote.redeliver()
        (told,) = await remote.world.told(events.SheetsSigned)
        assert len(told.sheets) == 1
        assert len(await remote.world.issued()) == 1 + len(remote.world.pupils)
