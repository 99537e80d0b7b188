"""What the dashboard looks like: its files, texts and templates, and what of a page is handed out as a table."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from services.chassis.web import read_assets
from services.reporting.application.get_projection import Outlook
from services.reporting.application.ports import Coverage, Missing, Point, Viewer
from services.reporting.application.reconciliation_ports import LastRun
from services.reporting.domain.classes import Sheet, Unlock
from services.reporting.domain.counting import REASON_PREFIX
from services.reporting.domain.quality import flaws_of
from services.reporting.domain.standing import who_acts
from services.reporting.entrypoints.dashboard_results import ResultsPage, by_levels, item_name, projection_grid
from services.reporting.entrypoints.tables import FORMATS, Cell, table_file
from services.reporting.entrypoints.tally_look import Sections

FOLDER = Path(__file__).parents[1] / "dashboard"
TEXTS: dict[str, Any] = tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))
TILES: dict[str, tuple[int, int, str]] = {code: tuple(place) for code, place in tomllib.loads((FOLDER / "tiles.toml").read_text(encoding="utf-8")).items()}
"""Province code -> column, row and short name."""
STEPS = (
    "enrolled",
    "identity_verified",
    "ready",
    "sealed",
    "signed_homeroom",
    "signed_principal",
    "signed_seal",
    "archived",
    "submitted",
    "acknowledged",
)
CURVE = ("enrolled", "sealed", "archived")
"""The steps whose way over time is drawn."""
_FILES = ("icon.svg", "dashboard.css", "uplot/uPlot.min.css", "uplot/uPlot.iife.min.js", "curve.js", "dashboard.js", "sign_in.js")
_UNSAFE = re.compile(r"[^0-9A-Za-z_.-]")
"""In the name of a file; ids come from addresses."""
_VIET_NAM = timezone(timedelta(hours=7))


class Level(StrEnum):
    """Whose page it is."""

    NATION = "nation"
    PROVINCE = "province"
    SCHOOL = "school"
    CLASS = "class"


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page shows."""

    level: Level
    total: Coverage
    parts: Sequence[Coverage]
    year: int
    viewer: Viewer
    as_of: datetime
    opens_parts: bool = True
    """Whether the reader may open the pages of the parts."""
    sort: str = ""
    history: Sequence[Point] = ()
    sheets: Sequence[Sheet] = ()
    unlocks: Sequence[Unlock] = ()
    missing: Sequence[Missing] | None = None
    """None for a reader who may not see them."""
    tallied: Sections | None = None
    """What is counted beside the pupils; None on the page of a class."""
    reconciled: LastRun | None = None
    """The last comparison of all stores; None before the first."""

    def key(self) -> tuple[object, ...]:
        """Everything but the time of asking."""
        seen = (self.level, self.total, self.parts, self.year, self.viewer, self.opens_parts, self.sort, self.history)
        return *seen, self.sheets, self.unlocks, self.missing, self.tallied, self.reconciled

    def sorted_parts(self) -> list[Coverage]:
        """As they came, by name; or by how many are missing, or by how many pupils there are, largest first."""
        if self.sort == "missing":
            return sorted(self.parts, key=lambda part: part.counts.get("archived", 0) - part.counts.get("enrolled", 0))
        if self.sort == "pupils":
            return sorted(self.parts, key=lambda part: -part.counts.get("enrolled", 0))
        return list(self.parts)


