"""Poppler's pdfsig: what most Linux readers show. Its NSS knows no usage for document signing, so it isn't asked about chains."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.judges.report import Report, SignatureReport
from tests.support.programs import path_of

NAME = "pdfsig"


def judge(files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
    """See report.Judge."""
    program = path_of("pdfsig")
    return [_one(program, file) for file in files]


def _one(program: str, file: Path) -> Report:
    run = subprocess.run([program, "-nocert", str(file)], capture_output=True, text=True, timeout=60, check=False)
    parts = re.split(r"^Signature #\d+:\n", run.stdout, flags=re.MULTILINE)[1:]
    if not parts:
        return Report(NAME, problems=(f"no signature (exit {run.returncode})",))
    facts = [dict(re.findall(r"^  - ([^:\n]+): (.*)$", part, flags=re.MULTILINE)) for part in parts]
    signatures = [
        SignatureReport(fact["Signature Field Name"], fact.get("Signature Validation") == "Signature is Valid.", fact.get("Signer Certificate Common Name"))
        for fact in facts
        if "Signed Ranges" in fact  # Empty fields are listed too.
    ]
    problems = [] if "  - Total document signed" in run.stdout.splitlines() else ["bytes follow the last signature"]
    return Report(NAME, tuple(signatures), tuple(problems))
