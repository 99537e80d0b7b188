"""Fuzzes what reads foreign bytes, guided by coverage (atheris).

    python -m tests.fuzz 600                 every target for so many seconds altogether
    python -m tests.fuzz 600 records notes   these targets

Inputs that reached something new are kept in .state/fuzz/<target> and begun with the next time. An input that breaks a target is kept in
tests/fuzz/findings/<target>, where the tests try it again for ever: mend what it found, then commit it with the mend.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.stack.places import CHECKOUT

FINDINGS = Path(__file__).with_name("findings")
KEPT = CHECKOUT / ".state" / "fuzz"
NAMES = ("documents", "structure", "containers", "evidence", "notes", "tiles", "packs", "records", "verification")
_GUIDES = ["services.archive", "services.signing.adapters.verification", "services.signing.adapters.pdf_revisions"]
_SLOWEST = 30
"""Seconds after which one input counts as a finding; the machine may have other work."""
_MOST_MEGABYTES = 3072
_LARGEST = 64_000


@dataclass(frozen=True)
class Outcome:
    """What came of fuzzing one target."""

    name: str
    tries: int
    told: str
    """What went wrong, in the fuzzer's words; empty when nothing did."""


def fuzz(name: str, seconds: int, kept: Path) -> Outcome:
    """One target for so long, in a process of its own; what a folder keeps from before is tried first."""
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(seconds), str(kept)]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + 120)
    tries = re.search(r"stat::number_of_executed_units: +(\d+)", run.stderr)
    # The traceback stands on standard output, the input's name and what else the fuzzer has seen behind it on the other.
    trace = run.stdout.partition("Uncaught Python exception")[2]
    return Outcome(name, int(tries[1]) if tries else 0, f"{trace[-3000:]}{run.stderr[-700:]}" if run.returncode else "")


def _one(name: str, seconds: int, kept: Path) -> None:
    import random

    import atheris

    with atheris.instrument_imports(include=_GUIDES):
        from tests.fuzz import targets
    target = targets.TARGETS[name]()
    findings = FINDINGS / name
    for folder in (kept, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (kept / f"seed-{number}").write_bytes(seed)
    mutate = target.mutate

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        made = mutate(data, chance) if mutate is not None and chance.random() < 0.7 else atheris.Mutate(data, most)
        return bytes(made[:most])

    options = [f"-max_total_time={seconds}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MOST_MEGABYTES}", f"-max_len={_LARGEST}", "-print_final_stats=1"]
    arguments = [sys.argv[0], *options, f"-artifact_prefix={findings}/", str(kept), str(findings)]
    atheris.Setup(arguments, target.run, **({"custom_mutator": mutated} if mutate else {}))
    atheris.Fuzz()


def main(words: Sequence[str]) -> int:
    """0 when nothing was found; 1 and what it was when something was."""
    if words[:1] == ["--one"]:
        _one(words[1], int(words[2]), Path(words[3]))
    seconds, *wanted = words
    names = wanted or list(NAMES)
    found = 0
    for name in names:
        outcome = fuzz(name, max(1, int(seconds) // len(names)), KEPT / name)
        print(f"{outcome.name:<14} {outcome.tries:>9} tries  {'BROKEN' if outcome.told else 'nothing found'}", flush=True)
        if outcome.told:
            found += 1
            print(outcome.told, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
