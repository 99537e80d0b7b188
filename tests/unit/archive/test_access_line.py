"""The access log's chain: what is changed, moved, cut off or erased, and what may be."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.archive.domain.access_line import GENESIS, Access, AccessLine, faults, line_behind

AT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
STREAM = "11111111-1111-4111-8111-111111111111"
ACCESS = Access("account", "person", ("principal@school:s",), "transcript", "document", 2, 1, "", "s", "2025-01", "transfer/17", "ab" * 16)


def chain(count: int, stream: str = STREAM) -> list[AccessLine]:
    lines: list[AccessLine] = []
    for number in range(1, count + 1):
        lines.append(line_behind(stream, number, lines[-1].hash if lines else GENESIS, ACCESS, AT, bytes(16)))
    return lines


def test_chains_that_hold() -> None:
    one, other = chain(3), chain(2, "22222222-2222-4222-8222-222222222222")
    assert list(faults([*one, *other], {(STREAM, 2): one[1].hash})) == []


def test_the_hash_is_as_described() -> None:
    [line] = chain(1)
    assert line.body is not None
    assert line.digest == hashlib.sha256(line.body.encode()).digest()
    assert line.hash == hashlib.sha256(bytes(32) + line.digest).digest()


def test_an_erased_body_leaves_the_chain_whole() -> None:
    lines = chain(3)
    lines[1] = replace(lines[1], body=None)
    assert list(faults(lines, {(STREAM, 3): lines[2].hash})) == []


def changed(lines: list[AccessLine]) -> list[AccessLine]:
    return [lines[0], replace(lines[1], body=str(lines[1].body).replace("account", "nobody")), lines[2]]


def forged(lines: list[AccessLine]) -> list[AccessLine]:
    """A line made anew with a hash of its own that fits the line before."""
    return [lines[0], line_behind(STREAM, 2, lines[0].hash, replace(ACCESS, account_id="nobody"), AT, bytes(16)), lines[2]]


def elsewhere(lines: list[AccessLine]) -> list[AccessLine]:
    """Hidden from its school, by the column that visibility rests on."""
    return [lines[0], replace(lines[1], school_id="another"), lines[2]]


def missing(lines: list[AccessLine]) -> list[AccessLine]:
    return [lines[0], lines[2]]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (changed, "line 2: its body isn't what was written"),
        (forged, "line 3: its hash doesn't follow"),
        (elsewhere, "line 2: its body isn't what was written"),
        (missing, "line 3: line 2 is missing"),
    ],
)
def test_harm_is_named_once_where_it_is(harm: object, said: str) -> None:
    found = list(faults(harm(chain(3)), {}))  # type: ignore[operator]
    assert said in found[0]
    # A missing line is also one whose hash the next doesn't follow from.
    assert len(found) == (2 if harm is missing else 1)


def test_an_end_that_was_cut_off_or_written_anew_shows_against_what_the_log_was_told() -> None:
    lines = chain(3)
    told = {(STREAM, 3): lines[2].hash}
    assert list(faults(lines[:2], told)) == [f"access log {STREAM} line 3: the transparency log knows it, and it is gone"]
    anew = [*lines[:2], line_behind(STREAM, 3, lines[1].hash, replace(ACCESS, account_id="nobody"), AT, bytes(16))]
    assert list(faults(anew, told)) == [f"access log {STREAM} line 3: the transparency log was told another hash"]
