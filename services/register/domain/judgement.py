"""
What the register asks of a batch: the one check that submission and `hocba conformance` share.

A finding about the batch refuses all of it and nothing is written. A finding about a record rejects that record alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import check_checkpoint, leads_to_root
from services.archive.domain.signed_note import KeyText, NoteError, NoteVerifier, read_note
from services.archive.domain.statement import Statement
from services.archive.domain.submission import (
    OPERATION_OF,
    Manifest,
    Operation,
    Outcome,
    Record,
    Result,
    SubmissionError,
    read_manifest,
    read_record,
)
from services.archive.domain.witness_policy import WitnessPolicy


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong. `record` is the place of a record in the manifest, None for the whole batch."""

    code: str
    detail: str
    record: int | None = None


class BatchRefused(Exception):
    """The whole batch is refused; nothing of it counts."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.finding = Finding(code, detail)


@dataclass(frozen=True, slots=True)
class Proven:
    """A record that is proven to stand in the department's log."""

    record: Record
    statement: Statement


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that is whole: its checkpoint final, its counts right, each record proven or found wanting."""

    manifest: Manifest
    checkpoint: Checkpoint
    records: tuple[Proven | Finding, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What the register holds of a transcript: the highest revision, and the highest version that was not a withdrawal."""

    revision: int
    version: int


def examine(data: bytes, policy: WitnessPolicy, verifier_of: Callable[[KeyText], NoteVerifier]) -> Batch:
    """Everything that can be asked of a manifest without the register's tables. Raises BatchRefused."""
    manifest = parsed(data)
    checkpoint = final(manifest, policy, verifier_of)
    if difference := miscounted(manifest):
        raise BatchRefused("counts_differ", difference)
    return Batch(manifest, checkpoint, proven(manifest, checkpoint))


def parsed(data: bytes) -> Manifest:
    """The manifest; BatchRefused when its envelope isn't of the published form."""
    try:
        return read_manifest(data)
    except SubmissionError as error:
        raise BatchRefused("malformed", str(error)) from error


def final(manifest: Manifest, policy: WitnessPolicy, verifier_of: Callable[[KeyText], NoteVerifier]) -> Checkpoint:
    """The checkpoint of the batch; BatchRefused when it isn't final by the policy of the department's log."""
    try:
        return check_checkpoint(read_note(manifest.checkpoint), policy, verifier_of)[0]
    except NoteError as error:
        raise BatchRefused("checkpoint_not_final", str(error)) from error


def miscounted(manifest: Manifest) -> str:
    """Where the announced counts by school differ from the records; empty when they don't. Unsound records count too, or one would sink its batch."""
    sent = Counter(_school_of(told) for told in manifest.records)
    differing = sorted(school for school in {*sent, *manifest.schools} if sent[school] != manifest.schools.get(school, 0))
    if not differing:
        return ""
    first = differing[0]
    return f"{len(differing)} schools differ; {first or 'records without a school'}: announced {manifest.schools.get(first, 0)}, sent {sent[first]}"


def proven(manifest: Manifest, checkpoint: Checkpoint) -> tuple[Proven | Finding, ...]:
    """Each record, proven to stand below the checkpoint or found wanting."""
    seen: set[tuple[str, int]] = set()
    documents: set[bytes] = set()
    found: list[Proven | Finding] = []
    for place, told in enumerate(manifest.records):
        one = _examined(place, told, manifest.hashes, checkpoint)
        found.append(_unrepeated(place, one, seen, documents) if isinstance(one, Proven) else one)
    return tuple(found)


def _examined(place: int, told: object, hashes: Sequence[bytes], checkpoint: Checkpoint) -> Proven | Finding:
    try:
        record = read_record(told, hashes)
    except SubmissionError as error:
        return Finding("malformed", str(error), place)
    try:
        statement = Statement.read(record.statement)
    except (ValueError, OverflowError, OSError):
        return Finding("statement_unreadable", "the nine lines of hocba/leaf/1, each ended", place)
    if OPERATION_OF.get(statement.kind) is not record.operation:
        return Finding("operation_differs", f"the record says {record.operation}, the statement {statement.kind}", place)
    if record.index >= checkpoint.size or not leads_to_root(record.statement, record.index, checkpoint, record.path):
        return Finding("proof_broken", f"no path from leaf {record.index} to the root over {checkpoint.size} leaves", place)
    if record.operation is not Operation.CANCEL and record.personal_number is None and record.ministry_code is None:
        return Finding("pupil_unnamed", "neither personal_number nor ministry_code", place)
    return Proven(record, statement)


def _unrepeated(place: int, one: Proven, seen: set[tuple[str, int]], documents: set[bytes]) -> Proven | Finding:
    key = (one.record.transcript_id, one.record.revision)
    if key in seen:
        return Finding("duplicate", f"revision {one.record.revision} of this transcript stands twice", place)
    seen.add(key)
    if one.record.operation is not Operation.CANCEL:
        if one.statement.sha256 in documents:
            return Finding("duplicate", "its document stands twice", place)
        documents.add(one.statement.sha256)
    return one


def _school_of(told: object) -> str:
    statement = told.get("statement") if isinstance(told, dict) else None
    lines = statement.split("\n") if isinstance(statement, str) else []
    return lines[7] if len(lines) > 7 else ""


def decide(records: Iterable[Proven | Finding], held: Mapping[str, Held], documents: Mapping[bytes, str]) -> list[Outcome]:
    """What becomes of each record: only what is above its transcript's held state is applied.

    `documents` leads from the SHA-256 of each document that the register holds of the department to its transcript.
    """
    now, known, outcomes = dict(held), dict(documents), []
    for one in records:
        if isinstance(one, Finding):
            outcomes.append(Outcome(Result.REJECTED, one.code, one.detail))
            continue
        record, statement = one.record, one.statement
        last = now.get(record.transcript_id, Held(0, 0))
        withdrawal = record.operation is Operation.CANCEL
        if record.revision <= last.revision:
            outcomes.append(Outcome(Result.IGNORED, "revision_not_above", f"the register holds revision {last.revision}"))
        elif withdrawal and known.get(statement.sha256) != record.transcript_id:
            outcomes.append(Outcome(Result.REJECTED, "document_unknown", "the register holds no such document of this transcript"))
        elif not withdrawal and statement.version <= last.version:
            outcomes.append(Outcome(Result.REJECTED, "version_not_above", f"the register holds version {last.version}"))
        elif not withdrawal and statement.sha256 in known:
            outcomes.append(Outcome(Result.REJECTED, "document_held", "the register holds this document as another version"))
        else:
            now[record.transcript_id] = Held(record.revision, last.version if withdrawal else statement.version)
            if not withdrawal:
                known[statement.sha256] = record.transcript_id
            outcomes.append(Outcome(Result.APPLIED))
    return outcomes


def applied(batch: Batch, outcomes: Sequence[Outcome]) -> list[Proven]:
    """The records that were applied."""
    pairs = zip(batch.records, outcomes, strict=True)
    return [one for one, outcome in pairs if isinstance(one, Proven) and outcome.result is Result.APPLIED]
