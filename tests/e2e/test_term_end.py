"""The demo's term end on a small cast, and what must be true of everything it leaves behind."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from services.archive import app as archive
from services.audit import deep
from services.audit.checks import run_all
from services.audit.stores import Stores
from services.rehearsal import plan
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
