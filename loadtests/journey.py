"""
From seal to archive, per transcript, out of the events alone.

The matcher is pure; `loadtests.observer` feeds it from Kafka. Both instants are the producers' own (`sealed_at` in
ClassSealed, `archived_at` in TranscriptsArchived), so what is measured is the journey and not the observer's reading speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.archive.v1 import events_pb2 as archive
from hocba.grading.v1 import events_pb2 as grading
from loadtests.goals import percentile

Version = tuple[str, int]
"""Transcript id and version: what is sealed once, issued once."""


@dataclass(slots=True)
class Journey:
    """Meets each sealed transcript version again at the archive's door. Events may repeat and come in any order."""

    sealed: dict[Version, datetime] = field(default_factory=dict)
    archived: dict[Version, datetime] = field(default_factory=dict)
    public_ids: dict[Version, str] = field(default_factory=dict)
    rejected: dict[Version, str] = field(default_factory=dict)
    waiting: dict[str, frozenset[str]] = field(default_factory=dict)
    register: dict[Version, set[int]] = field(default_factory=dict)

    def on_class_sealed(self, event: grading.ClassSealed) -> None:
        """Note each outcome that must now be signed and archived, and each pupil who waits."""
        for outcome in event.outcomes:
            version = (outcome.transcript.transcript_id, outcome.transcript.version)
            if not outcome.sealed:
                self.waiting[outcome.transcript.pupil_id] = frozenset(outcome.waiting_reasons)
            elif outcome.changed:
                self.waiting.pop(outcome.transcript.pupil_id, None)
                self.sealed.setdefault(version, instant(event.sealed_at))
                self.public_ids[version] = outcome.transcript.public_id

    def on_transcripts_archived(self, event: archive.TranscriptsArchived) -> None:
        """Note each admission; the first counts, and a second place in the register is one too many."""
        for entry in event.transcripts:
            version = (entry.transcript.transcript_id, entry.transcript.version)
            self.archived.setdefault(version, instant(event.archived_at))
            self.register.setdefault(version, set()).add(entry.register_index)

    def on_transcripts_rejected(self, event: archive.TranscriptsRejected) -> None:
        """Note each refusal with its reason."""
        for entry in event.transcripts:
            self.rejected[(entry.transcript.transcript_id, entry.transcript.version)] = entry.reason

    def seconds(self) -> list[float]:
        """Return the seconds from seal to archive of each version that has both, in the order of archiving."""
        both = sorted((at, version) for version, at in self.archived.items() if version in self.sealed)
        return [(at - self.sealed[version]).total_seconds() for at, version in both]

    def under_way(self) -> int:
        """Return how many sealed versions are neither archived nor refused yet."""
        return sum(1 for version in self.sealed if version not in self.archived and version not in self.rejected)

    def measures(self) -> dict[str, float]:
        """Return the figures of the journey; percentiles in seconds, NaN where nothing arrived."""
        seconds = self.seconds()
        found = {f"seal_to_archive.p{percent}_s": percentile(seconds, percent) for percent in (50, 90, 95, 99, 100)}
        found |= {
            "transcripts.sealed_ready": float(len(self.sealed)),
            "transcripts.archived": float(sum(1 for version in self.archived if version in self.sealed)),
            "transcripts.archived_unsealed": float(sum(1 for version in self.archived if version not in self.sealed)),
            "transcripts.archived_twice": float(sum(1 for places in self.register.values() if len(places) > 1)),
            "transcripts.rejected": float(len(self.rejected)),
            "transcripts.waiting": float(len(self.waiting)),
        }
        if seconds:
            arrivals = [at for version, at in self.archived.items() if version in self.sealed]
            span = (max(arrivals) - min(self.sealed.values())).total_seconds()
            found["transcripts.per_second"] = len(seconds) / span if span > 0 else float(len(seconds))
        return found


def instant(stamp: Timestamp) -> datetime:
    """Return an aware UTC datetime."""
    return stamp.ToDatetime(tzinfo=UTC)


def curve_of(seconds: Sequence[float], steps: int = 100) -> list[tuple[float, float]]:
    """Return the share of transcripts (0..1) that took at most x seconds, as points for a drawing."""
    if not seconds:
        return []
    ordered = sorted(seconds)
    return [(percentile(ordered, 100 * step / steps), step / steps) for step in range(1, steps + 1)]


def reasons(waiting: Iterable[frozenset[str]]) -> dict[str, int]:
    """Return how many pupils wait for each reason."""
    counted: dict[str, int] = {}
    for codes in waiting:
        for code in codes:
            counted[code] = counted.get(code, 0) + 1
    return counted
