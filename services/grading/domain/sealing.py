"""Sealing a class: an outcome per pupil, SEALED with a version and a digest, or WAITING with reasons.

A class never waits for one pupil. A re-seal compares contents under the version, public id and salt of before: equal
means that nothing happened to this pupil, and everything about the earlier version stays; different means the next
version, with a new public id and salt. What merely surrounds the pupil (who is principal, how the school is called,
who teaches) is compared as it was: a new principal in August must not make a whole class be signed again.
Where the subject teachers sign, new and changed rows go into new versions of the class-subject sheets (`class_sheets.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.grading.domain.class_sheets import Line, SheetDice, SheetVersion, sheet_id_of, sheets_in_force, write_sheet
from services.grading.domain.pupil_year import PupilYear
from services.grading.domain.readiness import reasons_to_wait
from services.grading.domain.record import SheetProof, Transcript, canonical, digest_of
from services.grading.domain.writing import Surroundings, write_record


class Dice(SheetDice, Protocol):
    """Where randomness comes from: 128 bits each, the id in base32 without padding, the salt in hexadecimal."""

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pupil of the class that is being sealed, with the version of before."""

    year: PupilYear
    around: Surroundings
    transcript_id: str
    previous: SealedVersion | None


@dataclass(frozen=True, slots=True)
class SheetBook:
    """The class's sheets so far, and who is responsible for each subject now; `fallback` signs where nobody is."""

    known: Sequence[SheetVersion] = ()
    responsible: Mapping[str, str] = field(default_factory=dict)
    fallback: str = ""

    def next_version(self, sheet_id: str) -> int:
        """The version that a new sheet of this id gets."""
        return 1 + max((sheet.version for sheet in self.known if sheet.sheet_id == sheet_id), default=0)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A record on its way: `outcome` is there when the record stays as it was; else rows without `sheet` want one."""

    candidate: Candidate
    record: dict[str, Any]
    corrections: int
    outcome: Outcome | None = None

    @property
    def proofs(self) -> list[SheetProof]:
        return [row["sheet"] for row in self.record["subjects"] if "sheet" in row]


def seal_pupils(candidates: Iterable[Candidate], book: SheetBook, dice: Dice) -> tuple[list[Outcome], list[SheetVersion]]:
    """Seal a class: an outcome per pupil in their order, and every sheet that the sealed records name.

    A pupil whose content is unchanged keeps the version of before, and an unchanged row the proof it had.
    """
    drafts = [_draft(candidate) for candidate in candidates]
    written = [draft for draft in drafts if isinstance(draft, _Draft)]
    fresh = _write_sheets([draft for draft in written if draft.outcome is None], book, dice)
    outcomes = [draft if isinstance(draft, Outcome) else draft.outcome or _sealed(draft, dice) for draft in drafts]
    named = [proof for draft in written for proof in draft.proofs]
    return outcomes, sheets_in_force([*book.known, *fresh], named, book.responsible)


def _draft(candidate: Candidate) -> Outcome | _Draft:
    year, previous = candidate.year, candidate.previous
    corrections = sum(year.corrections.values())
    if reasons := reasons_to_wait(year):
        return Outcome(year.pupil_id, candidate.transcript_id, None, tuple(reasons), changed=False, corrections=corrections)
    if previous is None:
        return _Draft(candidate, _written(candidate, _first_name(candidate.transcript_id)), corrections)
    before: dict[str, Any] = json.loads(previous.content)
    as_before = _as_before(candidate, before)
    if digest_of(canonical(as_before)) == previous.digest:
        kept = Outcome(year.pupil_id, candidate.transcript_id, previous, (), changed=False, corrections=corrections)
        return _Draft(candidate, before, corrections, kept)
    record = _written(candidate, _next_name(previous))
    _keep_proven_rows(record, as_before, before)
    return _Draft(candidate, record, corrections)


def _keep_proven_rows(record: dict[str, Any], as_before: dict[str, Any], before: dict[str, Any]) -> None:
    """Rows that say what they said stay to the letter, teachers' names included, since that is what their sheet holds."""
    if record["pupil"]["name"] != before["pupil"]["name"]:
        return
    proven = {row["code"]: row for row in before["subjects"] if "sheet" in row}
    same = {row["code"] for row in as_before["subjects"] if row == proven.get(row["code"])}
    record["subjects"] = [proven[row["code"]] if row["code"] in same else row for row in record["subjects"]]


