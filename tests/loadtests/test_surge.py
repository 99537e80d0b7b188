"""A short surge against the real stack: what `make surge` does, judged by truth alone and not by the speed of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from loadtests import surge, verdict
from services.stack.places import CHECKOUT

TRUTH = ("arrivals.dropped", "arrivals.answered", "marks.", "transcripts.", "status.wrong_answers", "sheet.failed_share", "status.failed_share")
LIMIT_SECONDS = 400


def test_short_surge_loses_nothing(tmp_path: Path) -> None:
    document = yaml.safe_load(verdict.GOALS.read_text(encoding="utf-8"))
    document["goals"] = [goal for goal in document["goals"] if goal["measure"].startswith(TRUTH)]
    goals = tmp_path / "truth.yaml"
    goals.write_text(yaml.safe_dump(document), encoding="utf-8")
    options = ["--pupils=48", "--evening=15", "--night=240", "--sheets-per-second=16", "--statuses-per-second=8", f"--goals={goals}"]
    folder = tmp_path / "surge"
    command = [sys.executable, "-m", "loadtests.surge", f"--folder={folder}", *options]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHECKOUT, timeout=LIMIT_SECONDS)
    assert outcome.returncode == 0, outcome.stdout[-3000:] + outcome.stderr[-3000:]
    assert (folder / "report.html").exists()
    assert not (folder / "run" / "plan.json").exists(), "tokens must not outlive the run"


def test_misspelt_goals_cost_no_run(tmp_path: Path) -> None:
    bad = tmp_path / "goals.yaml"
    bad.write_text("goals: []")
    assert surge.main([f"--goals={bad}", f"--folder={tmp_path / 'surge'}"]) == 2
    assert not (tmp_path / "surge").exists()
