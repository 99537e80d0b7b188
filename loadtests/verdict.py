"""
Judges a finished run out of its folder, writes the report, and says with its exit code whether every goal was met.

    python -m loadtests.verdict [--goals FILE] RUN

Needs no service: a run can be judged again later, by other goals.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from loadtests import goals, report
from loadtests.answers import Book, measures
from loadtests.goals import Verdict

GOALS = Path(__file__).with_name("goals.yaml")


def measured(folder: Path) -> tuple[Book, dict[str, Any], dict[str, float]]:
    """Return the book, the journey's figures and all measures of a run; what is missing is simply not among them."""
    book = Book.read(sorted(folder.glob("answers-*.jsonl")))
    found = measures(book) if book.answers else {}
    journey = _read(folder / "journey.json")
    found |= {name: float(value) for name, value in journey.get("measures", {}).items()}
    found |= {name: float(value) for name, value in _read(folder / "stored.json").get("measures", {}).items()}
    return book, journey, found


def judge(folder: Path, goals_file: Path = GOALS) -> list[Verdict]:
    """Judge a run, write `report.html` and `verdict.json` into its folder, and return the verdicts."""
    book, journey, found = measured(folder)
    verdicts = goals.judge(goals.read(goals_file), found)
    facts = {"measures": found, "verdicts": [{"name": v.goal.name, "found": v.found, "limit": v.limit, "met": v.met, "remark": v.remark} for v in verdicts]}
    (folder / "verdict.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    page = report.page(book, journey, found, verdicts, _read(folder / "environment.json"), _read(folder / "stored.json").get("wrong", []))
    (folder / "report.html").write_text(page, encoding="utf-8")
    return verdicts


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def tell(verdicts: list[Verdict]) -> str:
    """The verdicts as lines for a terminal."""
    width = max(len(verdict.goal.name) for verdict in verdicts)
    return "\n".join(
        f"{'ok  ' if verdict.met else 'MISS'}  {verdict.goal.name:<{width}}  {'-' if verdict.found is None else f'{verdict.found:g}':>10}"
        + (f"   {verdict.remark}" if verdict.remark else "")
        for verdict in verdicts
    )


def main(arguments: list[str]) -> int:
    """Judge the run that the arguments name; 0 when all goals are met, 1 when one is missed, 2 when the goals can't be read."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.verdict", description="Judge a finished load run.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--goals", type=Path, default=GOALS)
    given = parser.parse_args(arguments)
    try:
        verdicts = judge(given.run, given.goals)
    except goals.BadGoals as error:
        print(error, file=sys.stderr)
        return 2
    print(tell(verdicts))
    print(f"\nreport: {given.run / 'report.html'}")
    return goals.exit_code(verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
