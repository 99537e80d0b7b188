"""The tables by which records become XML: part of the contract, since others read that XML too."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from services.signing.domain.record_xml import Line, Table


@lru_cache(maxsize=4)
def record_table(version: str = "v1") -> Table:
    """The table of this version."""
    told = json.loads((files("hocba") / "record_xml" / f"{version}.json").read_bytes())
    return Table(told["namespace"], told["root"], [Line(*line) for line in told["lines"]])
