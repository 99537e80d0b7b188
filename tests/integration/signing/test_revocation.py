"""A signer's certificate is asked about before a batch starts; what isn't known is never taken for valid."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from cryptography import x509

from hocba.common.v1 import common_pb2
from hocba.signing.v1 import events_pb2 as events
from services.chassis.errors import Refused
from services.signing.application.announce_certificates import AnnounceCertificates
from services.signing.application.wait import WakeOrders
from services.signing.domain.patience import LONGEST_WAIT
from services.signing.domain.roles import DEFAULT_ORDER
from tests.integration.signing.world import CLASS, STAFF, World, caller, request
from tests.support.trust import Trust

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER


async def _approved(world: World) -> events.SigningOrder:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    return next(order for order in await world.orders() if order.step == "sign")


async def _signatures(world: World) -> int:
    return len(await world.rows("SELECT FROM signature"))


async def _failures(world: World) -> list[str]:
    _, failures = await world.progress()
    return [reason for _, reason in failures]


def _waker(world: World) -> WakeOrders:
    return WakeOrders(world.transactions, world.clock, world.settings.express_limit)


async def test_one_look_up_per_signer_and_batch_and_none_per_pupil(world: World, trust: Trust) -> None:
    before = trust.asked()
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    after = trust.asked()
    assert await _signatures(world) == 9
    assert after["ocsp"] - before["ocsp"] == 3, "three signers, three pupils"
    assert after["crl"] - before["crl"] == 1, "and the authority above them, which has no responder"


MUTE: list[dict[str, Any]] = [
    {"ocsp": "unknown"},
    {"ocsp": "down", "crl": "down"},
    {"ocsp": "stale", "crl": "stale"},
    {"ocsp": "stranger", "crl": "stranger"},
    {"ocsp": "wrong_nonce", "crl": "down"},
    {"ocsp": "other", "crl": "down"},
    {"ocsp": "not_a_responder", "crl": "garbage"},
    {"ocsp": "garbage", "crl": "down"},
    {"ocsp": "try_later", "crl": "down"},
]


@pytest.mark.parametrize("how", MUTE, ids=[str(how["ocsp"]) for how in MUTE])
async def test_unknown_revocation_makes_the_order_wait_and_signs_when_it_is_known(world: World, how: dict[str, Any]) -> None:
    order = await _approved(world)
    world.clock.outside(**how)
    await world.do(order)
    assert await _signatures(world) == 0
    assert await world.rows("SELECT FROM intent") == [], "nothing has started"
    assert await world.told(events.RoleSigned) == [], "and nobody has failed"
    assert {reason.split(":")[0] for reason in await _failures(world)} == {"revocation_unknown"}
    await world.do(order)
    assert await world.rows("SELECT FROM order_wait WHERE tries = 1"), "the same message twice is one question"
    assert await _waker(world)() == 0, "it isn't time yet"
    world.clock.turn(timedelta(seconds=15))
    assert await _waker(world)() == 1
    assert await _waker(world)() == 0, "woken once"
    again = (await world.orders())[-1]
    assert again == order
    await world.do(again)
    assert await _signatures(world) == 3
    assert await _failures(world) == []


async def test_silent_responder_is_made_up_for_by_the_revocation_list(world: World) -> None:
    order = await _approved(world)
    world.clock.outside(ocsp="down")
    await world.do(order)
    assert await _signatures(world) == 3


async def test_response_without_a_nonce_counts_while_it_is_fresh(world: World) -> None:
    order = await _approved(world)
    world.clock.outside(ocsp="no_nonce", crl="down")
    await world.do(order)
    assert await _signatures(world) == 0, "the issuing authority's own list is down"
    world.clock.outside(ocsp="no_nonce")
    await world.do(order)
    assert await _signatures(world) == 3


async def test_wait_grows_and_ends(world: World) -> None:
    order = await _approved(world)
    world.clock.outside(ocsp="down", crl="down")
    asked = 0
    began = world.clock.now()
    while await world.told(events.RoleSigned) == []:
        await world.do(order)
        asked += 1
        assert asked < 40, "with growing pauses"
        rows = await world.rows("SELECT due_at FROM order_wait WHERE due_at IS NOT NULL")
        if rows:
            world.clock.at = rows[0]["due_at"]
            world.clock.outside(ocsp="down", crl="down")
            assert await _waker(world)() == 1
            await world.orders()  # It comes to its turn again.
    assert world.clock.now() - began >= LONGEST_WAIT
    (told,) = await world.told(events.RoleSigned)
    assert {(outcome.signed, outcome.reason) for outcome in told.outcomes} == {(False, "revocation_unknown")}
    assert await world.rows("SELECT FROM intent") == []


@pytest.mark.parametrize("how", [{}, {"ocsp": "down"}], ids=["ocsp", "crl"])
async def test_revoked_certificate_fails_the_batch_before_it_starts_and_can_approve_nothing_more(world: World, trust: Trust, how: dict[str, Any]) -> None:
    order = await _approved(world)
    (row,) = await world.rows("SELECT certificate FROM certificate WHERE role = $1", HOMEROOM.value)
    trust.pki.revoke(bytes(row["certificate"]), world.clock.now() - timedelta(hours=1), x509.ReasonFlags.key_compromise)
    world.clock.outside(**how)
    await world.do(order)
    (told,) = await world.told(events.RoleSigned)
    assert {(outcome.signed, outcome.reason) for outcome in told.outcomes} == {(False, "certificate_revoked")}
    assert all("key_compromise" in reason and "register another one" in reason for reason in await _failures(world))
    assert await world.rows("SELECT FROM intent") == []
    moves = [event for event in await world.told(events.CertificateMoved) if event.role == common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER]
    assert [(move.version, move.state, move.staff_id) for move in moves] == [(1, "registered", STAFF[HOMEROOM]), (2, "revoked", STAFF[HOMEROOM])]
    assert moves[1].revoked_at.ToDatetime(UTC) == world.clock.now() - timedelta(hours=1)
    assert await AnnounceCertificates(world.transactions)() == 4
    assert len([event for event in await world.told(events.CertificateMoved) if event == moves[1]]) == 2, "told again, it is the same"
    (manifest,) = await world.manifests()
    await world.reject(manifest, PRINCIPAL)
    await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await world.work()
    (manifest,) = await world.manifests()
    with pytest.raises(Refused, match="no certificate is registered"):
        await world.approve(manifest, HOMEROOM)
    # Another certificate for the same person mends it; the PKI makes one because the old one's facts are gone.
    for file in (trust.pki.folder / "certificates").glob(f"{HOMEROOM}-*.json"):
        file.unlink()
    await world.certify(HOMEROOM)
    world.clock.outside()
    await world.approve_all()
    await world.work()
    assert await _signatures(world) == 9


async def test_certificate_on_hold_may_come_back(world: World, trust: Trust) -> None:
    order = await _approved(world)
    (row,) = await world.rows("SELECT certificate FROM certificate WHERE role = $1", HOMEROOM.value)
    trust.pki.revoke(bytes(row["certificate"]), world.clock.now(), x509.ReasonFlags.certificate_hold)
    await world.do(order)
    assert {reason.split(":")[0] for reason in await _failures(world)} == {"certificate_revoked"}
    trust.pki.reinstate(bytes(row["certificate"]))
    world.clock.turn(timedelta(hours=1))
    await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await world.work()
    assert await _signatures(world) == 3
