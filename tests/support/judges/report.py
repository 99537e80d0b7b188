"""What a judge says of a document, in the same words whoever the judge is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class SignatureReport:
    """One signature, oldest first; time stamps over the document aren't among them. What a judge can't tell is None, which is not the same as a no."""

    field: str
    valid: bool
    signer: str | None = None
    whole: bool | None = None
    """Whether it covers its revision from the first byte to the last, and leaves out nothing but its own container."""
    level: str | None = None
    """PAdES level as it stands in the document: B-B, B-T, B-LT or B-LTA."""
    permissions: str | None = None
    """What it certifies and locks, in the judge's words: whoever reads it differently is not of the same mind about later changes."""
    conclusion: str | None = None
    """The judge's last word where it weighs more than validity: revocation and permissions, for instance."""


@dataclass(frozen=True)
class Report:
    """One judge on one document."""

    judge: str
    signatures: tuple[SignatureReport, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What the judge mentions without holding it against the document."""
    covered: bool | None = None
    """Whether the newest signature or time stamp covers the file to its end."""
    conforms_to: str | None = None
    """The PDF/A flavour that was checked and holds."""

    @property
    def accepts(self) -> bool:
        """Nothing to complain of."""
        return not self.problems and self.covered is not False and all(s.valid and s.whole is not False for s in self.signatures)

    def lines(self) -> list[str]:
        """The report as text, one finding per line: two documents are judged alike when these are equal."""
        found = []
        for s in self.signatures:
            facts = {"valid": s.valid, "whole": s.whole, "level": s.level, "by": s.signer, "permissions": s.permissions, "conclusion": s.conclusion}
            told = ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact is not None)
            found.append(f"{self.judge}: {s.field}: {told}")
        found += [f"{self.judge}: problem: {problem}" for problem in self.problems]
        found += [f"{self.judge}: remark: {remark}" for remark in self.remarks]
        found += [] if self.covered is None else [f"{self.judge}: signed to the end of the file: {self.covered}"]
        return [*found, f"{self.judge}: conforms to {self.conforms_to}"] if self.conforms_to else found


class Judge(Protocol):
    """A program or library that had no part in making the documents."""

    def __call__(self, files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
        """One report per file, in their order; `anchors` are the trusted root certificates as DER."""
        ...


def difference(one: Mapping[str, Report], other: Mapping[str, Report], names: tuple[str, str]) -> str:
    """A readable diff of what all judges say of two documents; empty when they are judged alike."""
    left, right = ([line for judge in sorted(reports) for line in reports[judge].lines()] for reports in (one, other))
    return "\n".join(difflib.unified_diff(left, right, *names, lineterm=""))
