"""Sealing a class: an outcome per pupil, SEALED with a version and a digest, or WAITING with reasons.

A class never waits for one pupil. A re-seal compares contents under the version, public id and salt of before: equal
means that nothing happened to this pupil, and everything about the earlier version stays; different means the next
version, with a new public id and salt. What merely surrounds the pupil (who is principal, how the school is called,
who teaches) is compared as it was: a new principal in August must not make a whole class be signed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.readiness import reasons_to_wait
from services.grading.domain.record import Transcript, canonical, digest_of
from services.grading.domain.writing import Surroundings, write_record


class Dice(Protocol):
    """Where randomness comes from: 128 bits each, the id in base32 without padding, the salt in hexadecimal."""

    def public_id(self) -> str:
        """A new random public id."""
        ...

    def salt(self) -> str:
        """A new random salt."""
        ...


@dataclass(frozen=True, slots=True)
class SealedVersion:
    """One sealed version of a pupil's transcript; `content` is the canonical record."""

    transcript_id: str
    version: int
    public_id: str
    salt: str
    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What sealing came to for one pupil: `sealed` is None while the pupil waits."""

    pupil_id: str
    transcript_id: str
    sealed: SealedVersion | None
    reasons: tuple[str, ...]
    changed: bool
    corrections: int


def seal_pupil(year: PupilYear, around: Surroundings, transcript_id: str, previous: SealedVersion | None, dice: Dice) -> Outcome:
    """Seal one pupil's year if it is ready; the previous version is returned as it is when nothing changed."""
    corrections = sum(year.corrections.values())
    if reasons := reasons_to_wait(year):
        return Outcome(year.pupil_id, transcript_id, None, tuple(reasons), changed=False, corrections=corrections)
    if previous is not None and digest_of(_as_before(year, around, previous)) == previous.digest:
        return Outcome(year.pupil_id, transcript_id, previous, (), changed=False, corrections=corrections)
    version = previous.version + 1 if previous else 1
    fresh: Transcript = {
        "id": transcript_id,
        "version": version,
        "supersedes": previous.version if previous else None,
        "public_id": dice.public_id(),
        "salt": dice.salt(),
    }
    content = _write(year, around, fresh)
    sealed = SealedVersion(transcript_id, version, fresh["public_id"], fresh["salt"], digest_of(content), content)
    return Outcome(year.pupil_id, transcript_id, sealed, (), changed=True, corrections=corrections)


def class_digest(outcomes: Iterable[Outcome]) -> bytes:
    """SHA-256 over the sorted lines "pupil version digest" of the sealed pupils; 32 bytes."""
    lines = sorted(f"{outcome.pupil_id} {outcome.sealed.version} {outcome.sealed.digest.hex()}\n" for outcome in outcomes if outcome.sealed)
    return hashlib.sha256("".join(lines).encode()).digest()


def _naming(previous: SealedVersion) -> Transcript:
    return {
        "id": previous.transcript_id,
        "version": previous.version,
        "supersedes": previous.version - 1 if previous.version > 1 else None,
        "public_id": previous.public_id,
        "salt": previous.salt,
    }


def _as_before(year: PupilYear, around: Surroundings, previous: SealedVersion) -> bytes:
    before: Any = json.loads(previous.content)
    now: Any = write_record(year, around, _naming(previous))
    for part in ("school", "school_class", "history", "rule_set"):
        now[part] = before[part]
    for row, row_before in zip(now["subjects"], before["subjects"], strict=False):
        if row["code"] == row_before["code"]:
            row["teachers"] = row_before["teachers"]
    return canonical(now)


def _write(year: PupilYear, around: Surroundings, transcript: Transcript) -> bytes:
    return canonical(write_record(year, around, transcript))
