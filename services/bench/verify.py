"""`hocba bench verify`: checks of finished transcripts per second on one core, next to pyHanko's full validation and three bare key operations.

Every line is processor time on one pinned core; lines take turns in rounds, and the middle round counts. A check is the archive's, all of
it: structure, coverage, certification, changes, content, the three signatures with chains and revocation, the record's and the file's digest.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

_BASELINE = "three bare RSA-2048 operations"
_PEER = "pyHanko's full validation, RSA-2048"
SCALE = 1500e-6
"""What three bare RSA-2048 operations cost on the machine that the goals are told for."""


@dataclass(frozen=True)
class Line:
    """One way of checking: its rate, that on the goals' scale, and as a multiple of the baseline and of pyHanko."""

    what: str
    per_second: float
    per_second_on_scale: float
    of_bare: float
    of_pyhanko: float


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("verify")
    def verify(
        rounds: Annotated[int, typer.Option(min=1, help="rounds in which the lines take turns")] = 5,
        core: Annotated[int, typer.Option(help="the core that everything is pinned to")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Checks per second on one core, as multiples of three bare key operations and of pyHanko's validation."""
        os.sched_setaffinity(0, {core})
        lines = measure(rounds)
        if as_json:
            typer.echo(json.dumps({"rounds": rounds, "scale_us": SCALE * 1e6, "lines": [asdict(line) for line in lines]}, indent=1))
            return
        typer.echo(f"{'':<48}{'per second':>12}{'on scale':>10}{'x bare':>9}{'x pyHanko':>11}")
        for line in lines:
            typer.echo(f"{line.what:<48}{line.per_second:>12,.1f}{line.per_second_on_scale:>10,.0f}{line.of_bare:>9.2f}{line.of_pyhanko:>11.1f}")


def measure(rounds: int) -> list[Line]:
    """All lines, in one run."""
    with tempfile.TemporaryDirectory(prefix="bench-verify-") as scratch:
        ways = _ways(Path(scratch))
        # What one check needs is some dozens of objects that die at once: the collector would only walk what lives on.
        gc.collect()
        gc.freeze()
        took: dict[str, list[float]] = {what: [] for what in ways}
        for turn in range(rounds + 1):
            for what, check in ways.items():
                began = time.process_time()
                count = check()
                if turn:  # The first round fills what is remembered.
                    took[what].append((time.process_time() - began) / count)
    middle = {what: statistics.median(spent) for what, spent in took.items()}
    bare, peer = middle[_BASELINE], middle[_PEER]
    return [Line(what, 1 / spent, bare / spent / SCALE, bare / spent, peer / spent) for what, spent in middle.items()]


def _ways(folder: Path) -> dict[str, Callable[[], int]]:
    from services.archive.app import document_check

    rsa, curve = FinishedClasses(folder / "rsa", "rsa-2048"), FinishedClasses(folder / "curve", "p-256")
    known = {made.kind: document_check(made.anchors) for made in (rsa, curve)}
    return {
        _BASELINE: rsa.bare,
        _PEER: rsa.by_pyhanko,
        "the archive's check, RSA-2048": partial(rsa.checked, known["rsa-2048"]),
        "the archive's check, P-256": partial(curve.checked, known["p-256"]),
        "the same from nothing known, RSA-2048": lambda: rsa.checked(document_check(rsa.anchors)),
        "each examined in full, RSA-2048": lambda: rsa.in_full(document_check(rsa.anchors)),
    }


class FinishedClasses:
    """Six classes of finished transcripts of all levels, and what was announced of them."""

    def __init__(self, folder: Path, kind: str) -> None:
        from services.archive.application.check_document import Announced
        from services.bench.signing import PUPILS, Desk

        self.kind = kind
        self._desk = Desk(folder, kind)
        self._desk.check_alone(PUPILS)
        self.anchors = self._desk.pki.anchors
        self.documents = [
            (pdf, Announced(hashlib.sha256(pdf).digest(), len(pdf), hashlib.sha256(record).digest()))
            for (pdf, _), record in zip(self._desk._finished, self._desk.records, strict=True)
        ]

    def checked(self, check: Any) -> int:
        """The batch in one call, as admission makes it."""
        verdicts = check.batch(self.documents)
        assert all(verdict.accepted for verdict in verdicts)
        return len(verdicts)

    def in_full(self, check: Any) -> int:
        """A few of them by a check that remembers no shape."""
        from dataclasses import replace

        verdicts = replace(check, shapes=None).batch(self.documents[:8])
        assert all(verdict.accepted for verdict in verdicts)
        return len(verdicts)

    def bare(self) -> int:
        """The three key operations of a transcript, as signing would need them."""
        digest, count = hashlib.sha256(b"bench").digest(), 60
        for _ in range(count):
            for name in self._desk.key_names:
                self._desk.keys._sign(name, [digest])  # The bare operation, without a thread's hand-over.
        return count

    def by_pyhanko(self) -> int:
        """pyHanko as its documentation has it, difference analysis included."""
        from asn1crypto import x509
        from pyhanko.pdf_utils.reader import PdfFileReader
        from pyhanko.sign.validation import validate_pdf_signature
        from pyhanko_certvalidator import ValidationContext

        roots = [x509.Certificate.load(file.read_bytes()) for file in self.anchors.glob("*.cer")]
        count = 2
        for pdf, _ in self.documents[:count]:
            reader = PdfFileReader(io.BytesIO(pdf))
            for signature in reader.embedded_signatures:
                assert validate_pdf_signature(signature, ValidationContext(trust_roots=roots)).bottom_line
        return count
