"""Which version may follow which: the rules of admission that need no look at the bytes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.archive.domain.class_sheets import Proof
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.transcript import SheetRef, TranscriptRef


@dataclass(frozen=True, slots=True)
class Held:
    """What the archive already holds of one transcript."""

    pupil_id: str
    school_year: int
    digests: Mapping[int, bytes]
    """SHA-256 of the document by version."""

    @property
    def last(self) -> int:
        """The highest admitted version."""
        return max(self.digests)


@dataclass(frozen=True, slots=True)
class Admit:
    """The version is admitted: it supersedes `supersedes` (0: none), and the versions in `skipped` were never issued."""

    supersedes: int
    skipped: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Already:
    """The very same document was admitted before: a repeat, nothing to do."""


Decision = Admit | Already | Finding


def decide(ref: TranscriptRef, school_year: int, sha256: bytes, held: Held | None) -> Decision:
    """Admit a version above the last admitted one, know a repeat, refuse everything else with its reason."""
    if held is None:
        return Admit(0, tuple(range(1, ref.version)))
    if (held.pupil_id, held.school_year) != (ref.pupil_id, school_year):
        return Finding(Reason.IDENTITY_CONTRADICTS, "the transcript id was admitted for another pupil or school year")
    known = held.digests.get(ref.version)
    if known is not None:
        if known == sha256:
            return Already()
        return Finding(Reason.VERSION_CONTRADICTS, f"version {ref.version} was admitted as {known.hex()}")
    if ref.version < held.last:
        return Finding(Reason.VERSION_NOT_ABOVE, f"version {ref.version} came after version {held.last} was admitted")
    return Admit(held.last, tuple(range(held.last + 1, ref.version)))


def decide_sheet(ref: SheetRef, sha256: bytes, held: Mapping[tuple[str, int], bytes]) -> Decision:
    """A sheet's versions stand side by side, since each holds other rows: any of them is admitted once, in whatever order."""
    known = held.get((ref.sheet_id, ref.version))
    if known is None:
        return Admit(0, ())
    return Already() if known == sha256 else Finding(Reason.VERSION_CONTRADICTS, f"version {ref.version} was admitted as {known.hex()}")


def standing(proofs: Iterable[Proof], roots: Mapping[tuple[str, int], bytes]) -> Finding | None:
    """Whether the sheets that a transcript's rows stand in are admitted with the very roots of its proofs."""
    for proof in proofs:
        root = roots.get((proof.sheet_id, proof.version))
        if root is None:
            return Finding(Reason.WAITING_FOR_SHEET, f"sheet {proof.sheet_id} version {proof.version} of {proof.subject} isn't archived yet")
        if root != proof.root:
            return Finding(Reason.SHEET_DIFFERS, f"sheet {proof.sheet_id} version {proof.version} of {proof.subject} was archived with root {root.hex()}")
    return None
