"""The list of holds, which staged packs are documents', and that as many lines are erased as was told."""

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.archive.domain.access_line import GENESIS, Access, AccessLine, line_behind, untold
from services.archive.domain.retention import RETENTION, documents_of, read_holds
from tests.unit.archive.test_access_line import ACCESS, AT, STREAM

ONE, OTHER = "0b7e1f6e-7f5a-4d57-9a4e-000000000001", "0b7e1f6e-7f5a-4d57-9a4e-000000000002"


def test_holds_are_ids_with_comments() -> None:
    assert read_holds(f"# Công văn 12/TAND\n{ONE}  # em A\n\n{OTHER.upper()}\n{ONE}") == {ONE, OTHER}
    assert read_holds("") == frozenset()


def test_a_list_with_a_line_that_is_no_id_is_none() -> None:
    with pytest.raises(ValueError, match="line 2: 'em A' is no UUID"):
        read_holds(f"{ONE}\nem A")


@pytest.mark.parametrize("names", [[], ["readme.txt"], [f"{ONE}-v1.pdf", "readme.txt"], [f"{ONE}-v0.pdf"], [f"../{ONE}-v1.pdf"], [f"{ONE}-v1.pdf\n"]])
def test_a_pack_with_anything_else_in_it_is_not_known(names: Sequence[str]) -> None:
    assert documents_of(names) is None


def test_documents_of_a_pack() -> None:
    assert documents_of([f"{ONE}-v1.pdf", f"{OTHER}-v12.pdf"]) == [(ONE, 1), (OTHER, 12)]


def lines(*accesses: Access) -> list[AccessLine]:
    found: list[AccessLine] = []
    for access in accesses:
        found.append(line_behind(STREAM, len(found) + 1, found[-1].hash if found else GENESIS, access, AT, os.urandom(16)))
    return found


def test_erased_lines_are_as_many_as_was_told() -> None:
    told = replace(ACCESS, account_id=RETENTION, action=RETENTION, document_id="", entries=2, sought="access_lines before 2024-01-01T00:00:00+00:00")
    packs = replace(told, entries=9, sought="staged_packs before 2024-01-01T00:00:00+00:00")
    whole = lines(ACCESS, ACCESS, ACCESS, told, packs)
    erased = [replace(line, body=None) for line in whole[:2]] + whole[2:]
    assert list(untold(erased)) == []
    assert list(untold(whole)) == ["access log of school s: 0 lines are erased, and retention has told 2"]
    more = [replace(line, body=None) for line in whole[:3]] + whole[3:]
    assert list(untold(more)) == ["access log of school s: 3 lines are erased, and retention has told 2"]
