"""
Extracts (trích sao từ bản điện tử sang bản điện tử, decree 30/2020, articles 25 to 27): chosen parts of one archived record, certified as a copy is.

What is chosen stands in an extract as it stands in the record, to the letter: the part is the record with everything else left out, and its subjects
keep the proofs that lead to their class-subject sheets. An extract's words (`hocba.extract/1`) say nothing of the pupil; the part does, with a salt
of its own, so that no digest of it tells anything. The record's salt is never in it: who has an extract can't try out what was left out.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from services.archive.domain.class_sheets import UNREADABLE
from services.archive.domain.copies import canonical, said_of_copy
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.revocation import IssuedVersion

SCHEMA = "hocba.extract/1"
PART_SCHEMA = "hocba.part/1"
SUBJECTS = "subjects"
_ALWAYS = ("level", "school_year", "rule_set", "school", "school_class")
_OF_THE_PUPIL = ("name", "born_on")
_OF_THE_TRANSCRIPT = ("id", "public_id", "version")
_PARTS = {
    "pupil": ("pupil",),
    "history": ("history",),
    SUBJECTS: (SUBJECTS,),
    "corrections": ("corrections",),
    "qualities": ("qualities",),
    "competences": ("general_competences", "specific_competences"),
    # Results by a plan of the pupil's own are no others': one never goes without the other.
    "results": ("results", "individual_plan"),
    "awards": ("awards",),
    "comments": ("comments",),
    "completion": ("completion",),
}
"""What may be chosen, and which of the record's keys that is. Name and date of birth are in every extract; `pupil` is all else that is known."""


class NotInTheRecord(ValueError):
    """What was chosen isn't there; the message names what is."""


def choices(record: bytes) -> tuple[str, ...]:
    """All that may be chosen of a record, in the order of an extract: parts, and each subject as `subjects.<code>`."""
    told = json.loads(record)
    there = [part for part, keys in _PARTS.items() if any(told.get(key) is not None for key in keys)]
    each = [_one(row) for row in told[SUBJECTS]]
    return tuple(name for part in there for name in ((part, *each) if part == SUBJECTS else (part,)))


def chosen(record: bytes, wanted: Sequence[str]) -> tuple[str, ...]:
    """What is wanted, each once and in the order of an extract. NotInTheRecord when something isn't there, or nothing is wanted."""
    there = choices(record)
    unknown = sorted(set(wanted) - set(there))
    if unknown or not wanted:
        fault = f"this transcript has no {', '.join(unknown)}" if unknown else "an extract has at least one part"
        raise NotInTheRecord(f"{fault}; choose among {', '.join(there)}")
    return tuple(part for part in there if part in wanted and (SUBJECTS not in wanted or not part.startswith(f"{SUBJECTS}.")))


def part_of(record: bytes, parts: Sequence[str], copy_id: str) -> bytes:
    """The chosen parts, as canonical JSON: a record without the rest."""
    told = json.loads(record)
    keys = [key for part in parts for key in _PARTS.get(part, ())]
    part: dict[str, Any] = {key: told[key] for key in (*_ALWAYS, *keys) if key in told}
    if rows := [row for row in told[SUBJECTS] if _one(row) in parts]:
        part[SUBJECTS] = rows
    if "pupil" not in parts:
        part["pupil"] = {key: told["pupil"][key] for key in _OF_THE_PUPIL}
    part["transcript"] = {key: told["transcript"][key] for key in _OF_THE_TRANSCRIPT}
    salt = hmac.new(told["transcript"]["salt"].encode(), f"{PART_SCHEMA}/{copy_id}".encode(), hashlib.sha256).hexdigest()
    return canonical(part | {"schema": PART_SCHEMA, "salt": salt})


def content_of_extract(copy_id: str, public_id: str, number: str, source: IssuedVersion, record: bytes, parts: Sequence[str]) -> bytes:
    """What an extract says, as canonical JSON; `record` is the one attached to the original."""
    part = part_of(record, parts, copy_id)
    rows = len(json.loads(part).get(SUBJECTS, ()))
    every = [name for name in choices(record) if not name.startswith(f"{SUBJECTS}.")]
    left_out = [name for name in every if name not in parts and not (name == SUBJECTS and rows)]
    about = {
        "sha256": hashlib.sha256(part).hexdigest(),
        "parts": list(parts),
        "left_out": left_out,
        "subjects": {"chosen": rows, "all": len(json.loads(record)[SUBJECTS])},
    }
    said = said_of_copy(copy_id, public_id, number, source, record)
    said["original"]["content_digest"] = source.ref.content_digest.hex()
    return canonical(said | {"schema": SCHEMA, "part": about})


def part_findings(content: bytes, part: bytes | None) -> list[Finding]:
    """What is wrong with an extract's attached part: it is missing, or not the one that the extract names."""
    if part is None:
        return [Finding(Reason.RECORD_MISSING, "the extract's part isn't attached")]
    try:
        told, original = json.loads(content), json.loads(part)["transcript"]
        named, same = told["part"]["sha256"], {key: original[key] == told["original"][key] for key in ("public_id", "version")}
    except UNREADABLE:
        return [Finding(Reason.RECORD_DIFFERS, "the extract doesn't say what it is an extract of")]
    digest = hashlib.sha256(part).hexdigest()
    if digest != named:
        return [Finding(Reason.RECORD_DIFFERS, f"the attached part hashes to {digest}")]
    return [] if all(same.values()) else [Finding(Reason.RECORD_DIFFERS, "the attached part is of another transcript than the extract names")]


def compared(content: bytes, part: bytes | None, sha256: bytes, record: bytes | None) -> str:
    """Where an extract isn't what its original (SHA-256 and record) gives; empty when it is, to the byte."""
    try:
        told = json.loads(content)
        if told["original"]["sha256"] != sha256.hex():
            return "it is an extract of another file"
        made = part_of(record or b"null", told["part"]["parts"], told["copy"]["id"])
        if made == part:
            return ""
        ours, theirs = json.loads(made), json.loads(part or b"null")
        return f"not as in the original: {', '.join(sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))) or 'its bytes'}"
    except UNREADABLE as error:
        return f"it can't be compared: {type(error).__name__}"


def _one(row: dict[str, Any]) -> str:
    return f"{SUBJECTS}.{row['code']}"
