"""What is known beside the pupils: schools' names, how far sheets are filled, unlocks under way."""

from dataclasses import dataclass

CLOSED_UNLOCK_STATES = frozenset(("refused", "resealed", "sealed", "cancelled", "lapsed"))
"""States after which an unlock needs nobody any more."""


@dataclass(frozen=True, slots=True)
class School:
    """A school as enrollment registered it."""

    school_id: str
    version: int
    name: str
    province_id: str
    province_name: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """How far a sheet is filled; an empty subject is the homeroom sheet."""

    class_id: str
    subject: str
    term: int
    version: int
    expected: int
    filled: int


@dataclass(frozen=True, slots=True)
class Unlock:
    """Where an unlock of a class stands."""

    unlock_id: str
    class_id: str
    version: int
    state: str
    moved_at: str
    """RFC 3339, UTC."""