def _write_sheets(drafts: Sequence[_Draft], book: SheetBook, dice: Dice) -> list[SheetVersion]:
    """New sheet versions for all rows that want one, subject by subject; the proofs go into the drafts' rows."""
    made: list[SheetVersion] = []
    wanting: dict[str, list[tuple[_Draft, dict[str, Any]]]] = {}
    for draft in drafts:
        rules = draft.candidate.year.rules
        if rules.level.value in rules.switches.signed_sheet_levels:
            for row in draft.record["subjects"]:
                if row["taken"] and "sheet" not in row:
                    wanting.setdefault(row["code"], []).append((draft, row))
    for code, rows in wanting.items():
        record, first = rows[0][0].record, rows[0][1]
        head = {name: record[name] for name in ("level", "school_year", "school", "school_class")}
        subject = {"code": code, "name": first["name"], "mode": first["mode"], "teachers": first["teachers"]}
        lines = [Line(draft.candidate.transcript_id, draft.record["pupil"]["name"], row) for draft, row in rows]
        version = book.next_version(sheet_id_of(record["school_class"]["id"], code))
        sheet, proofs = write_sheet(head, subject, lines, version, book.responsible.get(code, book.fallback), dice)
        made.append(sheet)
        for (_, row), proof in zip(rows, proofs, strict=True):
            row["sheet"] = proof
    return made


def _sealed(draft: _Draft, dice: Dice) -> Outcome:
    year, transcript_id = draft.candidate.year, draft.candidate.transcript_id
    unnamed: Transcript = draft.record["transcript"]
    transcript: Transcript = {**unnamed, "public_id": dice.public_id(), "salt": dice.salt()}
    content = canonical({**draft.record, "transcript": transcript})
    version = SealedVersion(transcript_id, transcript["version"], transcript["public_id"], transcript["salt"], digest_of(content), content)
    return Outcome(year.pupil_id, transcript_id, version, (), changed=True, corrections=draft.corrections)


def class_digest(outcomes: Iterable[Outcome]) -> bytes:
    """SHA-256 over the sorted lines "pupil version digest" of the sealed pupils; 32 bytes."""
    lines = sorted(f"{outcome.pupil_id} {outcome.sealed.version} {outcome.sealed.digest.hex()}\n" for outcome in outcomes if outcome.sealed)
    return hashlib.sha256("".join(lines).encode()).digest()


def _first_name(transcript_id: str) -> Transcript:
    return {"id": transcript_id, "version": 1, "supersedes": None, "public_id": "", "salt": ""}


def _next_name(previous: SealedVersion) -> Transcript:
    return {"id": previous.transcript_id, "version": previous.version + 1, "supersedes": previous.version, "public_id": "", "salt": ""}


def _written(candidate: Candidate, transcript: Transcript) -> dict[str, Any]:
    record: Any = write_record(candidate.year, candidate.around, transcript)
    return dict(record)


def _as_before(candidate: Candidate, before: dict[str, Any]) -> dict[str, Any]:
    """The record as it would be now under the version and the surroundings of before."""
    now = _written(candidate, before["transcript"])
    for part in ("school", "school_class", "history", "rule_set"):
        now[part] = before[part]
    for row, row_before in zip(now["subjects"], before["subjects"], strict=False):
        if row["code"] == row_before["code"]:
            row["teachers"] = row_before["teachers"]
            if "sheet" in row_before:
                row["sheet"] = row_before["sheet"]
    return now
