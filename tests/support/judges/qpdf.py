"""qpdf --check: the file's structure, its cross-references and every stream's encoding."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.judges.report import Report
from tests.support.programs import path_of

NAME = "qpdf"


def judge(files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
    """See report.Judge."""
    program = path_of("qpdf")
    return [_one(program, file) for file in files]


def _one(program: str, file: Path) -> Report:
    run = subprocess.run([program, "--check", str(file)], capture_output=True, text=True, timeout=60, check=False)
    complaints = [re.sub(rf"^(WARNING: )?{re.escape(str(file))}:? ?", "", line) for line in run.stderr.splitlines() if str(file) in line]
    if run.returncode != 0 and not complaints:
        complaints = [run.stderr.strip() or f"qpdf ended with {run.returncode}"]
    return Report(NAME, problems=tuple(complaints))
