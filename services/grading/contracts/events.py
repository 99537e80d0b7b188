"""Grading's events, and the part of a seal's outcomes that answers and events share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2
from services.grading.application.ports import ClassFacts, Seal
from services.grading.domain.class_sheets import SheetVersion
from services.grading.domain.gradebook import Reopening
from services.grading.domain.sealing import Outcome, SealedVersion
from services.grading.domain.tally import Tally
from services.grading.domain.terms import Level, Term, level_of_grade

MESSAGE_BYTES = 512 * 1024
"""A class sealed with more content than this becomes several messages of one class version."""

_LEVELS = {
    Level.PRIMARY: common_pb2.LEVEL_PRIMARY,
    Level.LOWER_SECONDARY: common_pb2.LEVEL_LOWER_SECONDARY,
    Level.UPPER_SECONDARY: common_pb2.LEVEL_UPPER_SECONDARY,
}


def outcome_message(outcome: Outcome) -> events_pb2.PupilOutcome:
    """What sealing came to for one pupil: ids, versions, digests, codes."""
    sealed = outcome.sealed
    return events_pb2.PupilOutcome(
        transcript=common_pb2.TranscriptRef(
            transcript_id=outcome.transcript_id,
            pupil_id=outcome.pupil_id,
            version=sealed.version if sealed else 0,
            content_digest=sealed.digest if sealed else b"",
            public_id=sealed.public_id if sealed else "",
        ),
        sealed=sealed is not None,
        waiting_reasons=outcome.reasons,
        changed=outcome.changed,
        corrections=outcome.corrections,
    )


def wire_term(term: Term) -> common_pb2.Term.ValueType:
    """A teaching term."""
    return common_pb2.TERM_1 if term is Term.TERM_1 else common_pb2.TERM_2


def stamp(instant: datetime) -> Timestamp:
    """An instant, aware, as a Timestamp."""
    wire = Timestamp()
    wire.FromDatetime(instant)
    return wire


def sheet_saved(facts: ClassFacts, subject: str, term: Term, version: int, expected: int, filled: int) -> Message:
    """A sheet's counts, without any mark. The homeroom sheet goes by its own code."""
    return events_pb2.SheetSaved(
        class_id=facts.class_id,
        school_id=facts.school_id,
        province_id=facts.province_id,
        subject=subject,
        term=wire_term(term),
        version=version,
        expected=expected,
        filled=filled,
    )


def class_sealed(facts: ClassFacts, seal: Seal, now: datetime) -> list[tuple[events_pb2.ClassSealed, events_pb2.SealedRecords]]:
    """The seal as one message or, for a big class, several parts; contents apart, still to be encrypted."""
    parts = _parts([*seal.sheets, *seal.outcomes])
    return [
        (
            events_pb2.ClassSealed(
                class_id=facts.class_id,
                school_id=facts.school_id,
                province_id=facts.province_id,
                school_year=facts.school_year,
                grade=facts.grade,
                level=_LEVELS[level_of_grade(facts.grade)],
                class_version=seal.class_version,
                lock_id=seal.lock_id,
                part=number,
                parts=len(parts),
                sealed_at=stamp(now),
                outcomes=[outcome_message(item) for item in part if isinstance(item, Outcome)],
                homeroom_staff_id=facts.homeroom_staff_id,
                sheets=[_sheet_message(item) for item in part if isinstance(item, SheetVersion)],
            ),
            events_pb2.SealedRecords(
                records=[item.sealed.content for item in part if isinstance(item, Outcome) and item.sealed],
                sheets=[item.content for item in part if isinstance(item, SheetVersion)],
            ),
        )
        for number, part in enumerate(parts)
    ]


def _parts(items: Sequence[SheetVersion | Outcome]) -> list[list[SheetVersion | Outcome]]:
    """Items in their order, in groups whose contents stay below the size of a message."""
    parts: list[list[SheetVersion | Outcome]] = [[]]
    size = 0
    for item in items:
        more = len(item.content) if isinstance(item, SheetVersion) else len(item.sealed.content) if item.sealed else 0
        if parts[-1] and size + more > MESSAGE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += more
    return parts


def _sheet_message(sheet: SheetVersion) -> events_pb2.SealedSheet:
    ref = common_pb2.SheetRef(sheet_id=sheet.sheet_id, version=sheet.version, subject=sheet.subject, content_digest=sheet.digest, public_id=sheet.public_id)
    return events_pb2.SealedSheet(sheet=ref, responsible_staff_id=sheet.staff_id, root=sheet.root, rows=sheet.rows)


def results_tallied(facts: ClassFacts, version: int, counted: Tally) -> tuple[events_pb2.ResultsTallied, events_pb2.ResultTally]:
    """Where a tally belongs; its counts apart, still to be encrypted."""
    event = events_pb2.ResultsTallied(
        class_id=facts.class_id,
        school_id=facts.school_id,
        province_id=facts.province_id,
        school_year=facts.school_year,
        grade=facts.grade,
        version=version,
    )
    counts = [events_pb2.ResultCount(item=item, level=level, pupils=pupils) for (item, level), pupils in counted.items()]
    return event, events_pb2.ResultTally(counts=counts)


def scope_reopened(facts: ClassFacts, reopening: Reopening) -> Message:
    """Part of a class is open again."""
    return events_pb2.ScopeReopened(
        class_id=facts.class_id,
        school_id=facts.school_id,
        province_id=facts.province_id,
        unlock_id=reopening.unlock_id,
        class_version=facts.class_version,
        open_until=stamp(reopening.open_until),
    )


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome without its content, as plain JSON: a lock's answer is repeated from it word for word."""
    sealed = outcome.sealed
    return {
        "pupil_id": outcome.pupil_id,
        "transcript_id": outcome.transcript_id,
        "sealed": {"version": sealed.version, "public_id": sealed.public_id, "digest": sealed.digest.hex()} if sealed else None,
        "reasons": list(outcome.reasons),
        "changed": outcome.changed,
        "corrections": outcome.corrections,
    }


def outcome_from_json(kept: dict[str, Any]) -> Outcome:
    """The reverse; salt and content stay in the store and are not part of an answer."""
    sealed = None
    if kept["sealed"]:
        digest = bytes.fromhex(kept["sealed"]["digest"])
        sealed = SealedVersion(kept["transcript_id"], kept["sealed"]["version"], kept["sealed"]["public_id"], "", digest, b"")
    return Outcome(kept["pupil_id"], kept["transcript_id"], sealed, tuple(kept["reasons"]), kept["changed"], kept["corrections"])
