"""veraPDF, the reference validator of PDF/A, from the pinned jar in verapdf.lock.json: one Java process for all files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.stack import jars, java
from services.stack.places import Places
from tests.support.judges.report import Report

NAME = "verapdf"
FLAVOUR = "3a"
_LOCK = Path(__file__).with_name("verapdf.lock.json")
_MAIN = "org.verapdf.apps.GreenfieldCliWrapper"
_JUDGED = (0, 1)  # 1 says that a file doesn't conform, or can't be read; anything else is a failure of the program.
# Quick to start rather than quick to run for long.
_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


def judge(files: Sequence[Path], anchors: Sequence[bytes] = (), flavour: str = FLAVOUR) -> list[Report]:
    """See report.Judge; signatures aren't looked at, anchors aren't needed."""
    places = Places.of()
    program = java.find(places).program
    libraries = jars.resolve(places, lock=_LOCK)
    command = [str(program), *_OPTIONS, "-cp", f"{libraries}/*", _MAIN, "--flavour", flavour, "--format", "json", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if run.returncode not in _JUDGED and not run.stdout:
        raise RuntimeError(f"veraPDF ended with {run.returncode}: {run.stderr.strip()[-400:]}")
    jobs = {job["itemDetails"]["name"]: job for job in json.loads(run.stdout)["report"]["jobs"]}
    return [_report(jobs[str(file.resolve())], flavour) for file in files]


def _report(job: dict[str, Any], flavour: str) -> Report:
    results = job.get("validationResult")
    if not isinstance(results, list):
        return Report(NAME, problems=(f"not validated: {job['taskException']['exceptionMessage']}",))
    (result,) = results
    if result["compliant"]:
        return Report(NAME, conforms_to=flavour)
    rules = result["details"]["ruleSummaries"]
    return Report(NAME, problems=tuple(sorted(f"{rule['specification']} {rule['clause']}-{rule['testNumber']}: {rule['description']}" for rule in rules)))
