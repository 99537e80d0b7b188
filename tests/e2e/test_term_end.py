"""The demo's term end on a small cast, and what must be true of everything it leaves behind."""

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Container
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest_asyncio

from hocba.common.v1 import common_pb2
from hocba.signing.v1 import signing_pb2
from services.archive import app as archive
from services.audit import deep
from services.audit.checks import run_all
from services.audit.reconcile import Range, reconcile
from services.audit.stores import Stores
from services.chassis.clock import SystemClock
from services.rehearsal import plan
from services.rehearsal.doors import open_doors
from services.rehearsal.term_end import Outcome
from tests.support.eventually import eventually
from tests.support.term_end import SEED, Term, lag, rewind, term

PUPILS = 72


@dataclass
class Played:
    term: Term
    outcome: Outcome


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played() -> AsyncIterator[Played]:
    async with term("e2e") as running:
        outcome = await running.play(PUPILS)
        await running.at_rest()
        yield Played(running, outcome)


async def test_everything_sealed_is_archived_validated_and_reconciled(played: Played) -> None:
    outcome = played.outcome
    assert outcome.pupils >= PUPILS
    assert outcome.waiting == {"no_personal_number": 3, "retake_in_summer": 2, "missing_marks": 1}
    assert outcome.sealed == outcome.pupils - 6
    assert outcome.archived == outcome.sealed
    assert outcome.superseded == 1
    # Version 1 of a class is its first term, 2 its year, 3 the year with the mark put right.
    assert [correction["class_version"] for correction in outcome.corrections] == [3, 3]
    # Leaves beyond the documents' are time stamps of evidence; that no document has two says `hocba audit`.
    assert outcome.log_leaves >= outcome.archived + outcome.superseded + outcome.sheets_signed
    assert outcome.log_witnesses >= 2
    assert outcome.reconciled


async def test_stores_agree_version_by_version(played: Played) -> None:
    async with Stores.of(played.term.deployment) as stores:
        found = await reconcile(stores, Range(), SystemClock())
    assert found.result.discrepancies == ()
    assert found.lag_known
    assert found.total["archived"] == found.total["in_log"] == found.total["signed"] == played.outcome.archived + played.outcome.superseded
    assert found.total["reported"] == found.total["current"] == played.outcome.archived


