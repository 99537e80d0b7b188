"""What a crash, a second worker, a halt in mid-work or a wrong key can do: cost time, never truth."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hocba.signing.v1 import events_pb2 as events
from services.chassis.errors import Refused
from services.signing.adapters.key_journal import key_uses, read_journal
from services.signing.application.check_key_use import CheckKeyUse
from services.signing.domain.key_use import KeyUse
from services.signing.domain.roles import DEFAULT_ORDER
from tests.integration.signing.world import CLASS, World, caller, request, with_worker

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER


class Killed(Exception):
    """The process died here."""


@dataclass
class Keys:
    """Keys around which something happens."""

    inner: Any
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    change: Callable[[list[bytes]], list[bytes]] = lambda values: values

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        if self.before:
            await self.before()
        values = await self.inner.sign(key_name, digests)
        if self.after:
            await self.after()
        return self.change(values)


async def _killed() -> None:
    raise Killed


async def _ready_to_sign(world: World) -> events.SigningOrder:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    return next(order for order in await world.orders() if order.step == "sign")


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_worker_killed_around_the_key_repeats_the_same_bytes(world: World, moment: str) -> None:
    order = await _ready_to_sign(world)
    dying = with_worker(
        world, lambda sign: replace(sign, keys=Keys(sign.keys, _killed if moment == "before" else None, _killed if moment == "after" else None))
    )
    with pytest.raises(Killed):
        await dying.sign_class(order.order_id)
    intended = await world.rows("SELECT intent_id, to_be_signed, signed_at FROM intent ORDER BY intent_id")
    assert len(intended) == 3
    assert await world.rows("SELECT FROM signature") == []
    world.clock.turn(timedelta(minutes=7))
    await world.do(order)
    assert await world.rows("SELECT intent_id, to_be_signed, signed_at FROM intent ORDER BY intent_id") == intended
    assert len(await world.rows("SELECT FROM signature")) == 3
    said = list(read_journal(world.settings.key_journal_dir / "worker-1.jsonl"))  # type: ignore[operator]
    by_intent = {line["intent"]: line["digest"] for line in said}
    assert len(said) == 6
    assert {line["digest"] for line in said} == set(by_intent.values()), "each intent had one digest in both tries"
    assert by_intent == {str(row["intent_id"]): row["to_be_signed"].hex() for row in intended}


async def test_worker_killed_after_the_pack_was_staged_writes_the_same_pack(world: World) -> None:
    order = await _ready_to_sign(world)

    def dies_at_announcing(sign: Any) -> Any:
        async def announce(*_: Any) -> None:
            raise Killed

        return replace(sign, announce_signed=announce)

    with pytest.raises(Killed):
        await with_worker(world, dies_at_announcing).sign_class(order.order_id)
    folder = world.settings.staging_url + f"/{CLASS}"
    before = await asyncio.to_thread(_files, folder)
    await world.do(order)
    assert await asyncio.to_thread(_files, folder) == before


def _files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


async def test_two_workers_on_one_order_announce_once(world: World) -> None:
    order = await _ready_to_sign(world)
    second = with_worker(world, lambda sign: sign)
    await asyncio.gather(world.worker.sign_class(order.order_id), second.sign_class(order.order_id))
    assert len(await world.rows("SELECT FROM signature")) == 3
    assert len(await world.told(events.RoleSigned)) == 1
    assert await world.rows("SELECT FROM void_intent") == []


async def test_halt_while_the_key_works_leaves_nothing_announced(world: World) -> None:
    order = await _ready_to_sign(world)

    async def halt() -> None:
        await world.rpc.halt_class(CLASS, "00000000-0000-0000-0000-00000000000d")

    worker = with_worker(world, lambda sign: replace(sign, keys=Keys(sign.keys, after=halt)))
    await worker.sign_class(order.order_id)
    assert await world.rows("SELECT FROM signature") == []
    assert await world.told(events.RoleSigned) == []
    assert len(await world.rows("SELECT FROM void_intent")) == 3, "the key was used, so the void register says why"


async def test_key_that_signs_something_else_is_found_out_before_anybody_is_told(world: World) -> None:
    order = await _ready_to_sign(world)

    def one_wrong(values: list[bytes]) -> list[bytes]:
        return [bytes(len(values[0])), *values[1:]]

    worker = with_worker(world, lambda sign: replace(sign, keys=Keys(sign.keys, change=one_wrong)))
    await worker.sign_class(order.order_id)
    (told,) = await world.told(events.RoleSigned)
    assert sorted((o.signed, o.reason) for o in told.outcomes) == [(False, "check_failed"), (True, ""), (True, "")]
    assert len(await world.rows("SELECT FROM void_intent")) == 1
    _, failures = await world.progress()
    assert "the signature value is wrong" in failures[0][1]


async def test_staged_page_that_was_changed_is_not_signed(world: World) -> None:
    order = await _ready_to_sign(world)
    (pack,) = (Path(world.settings.staging_url) / CLASS).glob("pages-*.zip")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)
    await world.do(order)
    reasons = sorted(row["reason"].split(":")[0] for row in await world.rows("SELECT reason FROM order_line WHERE order_id = $1", order.order_id))
    assert "page_lost" in reasons
    assert len(await world.rows("SELECT FROM signature")) < 3


async def test_retry_after_a_day_makes_new_intents_and_voids_the_old_ones(world: World) -> None:
    order = await _ready_to_sign(world)

    def all_wrong(values: list[bytes]) -> list[bytes]:
        return [bytes(len(value)) for value in values]

    worker = with_worker(world, lambda sign: replace(sign, keys=Keys(sign.keys, change=all_wrong)))
    await worker.sign_class(order.order_id)
    world.done.add(order.order_id)
    world.clock.turn(timedelta(hours=25))
    await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await world.work()
    assert len(await world.rows("SELECT FROM signature")) == 3
    attempts = await world.rows(
        "SELECT attempt, count(*) AS n, count(v.intent_id) AS voided FROM intent LEFT JOIN void_intent AS v USING (intent_id) GROUP BY attempt ORDER BY attempt"
    )
    assert [(row["attempt"], row["n"], row["voided"]) for row in attempts] == [(0, 3, 3), (1, 3, 0)]


async def test_intents_and_signatures_cannot_be_changed(world: World) -> None:
    order = await _ready_to_sign(world)
    await world.do(order)
    for table in ("intent", "signature"):
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            await world.rows(f"DELETE FROM {table}")


async def test_key_that_was_used_behind_the_service_is_found_by_the_check(world: World) -> None:
    order = await _ready_to_sign(world)
    await world.do(order)
    folder = world.settings.key_journal_dir
    assert folder is not None
    check = CheckKeyUse(world.transactions, lambda: key_uses(folder))
    report = await check()
    assert (report.uses, report.intents, report.problems) == (3, 3, ())
    async with world.transactions() as work:
        stored = await work.journal.intended([use.intent_id for use in key_uses(folder)])
    behind = KeyUse("00000000-0000-0000-0000-000000000001", b"x" * 32, "elsewhere, line 1")
    other = KeyUse(next(iter(stored)), b"x" * 32, "elsewhere, line 2")
    found = await CheckKeyUse(world.transactions, lambda: [behind, other])()
    assert [problem.split(":")[0] for problem in found.problems] == ["elsewhere, line 1", "elsewhere, line 2"]


async def test_journal_line_that_was_taken_out_is_found(world: World) -> None:
    order = await _ready_to_sign(world)
    await world.do(order)
    path = world.settings.key_journal_dir / "worker-1.jsonl"  # type: ignore[operator]
    first, _, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + third)
    with pytest.raises(Refused, match="line 2"):
        list(read_journal(path))
    path.write_bytes(first + third[:20])
    assert len(list(read_journal(path))) == 1, "half a line is what a crash leaves; the key wasn't used for it"


@pytest.mark.parametrize("column", ["body_digest", "content_digest"])
async def test_page_or_content_that_is_not_in_the_approved_list_is_not_signed(world: World, column: str) -> None:
    order = await _ready_to_sign(world)
    await world.rows(f"UPDATE transcript SET {column} = sha256({column}) WHERE transcript_id = $1", world.pupils[0])
    await world.do(order)
    signed = await world.rows("SELECT transcript_id FROM signature")
    assert {str(row["transcript_id"]) for row in signed} == set(world.pupils[1:])
    assert len(await world.rows("SELECT FROM intent")) == 2


async def test_manifest_row_changed_behind_the_service_signs_nothing(world: World, make_database: object) -> None:
    order = await _ready_to_sign(world)
    with pytest.raises(Exception, match="permission denied"):
        await world.rows("UPDATE manifest_entry SET version = version + 1")
    await world.rows("UPDATE manifest SET merkle_root = sha256(merkle_root)")
    await world.do(order)
    (row,) = await world.rows("SELECT count(*) AS n FROM signature")
    assert row["n"] == 3, "the root that counts is the one over the lines, and the lines are what was approved"


@dataclass
class OtherStamps:
    """A signatory whose stamps say something else, as another release of the forms might."""

    inner: Any

    async def prepare(self, tasks: Any, terms: Any) -> Any:
        return await self.inner.prepare(tasks, replace(terms, authority="12/QĐ-HT"))


async def test_document_other_than_the_intended_one_is_never_given_to_the_key(world: World) -> None:
    order = await _ready_to_sign(world)
    dying = with_worker(world, lambda sign: replace(sign, keys=Keys(sign.keys, _killed)))
    with pytest.raises(Killed):
        await dying.sign_class(order.order_id)
    other = with_worker(world, lambda sign: replace(sign, signatory=OtherStamps(sign.signatory), keys=Keys(sign.keys, _killed)))
    await other.sign_class(order.order_id)
    (told,) = await world.told(events.RoleSigned)
    assert {(o.signed, o.reason) for o in told.outcomes} == {(False, "intent_differs")}
    await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await world.work()
    assert len(await world.rows("SELECT FROM signature")) == 3, "the first release still makes the intended bytes"
