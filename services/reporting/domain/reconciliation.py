"""What a comparison of all stores has found: locked = intended = signed = archived = leaves of the log = reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What is known of a discrepancy."""

    LOST = "lost"
    """Nothing explains it: somebody must look."""
    PARKED = "parked"
    """The reader has put a record of the class aside; it is applied once its cause is mended."""
    IN_FLIGHT = "in_flight"
    """It is on its way: young, in an outbox, not yet read, with a worker, or waiting for its place in the log."""


@dataclass(frozen=True, slots=True, order=True)
class Discrepancy:
    """A version of a pupil's transcript that one store has and the next hasn't, or the other way round."""

    name: str
    """Such as `signed_not_archived`; services/audit/README.md lists them."""
    state: State
    why: str
    """What tells that it is in flight or parked; "" when lost."""
    province_id: str
    school_id: str
    class_id: str
    pupil_id: str
    """Empty where no store knows the pupil, or where the discrepancy is a whole class's."""
    school_year: int
    version: int
    since: datetime | None
    """When it reached the store that has it."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One comparison."""

    run_id: str
    taken_at: datetime
    province_id: str
    """Empty: all of them."""
    school_id: str
    seconds: float
    versions: int
    """Sealed versions that were looked at."""
    discrepancies: Sequence[Discrepancy]