async def test_fsck_rebuilds_the_log_and_hashes_every_document(played: Played) -> None:
    command = [sys.executable, "-m", "services", "archive", "fsck", "--json"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env={**os.environ, "HOCBA_STATE": str(played.term.deployment.state)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    outcome = played.outcome
    assert told["documents"] == outcome.archived + outcome.superseded + outcome.sheets_signed
    assert told["leaves"] >= outcome.log_leaves
    assert told["root_signed"] == told["root_database"] == told["root_tiles"]


async def test_the_public_page_answers_at_the_address_that_is_printed(played: Played) -> None:
    printed = played.term.deployment.settings_of("signing", "signing-worker-1")["HOCBA_SIGNING_VERIFICATION_URL"]
    assert played.outcome.page.startswith(f"{printed}/")
    async with aiohttp.ClientSession() as anybody, anybody.get(f"{played.outcome.page}/status") as answer:
        told = await answer.json()
    assert (answer.status, told["status"], told["kind"]) == (200, "valid", "transcript")


async def test_each_correction_makes_a_sheet_of_one_row_and_is_signed_for_one_pupil(played: Played) -> None:
    outcome = played.outcome
    async with Stores.of(played.term.deployment) as stores:
        sheets = await stores.connections["archive"].fetch("SELECT class_id, sheet_id, subject, version, row_count FROM sheets")
        sealed = await stores.connections["grading"].fetch("SELECT sheet_id, version FROM class_sheets")
        issued = await stores.connections["archive"].fetch("SELECT class_id, version FROM transcripts ORDER BY class_id")
        levels = await stores.connections["archive"].fetch("SELECT DISTINCT level FROM sheets")
    assert len(sheets) == len(sealed) == outcome.sheets_signed == outcome.sheets_validated
    assert {row["level"] for row in levels} == {"LOWER_SECONDARY", "UPPER_SECONDARY"}
    later = [(row["subject"], row["version"], row["row_count"]) for row in sheets if row["version"] > 1]
    assert later == [("toan", 2, 1)] * len(outcome.corrections) == [("toan", 2, 1)] * 2
    # The first correction came before anything was signed, the second after issue: each gave one pupil a second version, and nobody else one.
    corrected = {row["class_id"] for row in sheets if row["version"] > 1}
    assert sorted(row["class_id"] for row in issued if row["version"] > 1) == sorted(corrected)


async def test_the_audit_finds_every_invariant_whole(played: Played) -> None:
    async with Stores.of(played.term.deployment) as stores:
        findings = await run_all(stores)
    assert {finding.invariant for finding in findings} >= {"I1", "I2", "I6", "I7", "I8", "I9", "I11"}
    assert [str(finding) for finding in findings if finding.problems] == []


async def test_the_deep_audit_finds_every_archived_document_valid(played: Played) -> None:
    told = played.term.deployment.settings_of("archive")
    settings = archive.SETTINGS.load(**{name.removeprefix("HOCBA_ARCHIVE_").lower(): value for name, value in told.items()})
    service = archive.build(settings)
    await service.database.open()
    try:
        vault = archive.vault(settings, service)
        report = await deep.audit(service.database, vault, deep.Law(settings.trust_dir), deep.Range(), 2, None, lambda by: None)
    finally:
        await service.database.close()
    assert report.listed == []
    assert (report.checked, report.unread) == (played.outcome.validated + played.outcome.sheets_validated, {})


async def test_no_pupil_is_named_on_a_topic_or_in_a_log(played: Played) -> None:
    cast = plan.make(PUPILS, SEED)
    names = {pupil.full_name for _, school_class in cast.classes() for pupil in school_class.pupils}
    numbers = {pupil.personal_number for _, school_class in cast.classes() for pupil in school_class.pupils if pupil.personal_number}
    canaries = [text.encode() for text in names | numbers]
    records = await played.term.records()
    assert len(records) > 100
    assert [r.topic for r in records for canary in canaries if canary in r.value] == []
    for log in sorted(played.term.deployment.places.logs.glob("*.log")):
        content = log.read_bytes()
        assert [canary for canary in canaries if canary in content] == [], log.name


async def test_life_of_a_transcript(played: Played) -> None:
    """Corrected: the status names the newer version. Copied, extracted: numbered, sealed, verified offline. Revoked: by two, told to all, provable."""
    folder, policy, anchors = played.term.documents, played.outcome.policy, played.outcome.anchors
    async with Stores.of(played.term.deployment) as stores:
        archive_rows = stores.connections["archive"]
        [newer] = await archive_rows.fetch("SELECT * FROM transcripts WHERE supersedes > 0")
        [older] = await archive_rows.fetch("SELECT * FROM transcripts WHERE transcript_id = $1 AND version = $2", newer["transcript_id"], newer["supersedes"])
        staff = await stores.connections["signing"].fetch("SELECT person_id, appointments FROM staff WHERE school_id = $1", newer["school_id"])
    clerk = next(row["person_id"] for row in staff if any(held["role"] == "clerk" for held in json.loads(row["appointments"])))
    school, transcript, province = str(newer["school_id"]), str(newer["transcript_id"]), newer["province_id"]
    assert (await hocba(played, "archive", "status", older["public_id"]))["newer_public_id"] == newer["public_id"]

    async def copied() -> Any:
        return await hocba(
            played, "archive", "copy", transcript, "--as", f"clerk@school:{school}", "--id", copy_id, "--out", str(folder / "copy.pdf"), ok={0, 1}
        )

    copy_id = str(uuid.uuid4())
    ordered = await copied()
    assert (ordered["state"], ordered["number"].split("/")[0]) == ("ordered", "1")
    await approve_copy(played, school, str(newer["class_id"]), clerk)

    async def issued() -> bool:
        return bool((await copied())["state"] == "issued")

    await eventually(issued, within=60, what="the copy is issued")
    told = await hocba(played, "verify", str(folder / "copy.pdf"), "--trust", anchors)
    assert (told["accepted"], told["original"]["sha256"]) == (True, newer["sha256"].hex())
    status = await hocba(played, "archive", "status", ordered["public_id"])
    assert (status["kind"], status["status"]) == ("copy", "valid")

    async def extracted(*parts: str) -> Any:
        chosen = [option for part in parts for option in ("--part", part)]
        whose = ("--as", f"clerk@school:{school}", "--id", extract_id, "--out", str(folder / "extract.pdf"))
        return await hocba(played, "archive", "extract", transcript, *chosen, *whose, ok={0, 1})

    extract_id = str(uuid.uuid4())
    assert (await extracted("subjects", "results"))["number"].split("/")[::2] == ["2", "TrS"]
    await approve_copy(played, school, str(newer["class_id"]), clerk)

    async def extract_issued() -> bool:
        return bool((await extracted("subjects", "results"))["state"] == "issued")

    await eventually(extract_issued, within=60, what="the extract is issued")
    await hocba(played, "archive", "fetch", transcript, "--version", str(newer["version"]), "--out", str(folder / "original.pdf"))
    told = await hocba(played, "verify", str(folder / "extract.pdf"), "--trust", anchors, "--original", str(folder / "original.pdf"))
    assert (told["accepted"], told["compared"], told["record"]["parts"]) == (True, {"problem": None}, ["subjects", "results"])

    decision = folder / "quyet-dinh.pdf"
    decision.write_bytes(b"%PDF-1.7 a signed decision")
    about = ("--reason", "fraud", "--number", "123/QĐ-SGDĐT", "--date", "2026-06-30", "--decision", str(decision))
    officer = ("--as", f"doet_officer@province:{province}")
    asked = await hocba(played, "archive", "revoke", transcript, str(newer["version"]), *about, "--as", f"principal@school:{school}", person="head")
    await hocba(played, "archive", "confirm-revocation", asked["revocation_id"], *officer, person="officer")
    for public_id in (newer["public_id"], ordered["public_id"]):
        status = await hocba(played, "archive", "status", public_id)
        assert (status["status"], status["decision_number"]) == ("revoked", "123/QĐ-SGDĐT")

    async def proven() -> bool:
        return bool((await hocba(played, "archive", "proof", newer["public_id"], "--out", str(folder / "proof"), ok={0, 1}))["later"])

    await eventually(proven, within=60, what="the revocation is below a final checkpoint")
    await hocba(played, "archive", "fetch", transcript, "--version", str(newer["version"]), "--out", str(folder / "revoked.pdf"))
    offline = ("--proof", str(folder / "proof"), "--log-policy", policy, "--statement", str(folder / "proof.revoke"))
    told = await hocba(played, "verify", str(folder / "revoked.pdf"), "--trust", anchors, *offline, ok={1})
    assert (told["accepted"], told["later"]["status"], told["log"]["problem"]) == (False, "revoked", None)
    assert (await hocba(played, "archive", "fsck"))["whole"]

    # The national register hears of it with the next submission: the whole term was sent in before.
    assert await hocba(played, "register", "submit", province) == {"batches": 1, "applied": 1, "ignored": 0, "rejected": 0}
    pupil = next(pupil for pupil in plan.make(PUPILS, SEED).schools[1].classes[0].pupils if not pupil.fate)
    found = (await hocba(played, "register", "find", pupil.personal_number))["transcripts"]
    assert [(one["version"], one["status"]) for one in found] == [(older["version"], "superseded"), (newer["version"], "withdrawn")]

    await played.term.at_rest()
    async with Stores.of(played.term.deployment) as stores:
        assert [str(finding) for finding in await run_all(stores) if finding.problems] == []
        assert (await reconcile(stores, Range(), SystemClock())).result.discrepancies == ()


async def hocba(played: Played, *command: str, person: str = "", ok: Container[int] = (0,)) -> Any:
    """What a command prints as JSON, run by this person."""
    environment = {**os.environ, "HOCBA_STATE": str(played.term.deployment.state), "HOCBA_EDGE_PERSON": person}
    full = [sys.executable, "-m", "services", *command, "--json"]
    done = await asyncio.to_thread(subprocess.run, full, capture_output=True, text=True, env=environment)
    assert done.returncode in ok, (command, done.stdout, done.stderr)
    return json.loads(done.stdout)


async def approve_copy(played: Played, school_id: str, class_id: str, clerk: str) -> None:
    """The clerk looks at the copy's page and approves it with the seal."""
    deployment = played.term.deployment
    leaf = deployment.keys.leaf("edge")
    doors = open_doors(deployment.addresses, ca=deployment.keys.ca, certificate=leaf.certificate, key=leaf.key, issuer=deployment)
    who = doors.as_(clerk, f"clerk@school:{school_id}")
    listing = signing_pb2.ListManifestsRequest(school_id=school_id, class_id=class_id)

    async def waiting() -> list[signing_pb2.ManifestSummary]:
        return [one for one in (await doors.signing.ListManifests(listing, metadata=who)).manifests if one.copies and one.state == "ready"]

    try:
        [summary] = await eventually(waiting, within=60, what="the copy's page is set")
        manifest = await doors.signing.GetManifest(signing_pb2.GetManifestRequest(manifest_id=summary.manifest_id), metadata=who)
        opening = signing_pb2.GetPreviewRequest(manifest_id=summary.manifest_id, transcript_id=manifest.entries[0].copy.copy_id)
        assert (await doors.signing.GetPreview(opening, metadata=who)).body_digest == manifest.entries[0].body_digest
        seal, root = common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL, manifest.summary.merkle_root
        request = signing_pb2.ApproveManifestRequest(request_id=str(uuid.uuid4()), manifest_id=summary.manifest_id, role=seal, merkle_root=root)
        await doors.signing.ApproveManifest(request, metadata=who)
    finally:
        await doors.close()


async def test_events_carry_cloudevents_headers_and_a_trace(played: Played) -> None:
    traced = 0
    for record in await played.term.records():
        headers = {name: value.decode() for name, value in record.headers}
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_subject"] == record.key.decode()
        assert headers["content-type"] == "application/protobuf"
        assert re.fullmatch(r"hocba\.\w+\.v1\.\w+", headers["ce_type"])
        if "traceparent" in headers:
            traced += 1
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", headers["traceparent"])
        else:
            # Whoever saves a sheet or approves a list is traced to the end; a scheduler's own work begins no trace.
            assert headers["ce_type"] not in ("hocba.grading.v1.SheetSaved", "hocba.enrollment.v1.PupilsEnrolled")
    assert traced > 100


async def test_replaying_every_topic_from_the_beginning_changes_nothing(played: Played) -> None:
    stack = played.term.stack
    before = await played.term.fingerprint()
    for name in stack.names:
        await stack.stop(name)
    await rewind(played.term.deployment)
    for name in stack.names:
        stack.start(name)
    await stack.wait_ready()

    async def read_again() -> bool:
        return not await lag(played.term.deployment)

    await eventually(read_again, within=90, what="every topic read again")
    await played.term.at_rest()
    assert await played.term.fingerprint() == before
