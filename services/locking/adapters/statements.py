"""The named statements of locking, and what they say about time and places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.chassis.database import Queries
from services.locking.domain.scope import Place

SQL = Queries(Path(__file__).with_name("queries.sql"))


def place_of(row: Any) -> Place:
    return Place(row["class_id"], row["school_id"], row["province_id"], row["grade"], row["school_year"])