class Look:
    """Sets pages in one of the two languages."""

    def __init__(self) -> None:
        self.texts, self.assets = TEXTS, read_assets(FOLDER, _FILES)
        environment = jinja2.Environment(
            autoescape=True, loader=jinja2.FileSystemLoader(FOLDER), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
        )
        environment.filters |= {"share": share, "reasons": reasons_of, "who": who_acts, "item_name": item_name, "by_levels": by_levels}
        environment.globals |= {
            "assets": {name: asset.address for name, asset in self.assets.items()},
            "steps": STEPS,
            "curve": CURVE,
            "tiles": TILES,
            "local": lambda at: at.astimezone(_VIET_NAM),
            "number": _number,
            "percent": _percent,
            "flaws": flaws_of,
        }
        environment.tests["flawed"] = lambda counts: bool(flaws_of(counts))
        names = ("coverage", "results", "projection", "sign_in", "message")
        self._coverage, self._results, self._projection, self._sign_in, self._message = (environment.get_template(f"{name}.html") for name in names)

    def coverage(self, language: str, page: Page) -> str:
        """A scope's page."""
        return self._coverage.render(lang=language, t=self.texts[language], page=page, total=page.total, counts=page.total.counts)

    def results(self, language: str, page: ResultsPage) -> str:
        """Results by level."""
        return self._results.render(lang=language, t=self.texts[language], page=page)

    def projection(self, language: str, outlook: Outlook, viewer: Viewer, as_of: datetime) -> str:
        """Enrolment of coming years."""
        return self._projection.render(lang=language, t=self.texts[language], outlook=outlook, grid=projection_grid(outlook), viewer=viewer, as_of=as_of)

    def sign_in(self, language: str, *, refused: bool = False) -> str:
        """Where a token is given."""
        return self._sign_in.render(lang=language, t=self.texts[language], refused=refused)

    def message(self, language: str, what: str) -> str:
        """Why there is nothing to see."""
        return self._message.render(lang=language, t=self.texts[language], what=what)


def share(counts: dict[str, int], step: str) -> float:
    """Of those enrolled, from 0 to 1."""
    enrolled = counts.get("enrolled", 0)
    return counts.get(step, 0) / enrolled if enrolled else 0.0


def reasons_of(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Reasons for what is missing, the most frequent first."""
    found = [(measure.removeprefix(REASON_PREFIX), count) for measure, count in counts.items() if measure.startswith(REASON_PREFIX) and count]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def exported(page: Page, form: str, texts: dict[str, Any]) -> web.Response:
    """The table that is seen, as a file."""
    headings = [texts["columns"]["id"], texts["columns"]["name"], *(texts["steps"][step] for step in STEPS), texts["columns"]["missing"]]
    if page.level is Level.CLASS:
        headings = [texts["columns"]["pupil"], texts["columns"]["reason"], texts["columns"]["who"], texts["columns"]["since"]]
        rows: list[list[Cell]] = [
            [m.pupil_id, texts["reasons"].get(m.reason, m.reason), texts["who"].get(who_acts(m.reason), ""), m.since.isoformat() if m.since else ""]
            for m in page.missing or ()
        ]
    else:
        rows = [[_id_of(part), part.place.name, *(part.counts.get(step, 0) for step in STEPS), _missing(part)] for part in page.sorted_parts()]
    return downloaded(form, f"{page.level}-{page.year}", headings, rows)


def downloaded(form: str, name: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> web.Response:
    """A table as a file of the browser's."""
    disposition = f'attachment; filename="hocba-{_UNSAFE.sub("_", name)}.{form}"'
    return web.Response(body=table_file(form, "hocba", headings, rows), content_type=FORMATS[form], headers={"Content-Disposition": disposition})


def _id_of(part: Coverage) -> str:
    return part.place.class_id or part.place.school_id or part.place.province_id


def _missing(part: Coverage) -> int:
    return part.counts.get("enrolled", 0) - part.counts.get("archived", 0)


def _number(value: int, language: str) -> str:
    return f"{value:,}".replace(",", ".") if language == "vi" else f"{value:,}"


def _percent(value: float, language: str) -> str:
    # Never 100 % while anything is missing, nor 0 % once something is there.
    shown = min(max(round(value * 100, 1), 0.1 if value > 0 else 0.0), 100.0 if value >= 1 else 99.9)
    text = f"{shown:.1f}".removesuffix(".0")
    return (text.replace(".", ",") if language == "vi" else text) + " %"
