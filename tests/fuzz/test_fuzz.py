"""A short fuzz of each reader, and what fuzzing has found before. Longer: make fuzz SECONDS=600."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import FINDINGS, NAMES, fuzz
from tests.fuzz.targets import TARGETS

SECONDS = 3


def test_every_target_is_fuzzed() -> None:
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_short_fuzz_finds_nothing(name: str, tmp_path: Path) -> None:
    outcome = fuzz(name, SECONDS, tmp_path)
    assert not outcome.told, outcome.told
    assert outcome.tries > 0


@pytest.mark.parametrize("file", sorted(FINDINGS.glob("*/*")), ids=lambda file: f"{file.parent.name}-{file.name}")
def test_what_was_found_stays_mended(file: Path) -> None:
    TARGETS[file.parent.name]().run(file.read_bytes())
