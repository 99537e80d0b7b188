"""Policy of a province says who signs and in which order: pages, manifests, documents and the archive's check follow, and nothing else passes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import app, contracts
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.object_stores import open_staging
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import Announced
from services.archive.domain.document import ROLES
from services.archive.settings import ArchiveSettings
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Denied, Malformed
from services.signing.adapters.policies import policies_from
from services.signing.domain.people import Appointment
from services.signing.domain.roles import SignatureRole
from tests.integration.signing.world import SCHOOL, STAFF, World, a_world, caller
from tests.support.judges import dss, openssl, pdfsig, pyhanko, qpdf, verapdf
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.trust import Trust, trust_in
from tests.support.vaults import a_vault

HOMEROOM, PRINCIPAL, SEAL = SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL, SignatureRole.SCHOOL_SEAL


@pytest_asyncio.fixture(scope="module")
async def signers() -> AsyncIterator[Trust]:
    with scratch_places("role-signers") as places, trust_in(places) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, signers: Trust, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(make_database("signing"), tmp_path, signers) as made:
        yield made


def under(world: World, tmp_path: Path, text: str) -> None:
    """From now on the worker sets pages by this policy."""
    file = tmp_path / "policy.toml"
    file.write_text(f"[[policy]]\n{text}\n")
    world.worker = replace(world.worker, prepare_pages=replace(world.worker.prepare_pages, policies=policies_from(file)))


async def issue(world: World) -> signing_pb2.TranscriptsSigned:
    """Seal, approve by whoever must, sign."""
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    (event,) = await world.told(signing_pb2.TranscriptsSigned)
    assert isinstance(event, signing_pb2.TranscriptsSigned)
    return event


@pytest.mark.parametrize("roles", [(HOMEROOM, PRINCIPAL), (PRINCIPAL, HOMEROOM, SEAL)], ids=lambda roles: "-".join(roles))
async def test_documents_carry_exactly_the_signatures_of_policy_and_the_archive_takes_them_where_it_knows_the_order(
    world: World, make_database: DatabaseFactory, tmp_path: Path, roles: tuple[SignatureRole, ...]
) -> None:
    under(world, tmp_path, f"roles = {[role.value for role in roles]}".replace("'", '"'))
    event = await issue(world)
    assert [contracts.ROLE_NAMES[s.role] for s in event.transcripts[0].signatures] == [role.value for role in roles]
    (manifest,) = await world.manifests("completed")
    assert manifest.policy.roles == roles
    database = Database(make_database("archive").url, name="archive-test", pool=4)
    await database.open()
    try:
        stores = open_staging(str(tmp_path / "staging")), a_vault(tmp_path, database)
        known = ArchiveSettings.model_construct(trust_dir=world.pki.anchors, role_orders=f"{','.join(ROLES)};{event.province_id}:{','.join(roles)}")
        strict = known.model_copy(update={"role_orders": f"{','.join(ROLES)};2025-99:{','.join(roles)}"})
        refusing = AdmitTranscripts(*stores, PostgresAdmissions(database), app.transcript_check(strict), SystemClock())
        assert await refusing(contracts.signed_class(event)) == Admission(0, 0, 3), "an archive that knows the order of another province alone refuses all"
        # Announced as something that the archive knows, it is checked as that, and isn't that.
        pretending = signing_pb2.TranscriptsSigned.FromString(event.SerializeToString())
        for document in pretending.transcripts:
            del document.signatures[:]
        taking = replace(refusing, check=app.transcript_check(known))
        assert await taking(contracts.signed_class(pretending), again=True) == Admission(0, 0, 0), "refused as before"
        assert await taking(contracts.signed_class(event), again=True) == Admission(3, 0, 0)
    finally:
        await database.close()


async def test_every_judge_accepts_a_document_without_the_seal(world: World, tmp_path: Path) -> None:
    under(world, tmp_path, 'roles = ["homeroom_teacher", "principal"]')
    await issue(world)
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes((await world.issued())[world.pupils[0], 1])
    for judge in (pyhanko, pdfsig, openssl, qpdf, verapdf, dss):
        (report,) = await asyncio.to_thread(judge.judge, [file], [(world.pki.anchors / "root.cer").read_bytes()])
        assert report.accepts, report.lines()
        assert len(report.signatures) in (0, 2)


async def test_verify_command_takes_the_order_that_policy_asks_for_and_no_other(world: World, tmp_path: Path) -> None:
    under(world, tmp_path, 'roles = ["homeroom_teacher", "principal"]')
    await issue(world)
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes((await world.issued())[world.pupils[0], 1])

    async def verify(*more: str) -> int | None:
        command = (sys.executable, "-m", "services", "verify", str(file), "--trust", str(world.pki.anchors), *more)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        return await process.wait()

    assert await verify("--roles", "homeroom_teacher,principal") == 0
    assert await verify() == 1
    assert await verify("--roles", "principal,homeroom_teacher") == 1
    assert await verify("--roles", "headmaster") == 2


async def test_a_document_with_fewer_signatures_than_announced_is_refused(world: World) -> None:
    event = await issue(world)
    data = (await world.issued())[world.pupils[0], 1]
    settings = ArchiveSettings.model_construct(trust_dir=world.pki.anchors, role_orders=f"{','.join(ROLES)};homeroom_teacher,principal")
    check = app.transcript_check(settings)
    (document, *_) = [d for d in contracts.signed_class(event).documents if d.ref.transcript_id == world.pupils[0]]
    (full,) = check.batch([(data, Announced(serials=document.serials))])
    assert full.accepted
    (fewer,) = check.batch([(data, Announced(serials=document.serials[:2]))])
    assert not fewer.accepted, "a third signature that nobody announced"


async def test_role_that_policy_leaves_out_neither_approves_nor_is_asked(world: World, tmp_path: Path) -> None:
    under(world, tmp_path, 'roles = ["homeroom_teacher", "principal"]')
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    with pytest.raises(Malformed, match="signs nothing here"):
        await world.approve(manifest, SEAL)
    assert await world.rpc.list_manifests(caller(SEAL), SCHOOL, "", SEAL) == []
    assert [m.manifest_id for m in await world.rpc.list_manifests(caller(PRINCIPAL), SCHOOL, "", PRINCIPAL)] == [manifest.manifest_id]


async def test_policy_that_changes_afterwards_changes_nothing_of_the_class(world: World, tmp_path: Path) -> None:
    await world.seal()
    await world.work()
    under(world, tmp_path, 'roles = ["principal", "homeroom_teacher"]\nsignature_level = "B-LTA"')
    await world.approve_all()
    await world.work()
    (event,) = await world.told(signing_pb2.TranscriptsSigned)
    assert len(event.transcripts[0].signatures) == 3


async def test_records_without_sheets_get_no_page_where_policy_asks_for_sheets(world: World, tmp_path: Path) -> None:
    under(world, tmp_path, 'sheets_required = true\nschool_levels = ["lower_secondary"]')
    with_sheet = world.pupils[:2]
    await world.seal(sheets=[("toan", 1, with_sheet)])
    await world.work()
    progress, failures = await world.progress()
    assert (progress.transcripts, progress.prepared) == (3, 2)
    assert [(pupil, reason.split(":")[0]) for pupil, reason in failures] == [(world.pupils[2], "sheets_missing")]


async def test_no_deputy_signs_where_policy_says_so(world: World, tmp_path: Path) -> None:
    under(world, tmp_path, 'deputies = ["homeroom_teacher"]')
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    deputy = replace(caller(PRINCIPAL), roles=(("vice_principal", f"school:{SCHOOL}"),))
    decided = Appointment("vice_principal", "2025-08-01", "", STAFF[PRINCIPAL], "7/QĐ-HT")
    await world.know([world.member(PRINCIPAL, 2, decided)])
    with pytest.raises(Denied, match="no deputy signs as principal"):
        await world.approve(manifest, PRINCIPAL, deputy)
    await world.know([world.member(PRINCIPAL, 3)])
    assert await world.approve(manifest, PRINCIPAL) == "false", "the head approves, and waits for the homeroom teacher"
