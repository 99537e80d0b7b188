"""The load tool itself, for real: Locust as a process, gRPC under gevent, mutual TLS, against stand-in services."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests import verdict
from loadtests.answers import Book, accepted_marks, measures, stored_as_accepted
from loadtests.plan import VARIABLE, Gradebook, Plan, Signer, Window
from tests.loadtests.stub_town import Town, open_town

ROOT = Path(verdict.__file__).parents[1]
RUN_SECONDS = 150


def plan_of(folder: Path, town: Town, **changes: object) -> Plan:
    """A small evening: two classes, three sheets each, the rates high enough to overlap."""
    books = [
        Gradebook(f"class-{number}", subject, term, "teacher", ("p-1", "p-2", "p-3"), ("tx1", "ck", "conduct"))
        for number in range(2)
        for subject, term in (("toan", 1), ("toan", 2), ("", 2))
    ]
    plan = Plan(
        folder=folder,
        doors=changes.pop("doors"),  # type: ignore[arg-type]
        tokens={name: f"token-of-{name}" for name in ("teacher", "principal", "officer")},
        gradebooks=tuple(books),
        signers=(Signer("principal", 2, "school"),),
        windows=(Window("w-1", "officer"),),
        classes=1,
        sheets_per_second=20.0,
        statuses_per_second=15.0,
        evening_seconds=4.0,
        night_seconds=60.0,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def locust(plan: Plan, processes: int = 1) -> subprocess.CompletedProcess[str]:
    """Run Locust headless with the plan, as `python -m loadtests.surge` does."""
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), "--headless", "--only-summary", "--stop-timeout", "20"]
    environment = {**os.environ, VARIABLE: str(plan.write()), "PYTHONPATH": str(ROOT), "HOCBA_LOAD_PROCESSES": str(processes)}
    if processes > 1:
        port = str(free_port())
        command += ["--processes", str(processes), "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=RUN_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # Forked processes outlive a master that is killed.
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "run"
    place.mkdir()
    return place


def test_whole_evening_is_played_and_booked(folder: Path, tmp_path: Path) -> None:
    town = Town(delay_seconds=0.3, public_ids={"known"}, fail_first=1)
    with open_town(town, tmp_path) as doors:
        plan = plan_of(folder, town, doors=doors)
        plan.public_ids_file.write_text("known\n")
        town.journey_file = plan.journey_file
        outcome = locust(plan)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    book = Book.read(folder.glob("answers-*.jsonl"))
    found = measures(book)

    # Everything planned was started and answered, nothing was dropped, and both kinds of load were there.
    assert found["arrivals.planned"] == found["sheet.count"] + found["status.count"], outcome.stderr[-3000:]
    assert found["arrivals.dropped"] == 0
    assert found["sheet.count"] > 20
    assert found["status.count"] > 20
    # Each save takes 0.3 s and some 10 arrive each second: one at a time they would pile up to many seconds.
    assert town.most_together >= 3, "calls were made one after the other: gRPC is not gevent-safe"
    assert found["sheet.p95_ms"] < 6000
    # What was accepted is what the town holds; a retried save kept its request id.
    kept, wrong = stored_as_accepted(accepted_marks(book.answers), town.cells)
    assert wrong == []
    assert kept == len(town.cells) > 0
    assert found["sheet.failed_share"] == 0
    assert sorted(town.requests.values())[-1] == 2
    assert town.tokens == {"Bearer token-of-teacher"}
    # The public asked about known and unknown ids and nobody was told a falsehood; the night's people did their part.
    assert found["status.wrong_answers"] == 0
    assert town.closed == ["w-1"]
    assert town.approved == {("m-1", 2)}


def test_lost_mark_and_false_status_miss_their_goals(folder: Path, tmp_path: Path) -> None:
    town = Town(public_ids=set())
    with open_town(town, tmp_path) as doors:
        plan = plan_of(folder, town, doors=doors, evening_seconds=2.0)
        plan.public_ids_file.write_text("forgotten\n")
        town.journey_file = plan.journey_file
        outcome = locust(plan)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    book = Book.read(folder.glob("answers-*.jsonl"))
    accepted = accepted_marks(book.answers)
    town.cells.pop(next(iter(accepted)))
    kept, wrong = stored_as_accepted(accepted, town.cells)
    (folder / "stored.json").write_text(json.dumps({"measures": {"marks.accepted": len(accepted), "marks.stored": kept}, "wrong": wrong}))
    missed = {found.goal.measure for found in verdict.judge(folder) if not found.met}
    assert {"marks.stored", "status.wrong_answers"} <= missed
    assert not {"arrivals.dropped", "arrivals.answered", "marks.accepted"} & missed
    assert "goals missed" in (folder / "report.html").read_text()
    assert verdict.main([str(folder)]) == 1


def test_full_house_drops_arrivals_and_says_so(folder: Path, tmp_path: Path) -> None:
    town = Town(delay_seconds=1.0)
    with open_town(town, tmp_path) as doors:
        plan = plan_of(folder, town, doors=doors, evening_seconds=2.0, in_flight=2, statuses_per_second=1.0)
        town.journey_file = plan.journey_file
        assert locust(plan).returncode == 0
    found = measures(Book.read(folder.glob("answers-*.jsonl")))
    assert found["arrivals.dropped"] > 0
    assert any(not found.met and found.goal.measure == "arrivals.dropped" for found in verdict.judge(folder))


def test_evening_is_shared_by_forked_processes(folder: Path, tmp_path: Path) -> None:
    town = Town(delay_seconds=0.1, public_ids={"known"})
    with open_town(town, tmp_path) as doors:
        plan = plan_of(folder, town, doors=doors)
        plan.public_ids_file.write_text("known\n")
        town.journey_file = plan.journey_file
        outcome = locust(plan, processes=2)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    files = sorted(folder.glob("answers-*.jsonl"))
    assert len(files) == 2, "each process keeps a book"
    book = Book.read(files)
    found = measures(book)
    assert found["arrivals.planned"] == found["arrivals.answered"] == found["sheet.count"] + found["status.count"]
    assert found["sheet.count"] == pytest.approx(plan.sheets.expected(), rel=0.5), "two halves make the whole, not twice the whole"
    assert {answer.class_id for answer in book.answers if answer.kind == "sheet"} == {"class-0", "class-1"}
    assert len({(book.class_id, book.subject, book.term) for book in plan.gradebooks}) == len(town.versions)
    assert town.closed == ["w-1"]
