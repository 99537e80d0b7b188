"""Reads the catalogue of provinces that is shipped with the service."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from services.enrollment.domain.provinces import Catalogue, Kind, Province, Style


@lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """Give the catalogue of `provinces.toml`; a contradiction in it stops the start, not a request."""
    text = resources.files(__package__).joinpath("provinces.toml").read_text(encoding="utf-8")
    return parse_catalogue(tomllib.loads(text))


def parse_catalogue(document: dict[str, Any]) -> Catalogue:
    """Build the catalogue from a parsed TOML document of the shape of `provinces.toml`."""
    periods: dict[str, tuple[date, date | None]] = {name: (period["valid_from"], period.get("valid_to")) for name, period in document["catalogues"].items()}
    return Catalogue(_province(row, *periods[row["catalogue"]]) for row in document["provinces"])


def _province(row: dict[str, Any], valid_from: date, valid_to: date | None) -> Province:
    first = Style(valid_from, row["name"], Kind(row["kind"]))
    later = [Style(s["valid_from"], s["name"], Kind(s["kind"])) for s in row.get("styles", [])]
    return Province(
        catalogue=row["catalogue"],
        code=row["code"],
        styles=(first, *sorted(later, key=lambda s: s.valid_from)),
        valid_from=valid_from,
        valid_to=valid_to,
        successor_id=row.get("successor"),
    )
