"""The chain: what canonical means, and that no way of touching it goes unseen."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.locking.domain.audit import GENESIS, Fault, Head, Line, canonical, faults, next_line
from tests.unit.locking.builders import NOW, an_id


def a_chain(stream: str, length: int) -> tuple[list[Line], Head]:
    head, lines = Head(stream, 0, GENESIS), []
    for number in range(length):
        lines.append(next_line(head, NOW, "lock_held", {"class_id": an_id(str(number)), "sealed": number}))
        head = Head(stream, lines[-1].number, lines[-1].hash)
    return lines, head


def test_canonical_is_sorted_utf8_without_spaces() -> None:
    hanoi = datetime(2026, 5, 25, 17, 0, 0, 7, tzinfo=timezone(timedelta(hours=7)))
    row = {"b": "điểm", "a": [1, True, None], "at": hanoi, "id": an_id("x"), "h": b"\x01\xff"}
    assert canonical(row) == (f'{{"a":[1,true,null],"at":"2026-05-25T10:00:00.000007Z","b":"điểm","h":"01ff","id":"{an_id("x")}"}}')


@pytest.mark.parametrize("value", [0.5, {1, 2}, object()])
def test_canonical_refuses_what_has_no_one_form(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"value": value})


def test_hash_follows_the_published_formula() -> None:
    (first, second), _ = a_chain("nation", 2)
    assert first.hash == hashlib.sha256(bytes(32) + first.body.encode("utf-8")).digest()
    assert second.hash == hashlib.sha256(first.hash + second.body.encode("utf-8")).digest()


def test_whole_chains_have_no_fault() -> None:
    one, head_one = a_chain("school:1", 4)
    two, head_two = a_chain("school:2", 1)
    assert list(faults(one + two, [head_one, head_two, Head("school:3", 0, GENESIS)])) == []


def test_a_forged_body_with_a_matching_hash_breaks_the_next_line() -> None:
    lines, head = a_chain("nation", 3)
    forged = next_line(Head("nation", 1, lines[0].hash), NOW, "lock_held", {"sealed": 99})
    found = list(faults([lines[0], forged, lines[2]], [head]))
    assert [(fault.number, "hash" in fault.what) for fault in found] == [(3, True)]


def test_a_rewritten_chain_is_caught_by_its_head() -> None:
    _, head = a_chain("nation", 3)
    rewritten = [next_line(Head("nation", 0, GENESIS), NOW, "nothing_happened", {})]
    assert [fault.what for fault in faults(rewritten, [head])] == ["the stream ends here but its head is line 3"]


def test_a_chain_without_head_and_a_head_without_chain_are_faults() -> None:
    lines, head = a_chain("nation", 1)
    assert len(list(faults(lines, []))) == len(list(faults([], [head]))) == 1


def _change(lines: list[Line], at: int, how: str) -> list[Line]:
    line = lines[at]
    match how:
        case "body":
            return [*lines[:at], replace(line, body=line.body.replace("lock_held", "lock_hold")), *lines[at + 1 :]]
        case "hash":
            return [*lines[:at], replace(line, hash=bytes(32)), *lines[at + 1 :]]
        case "drop":
            return lines[:at] + lines[at + 1 :]
        case "double":
            return [*lines[: at + 1], line, *lines[at + 1 :]]
        case "spaces":
            return [*lines[:at], replace(line, body=line.body.replace(":", ": ")), *lines[at + 1 :]]
        case _:
            return [*lines[:at], replace(line, number=line.number + 100), *lines[at + 1 :]]


@settings(max_examples=200, deadline=None)
@given(
    length=st.integers(1, 8),
    data=st.data(),
    how=st.sampled_from(["body", "hash", "drop", "double", "spaces", "number"]),
)
def test_any_single_change_is_found(length: int, data: st.DataObject, how: str) -> None:
    lines, head = a_chain("school:1", length)
    touched = _change(lines, data.draw(st.integers(0, length - 1)), how)
    found = list(faults(touched, [head]))
    assert found
    assert all(isinstance(fault, Fault) and fault.stream == "school:1" for fault in found)
