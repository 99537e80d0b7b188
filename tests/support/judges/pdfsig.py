"""Poppler's pdfsig: what most Linux readers show. Its NSS knows no usage for document signing, so it isn't asked about chains."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.judges.report import Report, SignatureReport
from tests.support.programs import path_of

_TIME_STAMPS = ("ETSI.RFC3161", "unknown")
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
        # Empty fields are listed too, and of time stamps over the document it knows only that they are there.
        if "Signed Ranges" in fact and fact["Signature Type"] not in _TIME_STAMPS
    ]
    return Report(NAME, tuple(signatures), covered="  - Total document signed" in run.stdout.splitlines())
