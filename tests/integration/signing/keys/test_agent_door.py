"""What an agent sees and may bring: digests of its own school's certificate, right values, once."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import pkcs12

from services.chassis.database import Database
from services.chassis.errors import Malformed, NotFound, Refused
from services.signing.application.ports import OpenRequest
from tests.integration.signing.keys.remote_world import HOMEROOM, SEAL
from tests.integration.signing.world import CLASS, SCHOOL, TurnedClock, World, caller, settings_for, wired
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust

STRANGER = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
async def sealed(make_database: DatabaseFactory, trust: Trust, tmp_path: Path) -> AsyncIterator[World]:
    """A class on which only the seal is missing, and the seal is with an agent."""
    databases = make_database("signing")
    database = Database(databases.url, name="signing-test", pool=6)
    await database.open()
    try:
        world = wired(database, settings_for(databases, tmp_path, trust.pki), TurnedClock(trust), trust.pki)
        world.homes = {SEAL: "agent:"}
        await world.people()
        await world.seal()
        await world.work()
        await world.approve_all()
        await world.work()
        yield world
    finally:
        await database.close()


def seal_certificate(world: World) -> bytes:
    return (world.pki.folder / "certificates" / f"{SEAL}-{SCHOOL}.cer").read_bytes()


def token(world: World, name: str = "") -> rsa.RSAPrivateKey:
    """The seal's key, as the school's token holds it."""
    content = (world.pki.keys / f"{name or f'{SEAL}-{SCHOOL}'}.p12").read_bytes()
    key, _, _ = pkcs12.load_key_and_certificates(content, world.pki.password_file.read_bytes())
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def signed(key: rsa.RSAPrivateKey, found: OpenRequest) -> dict[str, bytes]:
    return {i.intent_id: key.sign(i.digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())) for i in found.request.items}


async def listed(world: World, school: str = SCHOOL) -> list[OpenRequest]:
    certificate = hashlib.sha256(seal_certificate(world)).digest()
    return await world.rpc.list_open_digests(caller(SEAL, school), SCHOOL, certificate)


async def test_agent_sees_what_it_signs_and_the_class_is_finished(sealed: World) -> None:
    (found,) = await listed(sealed)
    assert (found.school_name, found.grade, len(found.request.items)) == ("Trường Mẫu", 8, 3)
    (manifest,) = await sealed.manifests()
    assert found.merkle_root == manifest.merkle_root
    state = await sealed.rpc.submit_signatures(caller(SEAL), found.request.request_id, signed(token(sealed), found))
    assert state == ("done", 3)
    assert await listed(sealed) == []
    sealed.done.clear()
    await sealed.work()
    assert len(await sealed.issued()) == 3
    again = await sealed.rpc.submit_signatures(caller(SEAL), found.request.request_id, signed(token(sealed), found))
    assert again == ("done", 0)


async def test_another_school_sees_and_brings_nothing(sealed: World) -> None:
    assert await listed(sealed, STRANGER) == []
    (found,) = await listed(sealed)
    with pytest.raises(NotFound):
        await sealed.rpc.submit_signatures(caller(SEAL, STRANGER), found.request.request_id, signed(token(sealed), found))
    assert await sealed.rows("SELECT FROM signature_value") == []


async def test_values_of_another_key_are_refused_and_the_request_stays_open(sealed: World) -> None:
    (found,) = await listed(sealed)
    wrong = signed(token(sealed, f"{HOMEROOM}-{SCHOOL}"), found)
    with pytest.raises(Refused, match="aren't by the key"):
        await sealed.rpc.submit_signatures(caller(SEAL), found.request.request_id, wrong)
    right = signed(token(sealed), found)
    right.popitem()
    with pytest.raises(Malformed, match="one value for each"):
        await sealed.rpc.submit_signatures(caller(SEAL), found.request.request_id, right)
    assert len(await listed(sealed)) == 1
    assert await sealed.rows("SELECT FROM void_intent") == []


async def test_halted_class_is_shown_to_no_agent_and_values_that_come_are_void(sealed: World) -> None:
    (found,) = await listed(sealed)
    await sealed.rpc.halt_class(CLASS, "00000000-0000-0000-0000-000000000077")
    assert await listed(sealed) == []
    state = await sealed.rpc.submit_signatures(caller(SEAL), found.request.request_id, signed(token(sealed), found))
    assert state == ("cancelled", 0)
    assert len(await sealed.rows("SELECT FROM void_value")) == 3
    assert await sealed.rows("SELECT FROM signature_value") == []


async def test_certificate_that_others_hold_shows_nothing(sealed: World) -> None:
    assert await sealed.rpc.list_open_digests(replace(caller(SEAL)), SCHOOL, b"\0" * 32) == []


async def test_first_value_of_an_intent_wins_and_the_second_is_accounted_for(sealed: World) -> None:
    (found,) = await listed(sealed)
    intent = found.request.items[0].intent_id
    async with sealed.transactions() as work:
        assert await work.remote.store(None, {intent: b"first"}, sealed.clock.now()) == {intent: b"first"}
    for value in (b"second", b"first", b"second"):
        async with sealed.transactions() as work:
            assert await work.remote.store(None, {intent: value}, sealed.clock.now()) == {intent: b"first"}
    (void,) = await sealed.rows("SELECT value_sha256, reason FROM void_value")
    assert bytes(void["value_sha256"]) == hashlib.sha256(b"second").digest()
    for table in ("signature_value", "void_value"):
        with pytest.raises(asyncpg.PostgresError):
            await sealed.rows(f"DELETE FROM {table}")
