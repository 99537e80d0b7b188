"""Class-subject sheets: the subject teacher signs once, pupils' transcripts wait for it, and a correction is a sheet of one row."""

from dataclasses import replace
from hashlib import sha256

import pytest

from hocba.common.v1 import common_pb2
from hocba.signing.v1 import events_pb2 as events
from services.chassis.errors import Denied, Malformed, NotFound
from services.signing.application.know_people import TeachingFact
from services.signing.application.ports import ManifestRow
from services.signing.domain.documents import DocumentKind
from services.signing.domain.people import Appointment, Caller, StaffMember
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from tests.integration.signing.world import CLASS, OFFICES, SCHOOL, STAFF, World, caller, request

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER
TEACHER = SignatureRole.SUBJECT_TEACHER


async def of_sheets(world: World) -> dict[tuple[str, int], ManifestRow]:
    """Ready manifests of sheets by (subject, number of the sheet's version)."""
    found = {}
    for manifest in await world.manifests():
        if manifest.kind is DocumentKind.SHEET:
            async with world.transactions() as work:
                (line,) = await work.manifests.entries(manifest.manifest_id)
            found[manifest.subject, line.entry.version] = manifest
    return found


async def of_transcripts(world: World) -> list[ManifestRow]:
    return [manifest for manifest in await world.manifests() if manifest.kind is DocumentKind.TRANSCRIPT]


async def test_transcripts_wait_for_every_sheet_that_they_name(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils), ("ngu_van", 1, world.pupils)])
    await world.work()
    sheets = await of_sheets(world)
    (pupils,) = await of_transcripts(world)
    assert set(sheets) == {("toan", 1), ("ngu_van", 1)}
    for role in DEFAULT_ORDER:
        assert await world.approve(pupils, role) == "false", "the homeroom teacher's approval came early and waits"
    assert await world.work() == 0
    assert await world.approve(sheets["toan", 1], TEACHER) == "true"
    assert await world.work() == 1, "one sheet is signed, and every pupil still lacks the other"
    assert await world.approve(sheets["ngu_van", 1], TEACHER) == "true"
    assert await world.work() == 4
    told = await world.told(events.SheetsSigned)
    assert [(t.sheets[0].sheet.subject, [s.role for s in t.sheets[0].signatures]) for t in told] == [("toan", [4]), ("ngu_van", [4])]
    (signed,) = await world.told(events.TranscriptsSigned)
    assert {t.transcript.transcript_id for t in signed.transcripts} == set(world.pupils)
    issued = await world.issued()
    assert {sha256(pdf).digest() for pdf in issued.values()} >= {t.sheets[0].sha256 for t in told}
    assert len(issued) == len(world.pupils) + 2


async def test_a_pupil_waits_for_no_sheet_but_his_own(world: World) -> None:
    first, *others = world.pupils
    await world.seal(sheets=[("tin_hoc", 1, [first])])
    await world.work()
    (pupils,) = await of_transcripts(world)
    assert await world.approve(pupils, HOMEROOM) == "true"
    await world.work()
    roles = {row["transcript_id"]: row["signed_roles"] for row in await world.rows("SELECT transcript_id::text, signed_roles FROM transcript")}
    assert (roles[first], {roles[other] for other in others}) == (0, {1})
    await world.approve((await of_sheets(world))["tin_hoc", 1], TEACHER)
    await world.work()
    progress, _ = await world.progress()
    assert (progress.of(HOMEROOM).signed, progress.of(SignatureRole.SUBJECT_TEACHER).needed, progress.of(SignatureRole.SUBJECT_TEACHER).signed) == (3, 1, 1)


async def test_a_correction_is_a_sheet_of_one_row_and_touches_one_pupil(world: World) -> None:
    wrong = world.pupils[1]
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    await world.approve_all()
    await world.work()
    before = await world.issued()
    await world.rpc.halt_class(CLASS, request("unlock").request_id)
    first = ("toan", 1, world.pupils)
    await world.seal(2, versions={wrong: 2}, comments={wrong: "Đã sửa điểm."}, sheets=[first, ("toan", 2, [wrong])])
    await world.work()
    (pupils,) = await of_transcripts(world)
    assert (pupils.transcripts, set(await of_sheets(world))) == (1, {("toan", 2)})
    await world.approve_all()
    await world.work()
    issued = await world.issued()
    fresh = {key for key in issued if key not in before}
    assert {version for _, version in fresh} == {2}
    assert {key[0] for key in fresh} > {wrong}
    assert len(fresh) == 2
    assert all(issued[key] == before[key] for key in before)


