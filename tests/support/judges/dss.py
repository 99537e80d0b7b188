"""EU DSS, the European Commission's validator of AdES signatures, offline with our roots as its trust.

Its jars are pinned in dss.lock.json; they are driven over JPype in a process of their own (`dss_process.py`), one per
call, because a Java machine doesn't belong into the process that runs the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.stack import jars, java
from services.stack.places import CHECKOUT, Places
from tests.support.judges.report import Report, SignatureReport

NAME = "dss"
_LOCK = Path(__file__).with_name("dss.lock.json")
_LEVELS = {"PAdES-BASELINE-B": "B-B", "PAdES-BASELINE-T": "B-T", "PAdES-BASELINE-LT": "B-LT", "PAdES-BASELINE-LTA": "B-LTA"}


def judge(files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
    """See report.Judge."""
    places = Places.of()
    machine = java.find(places)
    libraries = jars.resolve(places, lock=_LOCK)
    with tempfile.TemporaryDirectory() as scratch:
        roots = [Path(scratch, f"{number}.cer") for number in range(len(anchors))]
        for path, anchor in zip(roots, anchors, strict=True):
            path.write_bytes(anchor)
        order = {
            "jvm": str(machine.program.parent.parent / "lib" / "server" / "libjvm.so"),
            "jars": [str(jar) for jar in sorted(libraries.glob("*.jar"))],
            "anchors": [str(root) for root in roots],
            "files": [str(file) for file in files],
        }
        command = [sys.executable, "-m", "tests.support.judges.dss_process"]
        run = subprocess.run(command, cwd=CHECKOUT, input=json.dumps(order), capture_output=True, text=True, timeout=300, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"EU DSS ended with {run.returncode}: {run.stderr.strip()[-600:]}")
    return [_report(answer) for answer in json.loads(run.stdout)]


def _report(answer: dict[str, Any]) -> Report:
    if "unreadable" in answer:
        return Report(NAME, problems=(f"unreadable: {answer['unreadable']}",))
    signatures, problems, remarks = [], [], []
    for said in answer["signatures"]:
        valid = said["intact"] and said["valid"] and said["trusted"] and said["dictionary_consistent"]
        level = _LEVELS.get(said["format"], said["format"])
        signatures.append(SignatureReport(said["field"], valid, said["signer"], said["byte_range_valid"], level, said["permissions"], said["conclusion"]))
        problems += [f"{said['field']}: {change}" for change in said["changes"]]
        remarks += [f"{said['field']}: annotations overlap on page {page}" for page in said["overlapping"]]
    if not signatures:
        problems.append("no signature")
    problems += [f"time stamp not intact: {name}" for name in answer["broken_timestamps"]]
    return Report(NAME, tuple(signatures), tuple(problems), tuple(remarks), covered=answer["covered"])
