"""
What a department submits to the national register, and the receipt that it gets.

A manifest is one JSON object of the form `hocba-submission/1` (published as protos/hocba/register/v1/submission.schema.json). What is signed
and what names a batch are its bytes as they are, so any way to write JSON is good. A record says of a document only what its statement in
the log doesn't say already; all records stand below one final checkpoint, and the hashes of their paths are shared.
"""

import base64
import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from services.archive.domain.merkle import HASH_BYTES, LONGEST_PATH
from services.archive.domain.statement import Kind, Statement

FORM = "hocba-submission/1"
MOST_RECORDS = 10_000
LARGEST_MANIFEST = 64 << 20
RECEIPT_FORM = "hocba/receipt/1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_WORD = re.compile(r"[!-~]{1,128}", re.ASCII)
_NUMBER = re.compile(r"\d{12}", re.ASCII)
_CODE = re.compile(r"[0-9A-Za-z.-]{1,35}", re.ASCII)
_PLACE = re.compile(r"(?:https|grpcs)://[!-~]{1,500}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
LEVELS = ("PRIMARY", "LOWER_SECONDARY", "UPPER_SECONDARY")


class Operation(StrEnum):
    """What a record does: `sukien` of the national dictionary."""

    NEW = "NEW"
    UPDATE = "UPDATE"
    CANCEL = "CANCEL"


OPERATION_OF = {Kind.ISSUE: Operation.NEW, Kind.SUPERSEDE: Operation.UPDATE, Kind.REVOKE: Operation.CANCEL}
"""The kind of statement that proves each operation; other kinds aren't submitted."""


class SubmissionError(ValueError):
    """It isn't what the published schema asks for; says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one transcript, or its withdrawal."""

    operation: Operation
    transcript_id: str
    revision: int
    """`phienban`: rises with each record that the department sends of a transcript; the register applies only higher ones."""
    school_year: int
    level: str
    personal_number: str | None
    """Twelve digits; None for a pupil who has none."""
    ministry_code: str | None
    fetch: str
    """URL at the department where those who may see it find the document."""
    statement: bytes
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A batch whose envelope is well formed. Its records are read one by one, since a bad one doesn't sink the others."""

    department: str
    made_at: datetime
    checkpoint: bytes
    """Signed note of the department's log."""
    schools: Mapping[str, int]
    """How many records each school has, by the id that the statements name."""
    hashes: tuple[bytes, ...]
    records: tuple[Any, ...]
    """As they stand in the JSON; `read_record` reads each."""


def write_manifest(department: str, made_at: datetime, checkpoint: bytes, records: Sequence[Record]) -> bytes:
    """The manifest's bytes; the same for the same batch, so that a repeat is recognised."""
    places: dict[bytes, int] = {}
    told = [
        {
            "operation": one.operation.value,
            "transcript": one.transcript_id,
            "revision": one.revision,
            "school_year": one.school_year,
            "level": one.level,
            "personal_number": one.personal_number,
            "ministry_code": one.ministry_code,
            "fetch": one.fetch,
            "statement": one.statement.decode("ascii"),
            "index": one.index,
            "path": [places.setdefault(node, len(places)) for node in one.path],
        }
        for one in records
    ]
    whole = {
        "format": FORM,
        "department": department,
        "made_at": made_at.astimezone(UTC).strftime(_TIME),
        "checkpoint": checkpoint.decode(),
        "schools": Counter(Statement.read(one.statement).school_id for one in records),
        "hashes": [base64.b64encode(node).decode() for node in places],
        "records": told,
    }
    return _json(whole)


def read_manifest(data: bytes) -> Manifest:
    """The manifest in these bytes; SubmissionError says where its envelope is wrong."""
    if len(data) > LARGEST_MANIFEST:
        raise SubmissionError(f"a manifest has at most {LARGEST_MANIFEST} bytes, this one has {len(data)}: send several batches")
    try:
        told = json.loads(data.decode(), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"not JSON in UTF-8: {error}") from error
    fields = ("format", "department", "made_at", "checkpoint", "schools", "hashes", "records")
    envelope = _object(told, "the manifest", fields)
    if envelope["format"] != FORM:
        raise SubmissionError(f"format: {FORM} is what this register reads")
    records, hashes, schools = envelope["records"], envelope["hashes"], envelope["schools"]
    if not isinstance(records, list) or not 1 <= len(records) <= MOST_RECORDS:
        raise SubmissionError(f"records: a list of 1 to {MOST_RECORDS}")
    if not isinstance(hashes, list):
        raise SubmissionError("hashes: a list of base64 texts")
    if not isinstance(schools, dict) or not all(isinstance(count, int) and not isinstance(count, bool) and count > 0 for count in schools.values()):
        raise SubmissionError("schools: an object of whole numbers above 0, one a school")
    return Manifest(
        department=_text(envelope["department"], _WORD, "department", "up to 128 ASCII letters without spaces"),
        made_at=_time(envelope["made_at"]),
        checkpoint=_any_text(envelope["checkpoint"], "checkpoint").encode(),
        schools=schools,
        hashes=tuple(_hash(node, f"hashes[{place}]") for place, node in enumerate(hashes)),
        records=tuple(records),
    )


def read_record(told: object, hashes: Sequence[bytes]) -> Record:
    """One record; SubmissionError says which field is wrong."""
    fields = ("operation", "transcript", "revision", "school_year", "level", "personal_number", "ministry_code", "fetch", "statement", "index", "path")
    one = _object(told, "a record", fields)
    if one["operation"] not in list(Operation):
        raise SubmissionError(f"operation: one of {', '.join(Operation)}")
    if one["level"] not in LEVELS:
        raise SubmissionError(f"level: one of {', '.join(LEVELS)}")
    path = one["path"]
    if not isinstance(path, list) or len(path) > LONGEST_PATH:
        raise SubmissionError(f"path: a list of at most {LONGEST_PATH} places in `hashes`")
    try:
        nodes = tuple(hashes[_whole(place, "path", 0, len(hashes) - 1)] for place in path)
        statement = _any_text(one["statement"], "statement").encode("ascii")
    except UnicodeEncodeError as error:
        raise SubmissionError("statement: ASCII") from error
    return Record(
        operation=Operation(one["operation"]),
        transcript_id=_identifier(one["transcript"]),
        revision=_whole(one["revision"], "revision", 1, (1 << 63) - 1),
        school_year=_whole(one["school_year"], "school_year", 1900, 2999),
        level=one["level"],
        personal_number=None if one["personal_number"] is None else _text(one["personal_number"], _NUMBER, "personal_number", "twelve digits, or null"),
        ministry_code=None if one["ministry_code"] is None else _text(one["ministry_code"], _CODE, "ministry_code", "letters and digits, or null"),
        fetch=_text(one["fetch"], _PLACE, "fetch", "an address that begins with https:// or grpcs://"),
        statement=statement,
        index=_whole(one["index"], "index", 0, (1 << 62) - 1),
        path=nodes,
    )


class Result(StrEnum):
    """What became of a record."""

    APPLIED = "applied"
    IGNORED = "ignored"
    """It isn't above what the register holds; a repeat, or one that came late."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record's result, in the place that the record has in its manifest."""

    result: Result
    reason: str = ""
    """Stable code; empty when it was applied."""
    detail: str = ""


def write_results(outcomes: Sequence[Outcome]) -> bytes:
    """The file of results whose digest a receipt signs."""
    return _json([{"result": one.result.value, "reason": one.reason, "detail": one.detail} for one in outcomes])


def read_results(data: bytes) -> list[Outcome]:
    """The outcomes in a file of results; SubmissionError when it holds none."""
    try:
        return [Outcome(Result(one["result"]), str(one["reason"]), str(one["detail"])) for one in json.loads(data)]
    except (ValueError, KeyError, TypeError) as error:
        raise SubmissionError("no file of results") from error


@dataclass(frozen=True, slots=True)
class RegisterReceipt:
    """The text that the register signs (as a C2SP signed note, by its Ed25519 key): nine lines of ASCII without personal data."""

    register: str
    department: str
    manifest: bytes
    """SHA-256 of the manifest."""
    applied: int
    ignored: int
    rejected: int
    results: bytes
    """SHA-256 of the file of results."""
    at: datetime
    """To the second."""

    @classmethod
    def of(cls, register: str, department: str, manifest: bytes, outcomes: Sequence[Outcome], at: datetime) -> "RegisterReceipt":
        """The receipt for a manifest whose records had these outcomes."""
        count = Counter(one.result for one in outcomes)
        results = hashlib.sha256(write_results(outcomes)).digest()
        numbers = (count[Result.APPLIED], count[Result.IGNORED], count[Result.REJECTED])
        return cls(register, department, hashlib.sha256(manifest).digest(), *numbers, results, at.replace(microsecond=0))

    @property
    def text(self) -> str:
        """What is signed."""
        counts = (str(self.applied), str(self.ignored), str(self.rejected))
        lines = (RECEIPT_FORM, self.register, self.department, self.manifest.hex(), *counts, self.results.hex(), str(int(self.at.timestamp())))
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def read(cls, text: str) -> "RegisterReceipt":
        """The receipt in a note's text; SubmissionError when it is none."""
        try:
            form, register, department, manifest, applied, ignored, rejected, results, at = text.removesuffix("\n").split("\n")
            if form != RECEIPT_FORM or not _HASH.fullmatch(manifest) or not _HASH.fullmatch(results):
                raise ValueError(form)
            counts = (int(applied), int(ignored), int(rejected))
            found = cls(register, department, bytes.fromhex(manifest), *counts, bytes.fromhex(results), datetime.fromtimestamp(int(at), UTC))
        except (ValueError, OverflowError) as error:
            raise SubmissionError("no receipt of a register") from error
        if found.text != text:
            raise SubmissionError("a receipt that isn't written in the one way there is")
        return found


def _json(told: object) -> bytes:
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers could take one of them each.
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return dict(pairs)


def _no_float(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no whole number")


def _object(told: object, what: str, fields: Sequence[str]) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise SubmissionError(f"{what} is a JSON object")
    missing, unknown = [name for name in fields if name not in told], sorted(set(told) - set(fields))
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(unknown)[:100]}"] * bool(unknown)
        raise SubmissionError(f"{what} {' and '.join(parts)}")
    return told


def _any_text(told: object, where: str) -> str:
    if not isinstance(told, str):
        raise SubmissionError(f"{where}: a text")
    try:
        told.encode()
    except UnicodeEncodeError as error:
        raise SubmissionError(f"{where}: half a character") from error
    return told


def _text(told: object, form: re.Pattern[str], where: str, expected: str) -> str:
    if not isinstance(told, str) or not form.fullmatch(told):
        raise SubmissionError(f"{where}: {expected}")
    return told


def _whole(told: object, where: str, least: int, most: int) -> int:
    if not isinstance(told, int) or isinstance(told, bool) or not least <= told <= most:
        raise SubmissionError(f"{where}: a whole number from {least} to {most}")
    return told


def _hash(told: object, where: str) -> bytes:
    try:
        found = base64.b64decode(told, validate=True) if isinstance(told, str) else b""
    except ValueError:
        found = b""
    if len(found) != HASH_BYTES:
        raise SubmissionError(f"{where}: {HASH_BYTES} bytes in base64")
    return found


def _identifier(told: object) -> str:
    try:
        if isinstance(told, str) and str(uuid.UUID(told)) == told:
            return told
    except ValueError:
        pass
    raise SubmissionError("transcript: a UUID in lower case with hyphens")


def _time(told: object) -> datetime:
    try:
        if isinstance(told, str):
            return datetime.strptime(told, _TIME).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise SubmissionError("made_at: UTC to the second, as 2026-06-30T17:00:00Z")
