"""What a human approves: the exact list of transcripts, versions, contents, forms and pages (design, decision 6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.signing.domain.merkle import merkle_root


class ManifestState(StrEnum):
    """Life of a manifest. A halted or rejected one never signs again; the pupils come back in a new manifest."""

    READY = "ready"
    COMPLETED = "completed"
    HALTED = "halted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line: this content, in this form, as exactly this unsigned page."""

    transcript_id: str
    version: int
    content_digest: bytes
    template_version: str
    template_digest: bytes
    body_digest: bytes

    def canonical(self) -> bytes:
        """The line as signed for: JSON with sorted keys, digests in hex."""
        return json.dumps(
            {
                "transcript_id": self.transcript_id,
                "version": self.version,
                "content_digest": self.content_digest.hex(),
                "template_version": self.template_version,
                "template_digest": self.template_digest.hex(),
                "body_digest": self.body_digest.hex(),
            },
            sort_keys=True,
            separators=(",", ":"),
        ).encode()


@dataclass(frozen=True, slots=True)
class ManifestList:
    """The canonical list: sorted by transcript, never empty, one line per transcript."""

    entries: tuple[Entry, ...]

    @property
    def root(self) -> bytes:
        """Merkle root over the lines; an approval names this."""
        return merkle_root([entry.canonical() for entry in self.entries])


def list_of(entries: Sequence[Entry]) -> ManifestList:
    """Put entries into canonical order; two lines for one transcript, or none at all, are a mistake of the caller."""
    if not entries:
        raise ValueError("a manifest needs at least one transcript")
    ordered = tuple(sorted(entries))
    if len({entry.transcript_id for entry in ordered}) != len(ordered):
        raise ValueError("a manifest names each transcript once")
    return ManifestList(ordered)
