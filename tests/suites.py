"""Run the suites one after the other and close with a line for each.

    python -m tests.suites all [-x]        every suite; exit status 0 when all of them held
    python -m tests.suites unit -k seal    one suite, further words go to pytest

A suite that finds no test has failed. So has one that leaves a process running: this runner becomes the parent of
whatever its suites abandon, and sees it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
RESULTS = CHECKOUT / ".state" / "results"
BIN = Path(sys.executable).parent

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Suite:
    """Where a suite's tests lie, how pytest is told to run them, and when it must have ended (seconds)."""

    paths: tuple[str, ...]
    limit: int
    flags: tuple[str, ...] = ()


SUITES = {
    "unit": Suite(("tests/unit",), 600, ("--disable-socket", "--allow-unix-socket", "-n", "auto")),
    "fuzz": Suite(("tests/attacks", "tests/fuzz"), 600),
    "contract": Suite(("tests/contract",), 600),
    "charts": Suite(("tests/charts", "tests/loadtests"), 1200),
    "integration": Suite(("tests/integration",), 1800),
    "e2e": Suite(("tests/e2e",), 1200),
    "faults": Suite(("tests/faults",), 1800),
}

CHECKS: dict[str, list[str]] = {
    "ruff check": [str(BIN / "ruff"), "check", "--quiet", "."],
    "ruff format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "mypy": [str(BIN / "mypy"), "--no-error-summary", "--cache-dir", ".state/mypy"],
    "lint-imports": [str(BIN / "lint-imports"), "--no-cache"],
}


@dataclass(frozen=True)
class Outcome:
    """What a suite has come to."""

    passed: int
    failed: int
    skipped: int
    seconds: float
    note: str = ""

    def line(self, name: str) -> str:
        """The closing line that build servers read: `unit: 12 passed, 0 failed`."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{name}: {self.passed} passed, {self.failed} failed{skipped}"


def check() -> Outcome:
    """Formatting, lint, types and import rules, all at once."""
    started = time.monotonic()
    running = {
        name: subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        for name, command in CHECKS.items()
    }
    failed = 0
    for name, process in running.items():
        output, _ = process.communicate()
        if process.returncode != 0:
            failed += 1
            print(f"--- {name} (exit {process.returncode})\n{output.strip()}", flush=True)
    return Outcome(len(CHECKS) - failed, failed, 0, time.monotonic() - started)


def run(name: str, extra: list[str]) -> Outcome:
    """One suite under pytest, in a process of its own."""
    suite, started = SUITES[name], time.monotonic()
    paths = [path for path in suite.paths if (CHECKOUT / path).exists()]
    if not paths:
        return Outcome(0, 1, 0, 0.0, f"{' and '.join(suite.paths)} missing")
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *suite.flags, f"--junitxml={report}", "--durations=3", *extra, *paths]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, start_new_session=True)
    note = ""
    try:
        process.wait(suite.limit)
    except subprocess.TimeoutExpired:
        note = f"not done after {suite.limit} s"
        _end_group(process)
    except KeyboardInterrupt:
        _end_group(process)
        raise
    left = _end_strays()
    outcome = _count(report, time.monotonic() - started)
    notes = [part for part in (note, f"left running: {', '.join(left)}" if left else "") if part]
    # Exit 5 is "no tests"; anything but 0 that the report doesn't explain (a crash, a collection error) is a failure too.
    unexplained = process.returncode != 0 and outcome.failed == 0
    if notes or unexplained:
        notes = notes or [f"pytest ended with {process.returncode}"]
        return Outcome(outcome.passed, outcome.failed + 1, outcome.skipped, outcome.seconds, "; ".join(notes))
    return outcome


def _count(report: Path, seconds: float) -> Outcome:
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, ElementTree.ParseError):
        return Outcome(0, 0, 0, seconds)
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Outcome(max(0, tests - failed - skipped), failed, skipped, seconds)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Give pytest the chance to take its servers down, then end it."""
    for number, grace in ((signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
            return


def _end_strays() -> list[str]:
    """End processes that a suite has left to us, and name them."""
    deadline, names = time.monotonic() + 5, {}
    while (children := _children()) and time.monotonic() < deadline:
        for pid in children:
            with suppress(OSError):
                names[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
        time.sleep(0.1)  # A server that has just been told to end may need a moment; only what stays is a stray.
    strays = []
    for pid in _children():
        strays.append(f"{names.get(pid, '?')} ({pid})")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return strays


def _children() -> list[int]:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass  # Collect those that have ended.
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def main() -> int:
    """Run what was asked for; see the module's first lines."""
    if len(sys.argv) < 2 or sys.argv[1] not in {"all", "check", *SUITES}:
        print(__doc__)
        return 2
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wanted, extra = sys.argv[1], sys.argv[2:]
    names = ["check", *SUITES] if wanted == "all" else [wanted]
    outcomes: dict[str, Outcome] = {}
    for name in names:
        print(f"\n=== {name}", flush=True)
        outcomes[name] = check() if name == "check" else run(name, extra)
        if outcomes[name].failed and "-x" in extra:
            break
    print()
    for name, outcome in outcomes.items():
        note = f"   {outcome.note}" if outcome.note else ""
        print(f"  {name:<12} {outcome.seconds:6.1f} s{note}")
    for name, outcome in outcomes.items():
        print(outcome.line(name))
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
