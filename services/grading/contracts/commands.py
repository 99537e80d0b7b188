"""From the wire: requests become commands and queries of the use cases."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import grading_pb2
from services.chassis.errors import Malformed
from services.chassis.identity import Actor
from services.chassis.requests import digest_of
from services.grading.application import enter_later_results, enter_sheet, move_gradebook, record_decisions, reopen_scope, seal_class, set_subjects
from services.grading.application.ports import Author, Lease, Request
from services.grading.application.read_gradebook import Query
from services.grading.domain.gradebook import CellEntry
from services.grading.domain.pupil_year import Decision
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import TEACHING_TERMS, Term


def author_of(actor: Actor) -> Author:
    """The person behind a call."""
    return Author(actor.account_id, actor.person_id, frozenset((role.name, role.scope) for role in actor.roles))


def _request(message: Any, method: str, actor: Actor) -> Request:
    # The account is part of what a request says, so that nobody gets another person's answer by repeating the id.
    digest = hashlib.sha256(digest_of(message) + actor.account_id.encode()).digest()
    return Request(message.request_id, method, digest)


def term_of(wire: int) -> Term:
    """A teaching term, or Malformed for none."""
    if wire not in (common_pb2.TERM_1, common_pb2.TERM_2):
        raise Malformed("term is missing; send TERM_1 or TERM_2", code="term_missing")
    return Term(wire)


def subject_of(wire: str) -> str:
    """A subject's code; an empty one means the homeroom sheet."""
    return wire or HOMEROOM


def _cells(cells: Sequence[grading_pb2.Cell]) -> list[CellEntry]:
    return [CellEntry(cell.pupil_id, cell.column, cell.value, cell.source) for cell in cells]


def enter_sheet_command(message: grading_pb2.EnterSheetRequest, actor: Actor) -> enter_sheet.Command:
    """A save of a subject's sheet."""
    if message.subject in ("", HOMEROOM):
        raise Malformed("subject is missing; the homeroom sheet is saved by EnterHomeroom", code="subject_missing")
    return enter_sheet.Command(
        _request(message, "EnterSheet", actor),
        author_of(actor),
        message.class_id,
        message.subject,
        term_of(message.term),
        _cells(message.cells),
        message.reason,
        message.unlock_id,
    )


def enter_homeroom_command(message: grading_pb2.EnterHomeroomRequest, actor: Actor) -> enter_sheet.Command:
    """A save of the homeroom sheet."""
    return enter_sheet.Command(
        _request(message, "EnterHomeroom", actor),
        author_of(actor),
        message.class_id,
        HOMEROOM,
        term_of(message.term),
        _cells(message.cells),
        message.reason,
        message.unlock_id,
    )


def later_results_command(message: grading_pb2.EnterLaterResultRequest, actor: Actor) -> enter_later_results.Command:
    """Summer results."""
    results = [enter_later_results.LaterResult(r.pupil_id, r.subject, r.value, r.reason) for r in message.results]
    return enter_later_results.Command(_request(message, "EnterLaterResult", actor), author_of(actor), message.class_id, results)


def set_subjects_command(message: grading_pb2.SetSubjectsRequest, actor: Actor) -> set_subjects.Command:
    """Choices of subjects; an exemption without a term is for the whole year."""
    pupils = []
    for pupil in message.pupils:
        exempt: dict[str, frozenset[Term]] = {}
        for exemption in pupil.exemptions:
            terms = {Term(exemption.term)} if exemption.term else set(TEACHING_TERMS)
            exempt[exemption.subject] = exempt.get(exemption.subject, frozenset()) | terms
        reasons = {exemption.subject: exemption.reason for exemption in pupil.exemptions}
        pupils.append(set_subjects.PupilSubjects(pupil.pupil_id, frozenset(pupil.electives), frozenset(pupil.clusters), exempt, reasons))
    return set_subjects.Command(_request(message, "SetSubjects", actor), author_of(actor), message.class_id, pupils)


def decisions_command(message: grading_pb2.RecordDecisionRequest, actor: Actor) -> record_decisions.Command:
    """Decisions of the principal or a council."""
    decisions = [record_decisions.PupilDecision(d.pupil_id, Decision(d.kind, d.value, d.round, d.number, d.decided_on, d.reason)) for d in message.decisions]
    return record_decisions.Command(_request(message, "RecordDecision", actor), author_of(actor), message.class_id, decisions)


def sheet_query(message: grading_pb2.GetGradebookRequest | grading_pb2.GetMarkHistoryRequest | grading_pb2.ExportGradebookRequest, actor: Actor) -> Query:
    """Which sheet is asked for."""
    pupil_id = message.pupil_id if isinstance(message, grading_pb2.GetMarkHistoryRequest) else ""
    return Query(author_of(actor), message.class_id, subject_of(message.subject), term_of(message.term), pupil_id)


def import_command(message: grading_pb2.ImportGradebookRequest, actor: Actor) -> move_gradebook.Import:
    """A filled-in workbook."""
    return move_gradebook.Import(
        _request(message, "ImportGradebook", actor),
        author_of(actor),
        message.class_id,
        subject_of(message.subject),
        term_of(message.term),
        message.document,
        message.dry_run,
    )


def lease_of(message: grading_pb2.GrantWindowRequest) -> Lease:
    """A window as locking grants it."""
    scope = message.scope
    return Lease(
        message.window_id,
        message.version,
        scope.province_id,
        scope.school_id,
        scope.grade,
        scope.class_id,
        message.school_year,
        term_of(message.term),
        _instant(message.opens_at),
        _instant(message.closes_at),
        message.withdrawn,
    )


def seal_command(message: grading_pb2.SealClassRequest) -> seal_class.Command:
    """A lock on a term or, without one, on the year. The second term is frozen with the year."""
    if message.term == common_pb2.TERM_2:
        raise Malformed("the second term is sealed with the year; leave term unspecified", code="term_2_is_the_year")
    return seal_class.Command(message.lock_id, message.class_id, Term(message.term) if message.term else None)


def reopen_command(message: grading_pb2.ReopenScopeRequest) -> reopen_scope.Command:
    """A granted unlock."""
    return reopen_scope.Command(
        message.unlock_id,
        message.class_id,
        list(message.pupil_ids),
        subject_of(message.subject),
        term_of(message.term),
        _instant(message.open_until),
        message.reason,
    )


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
