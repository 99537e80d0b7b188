"""The contract's table by which records become XML."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from services.archive.domain.record_xml import XmlTable


@lru_cache(maxsize=1)
def xml_table() -> XmlTable:
    """The table in force."""
    told = json.loads((files("hocba") / "record_xml" / "v1.json").read_bytes())
    return XmlTable(told["namespace"], told["root"], [(path, element, kind) for path, element, kind in told["lines"]])
