"""The README prints the table that the code obeys."""

from __future__ import annotations

from pathlib import Path

from services.locking.domain.refusals import Refusal
from services.locking.domain.unlock_table import TABLE, State, Verb

README = Path(__file__).resolve().parents[3] / "services" / "locking" / "README.md"


def table() -> str:
    """Rows are states, columns verbs; a next state is bold, a refusal is its code."""
    lines = ["| | " + " | ".join(verb.value for verb in Verb) + " |", "|---" * (len(Verb) + 1) + "|"]
    for state in State:
        cells = (TABLE[state][verb] for verb in Verb)
        said = (f"`{cell.code}`" if isinstance(cell, Refusal) else f"**{cell.value}**" for cell in cells)
        lines.append(f"| {state.value} | " + " | ".join(said) + " |")
    return "\n".join(lines)


def test_readme_prints_the_table_of_the_code() -> None:
    assert table() in README.read_text(encoding="utf-8"), f"put this into {README}:\n\n{table()}"


def test_readme_has_the_four_headings() -> None:
    text = README.read_text(encoding="utf-8")
    for heading in ("## Owns", "## Speaks", "## Promises", "## When it breaks"):
        assert heading in text
