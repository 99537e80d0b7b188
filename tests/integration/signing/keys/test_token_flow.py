"""Classes whose seal is in a token of ours: what the token refuses is told per pupil, and the first value is what counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from hocba.signing.v1 import events_pb2 as events
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.signing.adapters.keys.router import KeyRouter
from services.signing.application.ports import KeyStore
from tests.integration.signing.keys.remote_world import HOMEROOM, PRINCIPAL, SEAL
from tests.integration.signing.world import CLASS, SCHOOL, TurnedClock, World, caller, request, settings_for, wired, with_worker
from tests.support.postgres import DatabaseFactory
from tests.support.softhsm import PIN, SoftHsm, a_softhsm
from tests.support.trust import Trust


@pytest.fixture
async def token(make_database: DatabaseFactory, trust: Trust, tmp_path: Path) -> AsyncIterator[tuple[World, SoftHsm]]:
    """A class on which only the seal is missing; the seal's key is in a token, under the name that is registered."""
    databases = make_database("signing")
    database = Database(databases.url, name="signing-test", pool=6)
    await database.open()
    try:
        with a_softhsm(tmp_path / "hsm") as hsm:
            hsm.make_token("school")
            hsm.make_token("other")
            plain = settings_for(databases, tmp_path, trust.pki)
            settings = type(plain).model_construct(**{**plain.model_dump(), "pkcs11_library": hsm.library, "pkcs11_pins_dir": hsm.pins})
            world = wired(database, settings, TurnedClock(trust), trust.pki)
            world.homes = {SEAL: "pkcs11:school/"}
            await world.people()
            _put(hsm, world, SEAL, f"{SEAL}-{SCHOOL}")
            await world.seal()
            await world.work()
            for manifest in await world.manifests():
                for role in (HOMEROOM, PRINCIPAL):
                    await world.approve(manifest, role)
            await world.work()
            yield world, hsm
            home = world.worker.sign_class.keys
            assert isinstance(home, KeyRouter)
            for each in home.homes.values():
                if hasattr(each, "close"):
                    await each.close()
    finally:
        await database.close()


def _put(hsm: SoftHsm, world: World, role: str, label: str) -> None:
    content = (world.pki.keys / f"{role}-{SCHOOL}.p12").read_bytes()
    key, _, _ = pkcs12.load_key_and_certificates(content, world.pki.password_file.read_bytes())
    hsm.put("school", label, key, 1)  # type: ignore[arg-type]


async def approve_seal(world: World) -> None:
    (manifest,) = await world.manifests()
    await world.approve(manifest, SEAL)


async def failures(world: World) -> set[str]:
    return {o.reason for event in await world.told(events.RoleSigned) for o in event.outcomes if not o.signed}


async def test_values_of_a_token_are_kept_before_they_are_used(token: tuple[World, SoftHsm]) -> None:
    world, _ = token
    await approve_seal(world)
    await world.work()
    assert len(await world.issued()) == 3
    assert len(await world.rows("SELECT FROM signature_value")) == 3


class Counted:
    """A token that is asked once."""

    def __init__(self, inner: KeyStore) -> None:
        self.inner, self.calls = inner, 0

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        self.calls += 1
        return await self.inner.sign(key_name, digests)


async def test_worker_that_dies_after_the_token_answered_splices_in_the_first_values(token: tuple[World, SoftHsm]) -> None:
    world, _ = token
    await approve_seal(world)
    counted = Counted(world.worker.sign_class.keys)

    class Dead:
        async def put(self, *_: object) -> None:
            raise Unavailable("killed here")

    order = next(order for order in await world.orders() if order.order_id not in world.done)
    dying = with_worker(world, lambda sign: replace(sign, staging=_reads(world, Dead()), keys=counted))
    with pytest.raises(Unavailable):
        await dying.sign_class(order.order_id)
    kept = [bytes(row["value"]) for row in await world.rows("SELECT value FROM signature_value ORDER BY intent_id")]
    assert len(kept) == 3
    again = with_worker(world, lambda sign: replace(sign, keys=counted))
    await again.sign_class(order.order_id)
    assert counted.calls == 1
    issued = b"".join((await world.issued()).values()).lower()
    assert len(await world.issued()) == 3
    assert all(value.hex().encode() in issued for value in kept)


def _reads(world: World, dead: object) -> object:
    class Staging:
        read = world.worker.sign_class.staging.read
        put = dead.put  # type: ignore[attr-defined]

    return Staging()


async def test_wrong_pin_fails_each_pupil_with_its_reason_and_a_retry_heals(token: tuple[World, SoftHsm]) -> None:
    world, hsm = token
    hsm.set_pin_file("school", "0000")
    await approve_seal(world)
    await world.work()
    assert await failures(world) == {"pin_wrong"}
    assert await world.rows("SELECT FROM void_intent") == [], "no key was used, so the intents live on"
    _, lines = await world.progress()
    said = json.dumps(lines)
    assert "PIN file" in said
    assert "0000" not in said
    hsm.set_pin_file("school", PIN)
    assert (await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS))["retried"] == "3"
    await world.work()
    assert len(await world.issued()) == 3


async def test_token_that_is_away_makes_the_order_wait(token: tuple[World, SoftHsm]) -> None:
    world, hsm = token
    await approve_seal(world)
    hsm.take_away()
    with pytest.raises(Unavailable):
        await world.work()
    assert await failures(world) == set()
    hsm.bring_back()
    await world.work()
    assert len(await world.issued()) == 3


async def test_token_with_another_key_is_caught_and_accounted_for(token: tuple[World, SoftHsm]) -> None:
    world, _ = token
    await approve_seal(world)

    class AnotherKey:
        async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
            return await world.worker.sign_class.keys.sign(f"{PRINCIPAL}-{SCHOOL}", digests)

    order = next(order for order in await world.orders() if order.order_id not in world.done)
    await with_worker(world, lambda sign: replace(sign, keys=AnotherKey())).sign_class(order.order_id)
    assert await failures(world) == {"check_failed"}
    assert await world.issued() == {}
    assert await world.rows("SELECT FROM signature_value") == []
    assert len(await world.rows("SELECT FROM void_value")) == 3
    assert (await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS))["retried"] == "3"
    world.done.add(order.order_id)
    await world.work()
    assert len(await world.issued()) == 3, "a retry makes a new attempt, since the old intents are void"
