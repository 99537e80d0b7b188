"""
What a run is told before it starts: doors, tokens, gradebooks, curves. One JSON file, which every process of the run reads.

It holds bearer tokens, so it is written for its owner's eyes only and lies in the run's folder under `.state`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtests.arrivals import Curve, term_end

VARIABLE = "HOCBA_LOAD_PLAN"
"""Environment variable that names the plan's file."""


@dataclass(frozen=True, slots=True)
class Doors:
    """How to reach the services from outside: as `edge`, with mutual TLS."""

    addresses: dict[str, str]
    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Gradebook:
    """A sheet to be filled: whose token may write it, and which columns and pupils it has."""

    class_id: str
    subject: str  # Empty: the homeroom sheet.
    term: int
    account: str
    pupils: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who approves manifests: an account, its role's number, and where it looks."""

    account: str
    role: int
    school_id: str
    class_id: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that the department closes when the evening is over."""

    window_id: str
    account: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Rates are per second at the peak; `evening_seconds` is how long marks come in."""

    folder: Path
    doors: Doors
    tokens: dict[str, str]
    gradebooks: tuple[Gradebook, ...]
    signers: tuple[Signer, ...] = ()
    windows: tuple[Window, ...] = ()
    classes: int = 0
    seed: int = 1
    sheets_per_second: float = 8.0
    statuses_per_second: float = 10.0
    evening_seconds: float = 60.0
    night_seconds: float = 150.0
    in_flight: int = 400
    kafka: dict[str, Any] = field(default_factory=dict)

    @property
    def sheets(self) -> Curve:
        """Arrivals of class sheets: the last evening of the term."""
        return term_end(self.sheets_per_second, self.evening_seconds)

    @property
    def statuses(self) -> Curve:
        """Arrivals of public questions: steady through evening and night."""
        return Curve(((0.0, self.statuses_per_second), (self.evening_seconds + self.night_seconds, self.statuses_per_second)))

    @property
    def journey_file(self) -> Path:
        """Where the observer keeps its figures up to date."""
        return self.folder / "journey.json"

    @property
    def public_ids_file(self) -> Path:
        """Where the observer adds the public id of each archived transcript, one a line."""
        return self.folder / "public-ids.txt"

    def write(self) -> Path:
        """Write the plan into its folder, readable by its owner alone, and return the file."""
        file = self.folder / "plan.json"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(asdict(self), out, default=str)
        return file

    @classmethod
    def read(cls, file: Path | None = None) -> Plan:
        """Return the plan in `file`, else the one HOCBA_LOAD_PLAN names. Raises KeyError when there is neither."""
        stated: dict[str, Any] = json.loads((file or Path(os.environ[VARIABLE])).read_text(encoding="utf-8"))
        doors = stated.pop("doors")
        books = [{**book, "pupils": tuple(book["pupils"]), "columns": tuple(book["columns"])} for book in stated.pop("gradebooks")]
        return cls(
            folder=Path(stated.pop("folder")),
            doors=Doors(doors["addresses"], Path(doors["ca"]), Path(doors["certificate"]), Path(doors["key"])),
            gradebooks=tuple(Gradebook(**book) for book in books),
            signers=tuple(Signer(**signer) for signer in stated.pop("signers")),
            windows=tuple(Window(**window) for window in stated.pop("windows")),
            **stated,
        )
