"""From a run's folder to an exit code and a page: nothing missing passes, nothing personal is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hocba.archive.v1 import events_pb2 as archive
from hocba.common.v1.common_pb2 import TranscriptRef
from hocba.grading.v1 import events_pb2 as grading
from loadtests import report, verdict
from loadtests.answers import Answer, Book
from loadtests.observer import Watch
from loadtests.plan import Doors, Gradebook, Plan, Signer, Window
from services.chassis.streams import stream_of

NOW = datetime(2026, 5, 31, 14, 0, tzinfo=UTC)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        folder=tmp_path,
        doors=Doors({"grading": "127.0.0.1:1"}, tmp_path / "ca", tmp_path / "certificate", tmp_path / "key"),
        tokens={"teacher": "secret"},
        gradebooks=(Gradebook("c", "toan", 1, "teacher", ("p",), ("gk",)),),
        signers=(Signer("principal", 2, "s"),),
        windows=(Window("w", "officer"),),
        classes=1,
    )


def good_run(folder: Path) -> None:
    book = Book(
        [Answer("sheet", 0.5, 40.0, "OK", 1, "c", "toan", 1, 1, (("p", "gk", "7.5"),)), Answer("status", 0.6, 9.0, "OK")],
        [{"planned": 2, "dropped": 0, "worst_lateness_s": 0.01}],
    )
    book.write(folder / "answers-1.jsonl")
    watch = {"seal_to_archive.p95_s": 20.0, "transcripts.sealed_ready": 1, "transcripts.archived": 1}
    watch |= {"transcripts.archived_twice": 0, "transcripts.archived_unsealed": 0}
    (folder / "journey.json").write_text(json.dumps({"seconds": [20.0], "waiting": {"missing_marks": 2}, "measures": watch}))
    (folder / "stored.json").write_text(json.dumps({"measures": {"marks.accepted": 1, "marks.stored": 1}, "wrong": []}))
    (folder / "environment.json").write_text(json.dumps({"commit": "abc", "machine": "2 cores"}))


def test_good_run_passes_and_leaves_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good_run(tmp_path)
    assert verdict.main([str(tmp_path)]) == 0
    assert "MISS" not in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for expected in ("All ", "goals met", "2 cores", "missing_marks: 2", "<svg", "sheet p95"):
        assert expected in page
    assert "7.5" not in page, "a mark has no place in a report"
    assert "<script" not in page
    assert "http" not in page


@pytest.mark.parametrize("lost", ["journey.json", "stored.json", "answers-1.jsonl"])
def test_run_whose_witness_is_missing_fails(tmp_path: Path, lost: str) -> None:
    good_run(tmp_path)
    (tmp_path / lost).unlink()
    assert verdict.main([str(tmp_path)]) == 1
    assert "goals missed" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_unreadable_goals_are_neither_passed_nor_failed(tmp_path: Path) -> None:
    good_run(tmp_path)
    bad = tmp_path / "goals.yaml"
    bad.write_text("goals: [{name: x, measure: y, at_mots: 1}]")
    assert verdict.main([str(tmp_path), "--goals", str(bad)]) == 2


def test_words_from_outside_are_escaped() -> None:
    page = report.page(Book(), {}, {}, [], {"machine": "<b>"}, ["<script>alert(1)</script>"])
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_plan_survives_its_file_and_is_closed_to_others(plan: Plan) -> None:
    file = plan.write()
    assert Plan.read(file) == plan
    assert file.stat().st_mode & 0o077 == 0, "it holds tokens"


def test_watch_follows_the_events_it_knows_and_no_other(plan: Plan) -> None:
    watch = Watch(plan)
    assert watch.topics == {stream_of(grading.ClassSealed).topic, stream_of(archive.TranscriptsArchived).topic}
    ref = TranscriptRef(transcript_id="t", pupil_id="p", version=1, public_id="public")
    sealed = grading.ClassSealed(class_id="c", outcomes=[grading.PupilOutcome(transcript=ref, sealed=True, changed=True)])
    sealed.sealed_at.FromDatetime(NOW)
    watch.receive(sealed.SerializeToString(), {"ce_type": b"hocba.grading.v1.ClassSealed"})
    watch.receive(b"whatever", {"ce_type": b"hocba.grading.v1.SheetSaved"})
    watch.receive(b"\xff\xff", {"ce_type": b"hocba.grading.v1.ClassSealed"})
    watch.receive(b"", {})
    watch.write()
    told = json.loads(plan.journey_file.read_text())
    assert (told["classes_sealed"], told["under_way"], told["unreadable"]) == (1, 1, 1)
    assert not plan.public_ids_file.exists()

    archived = archive.TranscriptsArchived(class_id="c", transcripts=[archive.ArchivedTranscript(transcript=ref, register_index=0)])
    archived.archived_at.FromDatetime(NOW)
    for _ in range(2):
        watch.receive(archived.SerializeToString(), {"ce_type": b"hocba.archive.v1.TranscriptsArchived"})
        watch.write()
    assert json.loads(plan.journey_file.read_text())["under_way"] == 0
    assert plan.public_ids_file.read_text().split() == ["public"], "each id is told once, however often its event comes"
