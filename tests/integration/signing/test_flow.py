"""A class from seal to issued documents, and what interrupts it."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from hocba.signing.v1 import events_pb2 as events
from services.chassis.errors import Denied, Refused
from services.signing.application.know_people import HomeroomFact
from services.signing.domain.people import Appointment
from services.signing.domain.roles import DEFAULT_ORDER
from tests.integration.signing.world import CLASS, SCHOOL, STAFF, World, caller, request

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER


async def test_class_with_all_approvals_is_signed_and_announced_once(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    assert await world.approve(manifest, HOMEROOM) == "true"
    assert await world.approve(manifest, PRINCIPAL) == "false", "an approval that comes early waits"
    assert await world.approve(manifest, SEAL) == "false"
    assert await world.work() == 3
    (told,) = await world.told(events.TranscriptsSigned)
    assert {t.transcript.transcript_id for t in told.transcripts} == set(world.pupils)
    assert [s.role for s in told.transcripts[0].signatures] == [1, 2, 3]
    issued = await world.issued()
    assert set(issued) == {(pupil, 1) for pupil in world.pupils}
    assert [m.state.value for m in await world.manifests("completed")] == ["completed"]


async def test_order_delivered_twice_changes_nothing(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    before = await world.issued(), len(await world.told(events.RoleSigned)), len(await world.orders())
    for order in await world.orders():
        await world.do(order)
    assert (await world.issued(), len(await world.told(events.RoleSigned)), len(await world.orders())) == before


async def test_class_told_twice_is_prepared_once(world: World) -> None:
    sealed = await world.seal()
    await world.take(sealed)
    await world.work()
    await world.take(sealed)
    assert await world.work() == 0
    assert len(await world.manifests()) == 1


async def test_older_class_version_that_comes_late_changes_nothing(world: World) -> None:
    old = world.sealed(1)
    await world.seal(2)
    await world.take(old)
    assert len(await world.orders()) == 1


async def test_roles_wait_for_the_role_before(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    assert await world.approve(manifest, SEAL) == "false"
    assert await world.approve(manifest, PRINCIPAL) == "false"
    assert await world.work() == 0, "nothing is signed before the homeroom teacher"
    assert await world.approve(manifest, HOMEROOM) == "true"
    assert await world.work() == 3
    signed = await world.rows("SELECT role, announced_at, ctid FROM signature WHERE transcript_id = $1 ORDER BY ctid", world.pupils[0])
    assert [row["role"] for row in signed] == [role.value for role in DEFAULT_ORDER]


async def test_person_without_the_office_is_refused(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    with pytest.raises(Denied, match="only the principal"):
        await world.approve(manifest, PRINCIPAL, caller(HOMEROOM))
    with pytest.raises(Denied):
        await world.approve(manifest, HOMEROOM, caller(PRINCIPAL))
    assert await world.work() == 0


async def test_caller_of_another_school_sees_no_manifest(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    stranger = caller(PRINCIPAL, school="00000000-0000-0000-0000-000000000001")
    assert await world.rpc.list_manifests(stranger, "", CLASS, None) == []
    with pytest.raises(Exception, match="no manifest"):
        await world.approve(manifest, PRINCIPAL, stranger)


async def test_approval_of_another_list_is_refused(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    with pytest.raises(Refused, match="isn't the list that was shown"):
        await world.approve(replace(manifest, merkle_root=b"\0" * 32), HOMEROOM)


async def test_preview_is_the_page_that_the_manifest_names(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    _, entries = await world.rpc.get_manifest(caller(HOMEROOM), manifest.manifest_id)
    pdf, digest = await world.rpc.get_preview(caller(HOMEROOM), manifest.manifest_id, world.pupils[0])
    wanted = next(row for row in entries if row.ref.transcript_id == world.pupils[0])
    assert sha256(pdf).digest() == digest == wanted.entry.body_digest
    await world.approve_all()
    await world.work()
    assert (await world.issued())[world.pupils[0], 1].startswith(pdf)


async def test_halted_manifest_is_never_signed(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    unlock = "00000000-0000-0000-0000-00000000000a"
    assert await world.rpc.halt_class(CLASS, unlock) == (1, 0)
    assert await world.rpc.halt_class(CLASS, unlock) == (1, 0), "a repeat gets the first answer"
    await world.work()
    assert await world.told(events.RoleSigned) == []
    assert await world.rows("SELECT FROM signature") == []


async def test_halt_after_one_role_voids_its_intents_and_a_new_seal_signs_anew(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    await world.work()
    await world.rpc.halt_class(CLASS, "00000000-0000-0000-0000-00000000000b")
    assert len(await world.rows("SELECT FROM void_intent")) == 3
    await world.seal(2)
    await world.work()
    (again,) = await world.manifests()
    assert again.approvals == ()
    await world.approve_all()
    await world.work()
    assert len(await world.issued()) == 3
    unaccounted = await world.rows(
        "SELECT FROM intent LEFT JOIN void_intent USING (intent_id) LEFT JOIN transcript USING (transcript_id, version)"
        " WHERE reason IS NULL AND state <> 'signed'"
    )
    assert unaccounted == []


async def test_new_version_signs_only_the_changed_pupil(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    changed = world.pupils[1]
    assert await world.rpc.halt_class(CLASS, "00000000-0000-0000-0000-00000000000c") == (0, 3)
    await world.seal(2, versions={changed: 2}, comments={changed: "Có tiến bộ rõ rệt sau khi sửa điểm."})
    await world.work()
    (manifest,) = await world.manifests()
    assert manifest.transcripts == 1
    await world.approve_all()
    await world.work()
    issued = await world.issued()
    assert set(issued) == {*((pupil, 1) for pupil in world.pupils), (changed, 2)}
    assert len(await world.told(events.ExpressSigningOrder)) == 4, "a single pupil goes by the express topic"


async def test_new_version_before_signing_drops_the_old_one_alone(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    changed = world.pupils[0]
    await world.seal(2, versions={changed: 2}, comments={changed: "Nội dung mới."})
    await world.work()
    assert set(await world.issued()) == {(pupil, 1) for pupil in world.pupils[1:]}
    await world.approve_all()
    await world.work()
    assert set(await world.issued()) == {(changed, 2), *((pupil, 1) for pupil in world.pupils[1:])}


async def test_unprintable_record_fails_alone_and_says_why(world: World) -> None:
    odd = world.pupils[2]
    await world.seal(comments={odd: "Giỏi 😀"})
    await world.work()
    (manifest,) = await world.manifests()
    assert manifest.transcripts == 2
    progress, failures = await world.progress()
    assert (progress.transcripts, progress.prepared) == (3, 2)
    assert [transcript for transcript, _ in failures] == [odd]
    assert "record_unreadable" in failures[0][1]


async def test_rejected_manifest_is_not_signed_and_a_retry_makes_another(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    await world.reject(manifest, PRINCIPAL)
    await world.work()
    assert await world.rows("SELECT FROM signature") == []
    assert (await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS))["retried"] == "3"
    await world.work()
    await world.approve_all()
    await world.work()
    assert len(await world.issued()) == 3


async def test_certificate_that_ends_before_the_batch_is_refused_with_its_reason(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    world.clock.turn(timedelta(days=800))
    with pytest.raises(Refused, match="isn't valid at"):
        await world.approve(manifest, HOMEROOM)


async def test_certificate_that_ended_after_the_approval_fails_each_pupil_and_retry_heals(world: World) -> None:
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    world.clock.turn(timedelta(days=800))
    await world.work()
    (told,) = await world.told(events.RoleSigned)
    assert {(o.signed, o.reason) for o in told.outcomes} == {(False, "certificate_untrusted")}
    assert await world.rows("SELECT FROM intent") == []
    world.clock.turn(timedelta(days=-799))
    answer = await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    assert answer["retried"] == "3"
    await world.work()
    assert len(await world.rows("SELECT FROM signature")) == 3


async def test_new_homeroom_teacher_approves_and_an_old_event_changes_nothing(world: World) -> None:
    substitute = "00000000-0000-0000-0000-0000000000ff"
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.know([HomeroomFact(CLASS, substitute, 7), HomeroomFact(CLASS, STAFF[HOMEROOM], 6)])
    with pytest.raises(Denied):
        await world.approve(manifest, HOMEROOM)
    await world.know([HomeroomFact(CLASS, STAFF[HOMEROOM], 8)])
    assert await world.approve(manifest, HOMEROOM) == "true"


async def test_homeroom_teacher_named_before_the_seal_is_known_at_the_seal(world: World) -> None:
    substitute = "00000000-0000-0000-0000-0000000000ff"
    await world.know([HomeroomFact(CLASS, substitute, 7)])
    await world.seal()
    (row,) = await world.rows("SELECT homeroom_staff_id::text AS teacher, homeroom_version FROM school_class")
    assert (row["teacher"], row["homeroom_version"]) == (substitute, 7)
    await world.know([HomeroomFact(CLASS, STAFF[HOMEROOM], 6)])
    assert (await world.rows("SELECT homeroom_staff_id::text AS teacher FROM school_class"))[0]["teacher"] == substitute


async def test_deputy_with_a_recorded_decision_signs_and_the_stamp_says_so(world: World) -> None:
    vice = Appointment("vice_principal", "2025-08-01", "", STAFF[PRINCIPAL], "7/QĐ-HT")
    await world.know([world.member(PRINCIPAL, 2, vice)])
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    deputy = replace(caller(PRINCIPAL), roles=(("vice_principal", f"school:{SCHOOL}"),))
    await world.approve(manifest, HOMEROOM)
    await world.approve(manifest, PRINCIPAL, deputy)
    await world.approve(manifest, SEAL)
    await world.work()
    assert len(await world.issued()) == 3
    (row,) = await world.rows("SELECT authority FROM approval WHERE role = 'principal'")
    assert row["authority"] == "7/QĐ-HT"
