"""What submitting to the national register needs of the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.application.ports import Location
from services.archive.domain.submission import Operation, Outcome, RegisterReceipt
from services.archive.domain.transcript import TranscriptRef


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The register's verified answer to a manifest."""

    receipt: RegisterReceipt
    note: bytes
    """The receipt as it was signed."""
    results: bytes
    outcomes: tuple[Outcome, ...]
    """One a record, in the manifest's order."""


@dataclass(frozen=True, slots=True)
class Submittable:
    """An archived version, or its revocation, with its place in the log."""

    leaf_id: int
    """Number of the admission or revocation: rises with all that is said of a transcript, so it is the record's revision."""
    operation: Operation
    index: int
    statement: bytes
    ref: TranscriptRef
    class_id: str
    school_id: str
    school_year: int
    level: str
    place: Location


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was decided on: everything from which its manifest follows, so that a repeat makes the same bytes."""

    batch_id: int
    province_id: str
    first_index: int
    end_index: int
    """Leaves [first_index, end_index) of the log, as far as they are this province's transcripts."""
    size: int
    """Leaves below the checkpoint."""
    checkpoint: bytes
    made_at: datetime


class Submissions(Protocol):
    """The archive's record of what was submitted."""

    async def open(self, province_id: str, most: int, at: datetime) -> OpenBatch | None:
        """The batch that has no receipt yet, else a new one over the next leaves below the newest final checkpoint; None when nothing waits.

        What it holds is announced as submitted in the transaction that opens it.
        """
        ...

    async def records(self, batch: OpenBatch) -> Sequence[Submittable]:
        """The batch's versions in the log's order."""
        ...

    async def acknowledge(self, batch: OpenBatch, results: Sequence[tuple[Submittable, Outcome]], answer: Acknowledged) -> None:
        """Keep the receipt and announce what it says of each version; a repeat changes nothing."""
        ...

    async def waiting(self, province_id: str) -> int:
        """Versions that stand below a final checkpoint and have no receipt."""
        ...


class DepartmentKey(Protocol):
    """The department's approved certificate."""

    async def sign(self, manifest: bytes) -> bytes:
        """A detached signature (CAdES, DER)."""
        ...


class NationalRegister(Protocol):
    """The ministry's register."""

    async def submit(self, manifest: bytes, signature: bytes) -> Acknowledged:
        """The verified answer; see the adapter for what it raises."""
        ...


class PupilNumbers(Protocol):
    """Reads what a document says of its pupil."""

    def of(self, document: bytes) -> Mapping[str, str | None]:
        """`personal_number` and `ministry_code`, None for what the record doesn't have."""
        ...
