"""The register's chain: every change of a line, its place or its document shows."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.register import GENESIS, Head, Line, Statement, inspect


def chain(length: int) -> list[Line]:
    head = Head(0, GENESIS)
    lines = []
    for number in range(length):
        sha256 = bytes([number]) * 32
        statement = Statement("issue", f"PUBLIC{number}", 1, sha256, b"c" * 32, None, "school", datetime(2026, 5, 31, tzinfo=UTC)).canonical()
        head = head.followed_by(statement)
        lines.append(Line(head.entries, statement, head.hash, sha256))
    return lines


def test_statement_is_ascii_lines_in_a_fixed_order() -> None:
    at = datetime(2026, 5, 31, 10, tzinfo=UTC)
    statement = Statement("supersede", "AEBAG", 2, b"\x01" * 32, b"\x02" * 32, 7, "5ad6a2e5", at)
    assert statement.canonical() == (b"hocba/register/1\nsupersede\nAEBAG\n2\n" + b"01" * 32 + b"\n" + b"02" * 32 + b"\n7\n5ad6a2e5\n1780221600\n")


def test_unbroken_chain_leads_to_its_head() -> None:
    lines = chain(5)
    found = inspect(lines, Head(0, GENESIS))
    assert found.first_broken is None
    assert found.head == Head(5, lines[-1].hash)


def test_inspection_may_begin_anywhere() -> None:
    lines = chain(5)
    found = inspect(lines[3:], Head(3, lines[2].hash))
    assert found.first_broken is None


@given(st.integers(0, 4), st.sampled_from(["statement", "hash", "index", "sha256", "gone", "document"]))
def test_change_of_any_line_is_found_at_that_line(number: int, what: str) -> None:
    lines = chain(5)
    line = lines[number]
    changed = {
        "statement": replace(line, statement=line.statement.replace(b"PUBLIC", b"OTHERS")),
        "hash": replace(line, hash=b"h" * 32),
        "index": replace(line, index=line.index + 1),
        "sha256": replace(line, sha256=b"s" * 32),
        "document": replace(line, sha256=None),
    }
    if what == "gone":
        del lines[number]
        found = inspect(lines, Head(0, GENESIS))
        # Cutting off the end leaves a shorter chain that holds; that is for a checkpoint kept elsewhere to show.
        assert found.first_broken == (None if number == 4 else number + 1)
    else:
        lines[number] = changed[what]
        assert inspect(lines, Head(0, GENESIS)).first_broken == number + 1