async def test_an_unlock_halts_sheets_and_sealing_again_brings_them_back(world: World) -> None:
    wrong = world.pupils[0]
    await world.seal(sheets=[("toan", 1, world.pupils), ("ngu_van", 1, world.pupils)])
    await world.work()
    old = await of_sheets(world)
    await world.approve(old["toan", 1], TEACHER)
    halted, announced = await world.rpc.halt_class(CLASS, request("unlock").request_id)
    assert (halted, announced) == (3, 0)
    await world.work()
    assert await world.told(events.SheetsSigned) == []
    sheets = [("toan", 1, world.pupils), ("ngu_van", 1, world.pupils), ("toan", 2, [wrong])]
    await world.seal(2, versions={wrong: 2}, comments={wrong: "Đã sửa điểm."}, sheets=sheets)
    await world.work()
    assert set(await of_sheets(world)) == {("toan", 1), ("ngu_van", 1), ("toan", 2)}
    await world.approve_all()
    await world.work()
    progress, failures = await world.progress()
    assert (progress.of(SEAL).signed, progress.of(SignatureRole.SUBJECT_TEACHER).signed, failures) == (3, 3, [])


async def test_only_the_responsible_teacher_or_a_deputy_with_a_decision_signs_a_sheet(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    sheet = (await of_sheets(world))["toan", 1]
    deputy = replace(world.member(TEACHER), staff_id=str(STAFF[HOMEROOM]), person_id=f"person-{STAFF[HOMEROOM]}", version=2)
    deputy_calls = Caller("deputy", deputy.person_id, (("subject_teacher", f"school:{SCHOOL}"),))
    with pytest.raises(Denied):
        await world.approve(sheet, TEACHER, caller(PRINCIPAL))
    for acting in (
        Appointment("subject_teacher", "2025-08-01", "", "", ""),
        Appointment("subject_teacher", "2025-08-01", "", STAFF[TEACHER], ""),
        Appointment("subject_teacher", "2025-08-01", "2025-08-02", STAFF[TEACHER], "15/QĐ-UQ"),
    ):
        deputy = await appointed(world, deputy, acting)
        with pytest.raises(Denied):
            await world.approve(sheet, TEACHER, deputy_calls)
    await appointed(world, deputy, Appointment("subject_teacher", "2025-08-01", "", STAFF[TEACHER], "15/QĐ-UQ"))
    await certify_also(world)
    assert await world.approve(sheet, TEACHER, deputy_calls) == "true"
    assert await world.work() == 1
    (row,) = await world.rows("SELECT authority FROM approval")
    assert row["authority"] == "15/QĐ-UQ"


async def appointed(world: World, member: StaffMember, held: Appointment) -> StaffMember:
    newer = replace(member, version=member.version + 1, appointments=(held,))
    await world.know([newer])
    return newer


async def certify_also(world: World) -> None:
    """The homeroom teacher's own certificate, for the role of a subject teacher too."""
    held = await world.rows("SELECT * FROM certificate WHERE role = $1", HOMEROOM.value)
    async with world.transactions() as work:
        holder = await work.people.holder_for(SCHOOL, HOMEROOM, STAFF[HOMEROOM])
        assert holder is not None
        await work.people.register(SCHOOL, "2025-79", TEACHER, str(held[0]["staff_id"]), holder, "office", world.clock.now())


async def test_another_teacher_who_takes_over_signs_what_was_sealed_before(world: World) -> None:
    sealed = world.sealed(1, sheets=[("toan", 1, world.pupils)])
    gone = replace(sealed, sheets=tuple(replace(sheet, staff_id=STAFF[PRINCIPAL]) for sheet in sealed.sheets))
    await world.take(gone)
    await world.work()
    sheet = (await of_sheets(world))["toan", 1]
    with pytest.raises(Denied):
        await world.approve(sheet, TEACHER)
    await world.take(replace(sealed, class_version=2))
    assert await world.approve(sheet, TEACHER) == "true"


async def test_enrollments_word_on_who_teaches_counts_for_more_than_the_seals(world: World) -> None:
    await world.know([TeachingFact(CLASS, 3, {"toan": STAFF[PRINCIPAL]})])
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    sheet = (await of_sheets(world))["toan", 1]
    assert sheet.responsible_staff_id == STAFF[PRINCIPAL]
    with pytest.raises(Denied):
        await world.approve(sheet, TEACHER)
    await world.know([TeachingFact(CLASS, 2, {"toan": STAFF[SEAL]}), TeachingFact(CLASS, 4, {"ngu_van": STAFF[SEAL]})])
    assert await world.approve(sheet, TEACHER) == "true", "a list that names nobody for the subject leaves it to whom the seal named"


async def test_each_kind_of_document_is_signed_by_its_own_roles(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    sheet, (pupils,) = (await of_sheets(world))["toan", 1], await of_transcripts(world)
    with pytest.raises(Malformed, match="principal signs nothing here"):
        await world.approve(sheet, PRINCIPAL)
    with pytest.raises(Malformed, match="subject_teacher signs nothing here"):
        await world.approve(pupils, TEACHER)
    listed = {role: await world.rpc.list_manifests(caller(PRINCIPAL), SCHOOL, CLASS, role) for role in (HOMEROOM, TEACHER)}
    assert [m.manifest_id for m in listed[HOMEROOM]] == [pupils.manifest_id]
    assert [m.manifest_id for m in listed[TEACHER]] == [sheet.manifest_id]


async def test_a_subject_teacher_sees_his_own_sheets_and_no_transcript(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    sheet, (pupils,) = (await of_sheets(world))["toan", 1], await of_transcripts(world)
    mine = caller(TEACHER)
    assert [m.manifest_id for m in await world.rpc.list_manifests(mine, SCHOOL, CLASS, None)] == [sheet.manifest_id]
    pdf, digest = await world.rpc.get_preview(mine, sheet.manifest_id, (await world.rpc.get_manifest(mine, sheet.manifest_id))[1][0].ref.transcript_id)
    assert sha256(pdf).digest() == digest
    with pytest.raises(NotFound):
        await world.rpc.get_manifest(mine, pupils.manifest_id)
    with pytest.raises(NotFound):
        await world.rpc.get_preview(mine, pupils.manifest_id, world.pupils[0])
    other = Caller("other", f"person-{STAFF[HOMEROOM]}", ((OFFICES[TEACHER], f"school:{SCHOOL}"),))
    assert await world.rpc.list_manifests(other, SCHOOL, CLASS, None) == []


async def test_a_rejected_sheet_comes_back_by_a_retry(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    await world.reject((await of_sheets(world))["toan", 1], TEACHER)
    _, failures = await world.progress()
    assert [reason.startswith("rejected by subject_teacher") for _, reason in failures] == [True]
    answer = await world.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    assert answer["retried"] == "1"
    await world.work()
    await world.approve_all()
    await world.work()
    assert len(await world.issued()) == len(world.pupils) + 1


async def test_a_sheet_that_is_not_what_was_sealed_holds_its_pupils_and_says_why(world: World) -> None:
    sealed = world.sealed(1, sheets=[("toan", 1, world.pupils)])
    spoilt = replace(sealed, sheets=tuple(replace(sheet, content=sheet.content.replace(b"TT", b"XX") + b" ") for sheet in sealed.sheets))
    await world.take(spoilt)
    await world.work()
    await world.approve_all()
    assert await world.work() == 0
    _, failures = await world.progress()
    assert [reason.split(":")[0] for _, reason in failures] == ["record_differs"]


async def test_first_sheets_go_with_the_mass_run_and_corrections_past_it(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils), ("toan", 2, world.pupils[:1])])
    await world.work()
    sheets = await of_sheets(world)
    for key in sheets:
        await world.approve(sheets[key], TEACHER)
    express = [e.order for e in await world.told(events.ExpressSigningOrder)]
    assert [[s.version for s in order.sheets] for order in express] == [[2]]
    assert {order.role for order in express} == {common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER}


async def test_orders_of_sheets_done_twice_change_nothing(world: World) -> None:
    await world.seal(sheets=[("toan", 1, world.pupils)])
    await world.work()
    await world.approve_all()
    await world.work()
    before = await world.issued(), len(await world.orders()), len(await world.told(events.SheetsSigned))
    for order in await world.orders():
        await world.do(order)
    assert (await world.issued(), len(await world.orders()), len(await world.told(events.SheetsSigned))) == before
