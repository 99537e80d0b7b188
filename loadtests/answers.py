"""
The book of what was asked and what was answered, one line per arrival, and what follows from it.

Locust rounds its figures to two digits and forgets what was in a request. Correctness needs more: which value of which
cell the server has *accepted*, so that it can be asked for afterwards.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtests.goals import percentile

OPEN_LOOP = {"sheet", "status"}
"""Kinds of calls that were planned; the others (approvals, closing a window) follow from what is found."""

Key = tuple[str, str, int, str, str]
"""Class, subject, term, pupil, column: one cell of a gradebook."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One arrival and its end. `code` is a gRPC status name; `after_ms` counts from the planned moment."""

    kind: str
    planned_s: float
    after_ms: float
    code: str
    tries: int = 1
    # Of a sheet: the gradebook, its version after the save, and the values sent, by (pupil, column).
    class_id: str = ""
    subject: str = ""
    term: int = 0
    version: int = 0
    cells: tuple[tuple[str, str, str], ...] = ()
    # What contradicts the run's own knowledge: a public answer that is wrong, or cells of a sheet that were refused.
    contradicts: str = ""


@dataclass(slots=True)
class Book:
    """All answers of one generator process. `unanswered` arrivals are known by the difference from the tally."""

    answers: list[Answer] = field(default_factory=list)
    tallies: list[dict[str, float]] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the book as JSON lines; a reader sees either all of it or none."""
        scratch = path.with_suffix(".part")
        with scratch.open("w", encoding="utf-8") as out:
            for tally in self.tallies:
                out.write(json.dumps({"tally": tally}) + "\n")
            for answer in self.answers:
                out.write(json.dumps(asdict(answer), separators=(",", ":")) + "\n")
        scratch.replace(path)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Book:
        """Return one book out of those of several processes."""
        book = cls()
        for path in paths:
            for line in path.read_text(encoding="utf-8").splitlines():
                entry: dict[str, Any] = json.loads(line)
                if "tally" in entry:
                    book.tallies.append(entry["tally"])
                else:
                    entry["cells"] = tuple((p, c, v) for p, c, v in entry["cells"])
                    book.answers.append(Answer(**entry))
        return book


def accepted_marks(answers: Iterable[Answer]) -> dict[Key, frozenset[str]]:
    """Return, for each cell that was accepted, the values that may stand in it now.

    Saves of one gradebook are ordered by the version the server gave them, not by the clock of a client. A save whose end
    is unknown (time-out, broken connection) may have happened or not, at any moment: it widens the choice and never counts as accepted.
    """
    settled: dict[Key, tuple[int, str]] = {}
    perhaps: dict[Key, set[str]] = {}
    for answer in answers:
        if answer.kind != "sheet":
            continue
        for pupil, column, value in answer.cells:
            key = (answer.class_id, answer.subject, answer.term, pupil, column)
            if answer.code == "OK":
                if key not in settled or answer.version >= settled[key][0]:
                    settled[key] = (answer.version, value)
            elif answer.code in {"DEADLINE_EXCEEDED", "UNAVAILABLE", "UNKNOWN", "CANCELLED", "INTERNAL"}:
                perhaps.setdefault(key, set()).add(value)
    return {key: frozenset({value, *perhaps.get(key, ())}) for key, (_, value) in settled.items()}


def stored_as_accepted(accepted: Mapping[Key, frozenset[str]], stored: Mapping[Key, str]) -> tuple[int, list[str]]:
    """Return how many accepted cells hold an accepted value, and one line for each that doesn't. Names no pupil's mark."""
    wrong = [
        f"class {key[0]} {key[1] or 'homeroom'} term {key[2]} column {key[4]}: " + ("nothing is stored" if key not in stored else "another value is stored")
        for key, values in accepted.items()
        if stored.get(key) not in values
    ]
    return len(accepted) - len(wrong), wrong


def measures(book: Book) -> dict[str, float]:
    """Return the figures of the arrivals: planned, dropped, answered, and per kind percentiles, rates and failures."""
    found: dict[str, float] = {
        "arrivals.planned": sum(tally["planned"] for tally in book.tallies),
        "arrivals.dropped": sum(tally["dropped"] for tally in book.tallies),
        "arrivals.answered": float(sum(1 for answer in book.answers if answer.kind in OPEN_LOOP)),
        "arrivals.worst_lateness_s": max((tally["worst_lateness_s"] for tally in book.tallies), default=math.nan),
    }
    for kind in sorted({answer.kind for answer in book.answers}):
        of_kind = [answer for answer in book.answers if answer.kind == kind]
        latencies = [answer.after_ms for answer in of_kind]
        for percent in (50, 90, 95, 99):
            found[f"{kind}.p{percent}_ms"] = percentile(latencies, percent)
        found[f"{kind}.max_ms"] = max(latencies)
        found[f"{kind}.count"] = len(of_kind)
        found[f"{kind}.failed_share"] = sum(1 for answer in of_kind if answer.code != "OK") / len(of_kind)
        found[f"{kind}.retried"] = sum(1 for answer in of_kind if answer.tries > 1)
    found["status.wrong_answers"] = sum(1 for answer in book.answers if answer.kind == "status" and answer.contradicts)
    found["sheet.with_refused_cells"] = sum(1 for answer in book.answers if answer.kind == "sheet" and answer.contradicts)
    found["marks.sent"] = sum(len(answer.cells) for answer in book.answers)
    return found
