"""Protobuf and domain, the only file that knows both: requests to commands, answers and events from domain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb
from hocba.grading.v1 import events_pb2 as grading_events_pb
from hocba.grading.v1 import grading_pb2 as grading_pb
from hocba.locking.v1 import events_pb2 as events_pb
from hocba.locking.v1 import locking_pb2 as pb
from services.chassis import errors
from services.chassis.identity import Actor
from services.chassis.requests import digest_for
from services.locking.application import close_window, follow_roster, lock_class, move_unlock, request_unlock, set_policy, set_window
from services.locking.application.ports import Filters, Request, UnlockView
from services.locking.domain import refusals
from services.locking.domain.audit import Line
from services.locking.domain.lease import Lease
from services.locking.domain.lock import Answer, Cause, Lock, LockState, Outcome
from services.locking.domain.people import NATION, Caller
from services.locking.domain.policy import Policy, policy_from_data, policy_to_data
from services.locking.domain.scope import Area, Place, Scope
from services.locking.domain.terms import Period, Term
from services.locking.domain.unlock import ReasonCode, Unlock
from services.locking.domain.unlock_table import State
from services.locking.domain.window import Span, Window

CAUSES = {Cause.CLOSING: "window_closed", Cause.MANUAL: "manual", Cause.LATE: "late", Cause.RESEAL: "unlock"}
STATES = {state: "sealed" if state == State.RESEALED else state.value.lower() for state in State}
TERMS = {common_pb2.TERM_1: Term.TERM_1, common_pb2.TERM_2: Term.TERM_2}
PERIODS: dict[common_pb2.Term.ValueType, Period] = {
    common_pb2.TERM_UNSPECIFIED: Period.YEAR,
    common_pb2.TERM_1: Period.TERM_1,
    common_pb2.TERM_2: Period.TERM_2,
}
WIRE_TERMS: dict[str, common_pb2.Term.ValueType] = {period.value: wire for wire, period in PERIODS.items()}


@contextmanager
def refusals_spoken() -> Iterator[None]:
    """Turn what the rules say no with into the errors that may cross the wire, code and sentence kept."""
    try:
        yield
    except refusals.Refused as no:
        raise errors.Refused(str(no), code=no.refusal.code) from no
    except refusals.Denied as no:
        raise errors.Denied(str(no), code=no.refusal.code) from no
    except refusals.Invalid as no:
        raise errors.Malformed(str(no), code=no.field) from no
    except refusals.Unknown as no:
        raise errors.NotFound(f"{no}: không có, hoặc không thuộc phạm vi của bạn", code="not_found") from no
    except refusals.Superseded as no:
        raise errors.Conflict(f"{no}: hãy đọc lại rồi quyết định lại", code="superseded") from no


# --- from the wire ---


def uuid_of(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise refusals.Invalid(field, f"{text!r} không phải UUID: hãy gửi lại mã đúng") from error


def optional_uuid(text: str, field: str) -> UUID | None:
    return uuid_of(text, field) if text else None


def caller_of(actor: Actor) -> Caller:
    if actor.service:
        return Caller(actor.account_id, actor.person_id, frozenset({("system", NATION)}))
    return Caller(actor.account_id, actor.person_id, frozenset((role.name, role.scope) for role in actor.roles))


def request_of(message: Message, method: str, actor: Actor) -> Request:
    request_id: str = message.request_id  # type: ignore[attr-defined]  # Every writing request has the field.
    return Request(str(uuid_of(request_id, "request_id")), method, digest_for(message, method, actor))


def term_of(wire: common_pb2.Term.ValueType) -> Term:
    if wire not in TERMS:
        raise refusals.Invalid("term", "còn thiếu: hãy chọn TERM_1 hoặc TERM_2")
    return TERMS[wire]


def _instant(message: Message, field: str) -> datetime:
    if not message.HasField(field):
        raise refusals.Invalid(field, "còn thiếu: hãy gửi thời điểm UTC")
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(UTC)


def scope_of(wire: pb.WindowScope) -> Scope:
    """The scope that the filled fields name; a class or a school names its wider coordinates too."""
    area = Area.CLASS if wire.class_id else Area.SCHOOL if wire.school_id else Area.PROVINCE if wire.province_id else Area.NATION
    return Scope(
        area,
        wire.province_id or None,
        optional_uuid(wire.school_id, "scope.school_id"),
        optional_uuid(wire.class_id, "scope.class_id"),
        wire.grade or None,
    )


def set_window_command(message: pb.SetWindowRequest, actor: Actor) -> set_window.Command:
    new = not message.window_id
    framed = message.HasField("frame_opens_at") or message.HasField("frame_closes_at")
    if new and message.school_year not in range(2000, 2200):
        raise refusals.Invalid("school_year", "phải là năm đầu của năm học, ví dụ 2025 cho 2025-2026")
    return set_window.Command(
        request=request_of(message, "SetWindow", actor),
        caller=caller_of(actor),
        window_id=optional_uuid(message.window_id, "window_id"),
        expected_version=message.expected_version,
        scope=scope_of(message.scope) if new else None,
        school_year=message.school_year,
        term=term_of(message.term) if new else None,
        span=Span(_instant(message, "opens_at"), _instant(message, "closes_at")),
        frame=Span(_instant(message, "frame_opens_at"), _instant(message, "frame_closes_at")) if framed else None,
        seals_year=message.seals_year,
        reason=message.reason,
    )


def close_window_command(message: pb.CloseWindowRequest, actor: Actor) -> close_window.Command:
    return close_window.Command(request_of(message, "CloseWindow", actor), caller_of(actor), uuid_of(message.window_id, "window_id"), message.reason)


def lock_class_command(message: pb.LockClassRequest, actor: Actor) -> lock_class.Command:
    return lock_class.Command(
        request_of(message, "LockClass", actor), caller_of(actor), uuid_of(message.class_id, "class_id"), PERIODS[message.term], message.reason
    )


def reason_code_of(text: str) -> ReasonCode:
    """The sort of reason; `other` when nothing is said."""
    try:
        return ReasonCode(text or ReasonCode.OTHER)
    except ValueError:
        raise refusals.Invalid("reason_code", f"phải là một trong {', '.join(ReasonCode)}") from None


def request_unlock_command(message: pb.RequestUnlockRequest, actor: Actor) -> request_unlock.Command:
    return request_unlock.Command(
        request=request_of(message, "RequestUnlock", actor),
        caller=caller_of(actor),
        class_id=uuid_of(message.class_id, "class_id"),
        term=term_of(message.term),
        subject=message.subject,
        pupils=tuple(uuid_of(pupil, "pupil_ids") for pupil in message.pupil_ids),
        reason=message.reason,
        evidence=message.evidence,
        open_for=timedelta(minutes=message.minutes),
        reason_code=reason_code_of(message.reason_code),
    )


def move_unlock_command(message: pb.MoveUnlockRequest, actor: Actor, move: move_unlock.Move) -> move_unlock.Command:
    unlock_id = uuid_of(message.unlock_id, "unlock_id")
    return move_unlock.Command(request_of(message, f"{move}", actor), caller_of(actor), unlock_id, move, message.reason, message.document)


def set_policy_command(message: pb.SetPolicyRequest, actor: Actor) -> set_policy.Command:
    wire = message.policy
    names = [name for name in policy_to_data(Policy()) if name != "confirming_roles"]
    data = {name: getattr(wire, name) for name in names} | {"confirming_roles": list(wire.confirming_roles)}
    return set_policy.Command(request_of(message, "SetPolicy", actor), caller_of(actor), policy_from_data(wire.province_id, 0, data))


def filters_of(message: pb.ListUnlocksRequest) -> Filters:
    states = {text: state for state, text in STATES.items()}
    if message.state and message.state not in states:
        raise refusals.Invalid("state", f"phải là một trong {', '.join(states)}")
    return Filters(
        optional_uuid(message.school_id, "school_id"),
        message.province_id,
        optional_uuid(message.class_id, "class_id"),
        states[message.state].value if message.state else "",
    )


# --- enrollment's events ---


def school_row(event: enrollment_pb.SchoolRegistered) -> follow_roster.School:
    return uuid_of(event.school_id, "school_id"), event.version, event.province_id


def class_row(event: enrollment_pb.ClassFormed) -> follow_roster.Class:
    place = Place(uuid_of(event.class_id, "class_id"), uuid_of(event.school_id, "school_id"), event.province_id, event.grade, event.school_year)
    return place, event.version, event.homeroom_staff_id


def staff_row(event: enrollment_pb.StaffAppointed) -> follow_roster.Member:
    roles = tuple(sorted({appointment.role for appointment in event.appointments}))
    return uuid_of(event.school_id, "school_id"), event.staff_id, event.version, event.person_id, roles


def teaching_row(event: enrollment_pb.TeachingAssigned) -> follow_roster.Teaching:
    pairs = tuple((assignment.subject, assignment.staff_id) for assignment in event.assignments)
    return uuid_of(event.class_id, "class_id"), uuid_of(event.school_id, "school_id"), event.version, pairs


# --- to the wire ---


def stamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    wire = Timestamp()
    wire.FromDatetime(instant)
    return wire


def window_message(window: Window, state: str, confirmed: bool) -> pb.Window:
    scope = window.scope
    return pb.Window(
        window_id=str(window.window_id),
        version=window.version,
        scope=pb.WindowScope(
            province_id=scope.province_id or "", school_id=str(scope.school_id or ""), grade=scope.grade or 0, class_id=str(scope.class_id or "")
        ),
        school_year=window.school_year,
        term=WIRE_TERMS[window.term],
        opens_at=stamp(window.span.opens_at),
        closes_at=stamp(window.span.closes_at),
        state=state,
        seals_year=window.seals_year,
        confirmed=confirmed,
        frame_opens_at=stamp(window.frame.opens_at if window.frame else None),
        frame_closes_at=stamp(window.frame.closes_at if window.frame else None),
    )


def lock_message(lock: Lock, unlocked: bool) -> pb.Lock:
    answer = lock.answer
    reasons = Counter(reason for outcome in answer.outcomes for reason in outcome.reasons) if answer else Counter[str]()
    return pb.Lock(
        lock_id=str(lock.lock_id),
        class_id=str(lock.place.class_id),
        state="intended" if lock.state == LockState.INTENDED else "unlocked" if unlocked else "locked",
        class_version=answer.class_version if answer else 0,
        class_digest=answer.digest if answer else b"",
        sealed=answer.sealed if answer else 0,
        waiting=answer.waiting if answer else 0,
        locked_at=stamp(lock.held_at),
        term=WIRE_TERMS[lock.period],
        cause=CAUSES[lock.cause],
        waiting_reasons=[pb.WaitingReason(reason=reason, pupils=pupils) for reason, pupils in sorted(reasons.items())],
    )


def unlock_message(view: UnlockView) -> pb.UnlockResponse:
    unlock, target = view.unlock, view.unlock.target
    return pb.UnlockResponse(
        unlock_id=str(unlock.unlock_id),
        state=STATES[unlock.state],
        version=unlock.version,
        class_id=str(target.place.class_id),
        open_until=stamp(unlock.until),
        steps=[
            pb.UnlockStep(
                state=STATES[State(step.state)],
                account_id=step.account_id,
                reason=step.reason,
                moved_at=stamp(step.moved_at),
                role=step.role,
                document=step.document,
            )
            for step in view.steps
        ],
        sealed_class_version=view.sealed_class_version,
        subject=target.subject,
        term=WIRE_TERMS[target.term],
        pupil_ids=[str(pupil) for pupil in target.pupils],
        school_id=str(target.place.school_id),
        province_id=target.place.province_id,
        reason=unlock.reason,
        evidence=unlock.evidence,
        policy_version=unlock.policy.version,
        lapses_at=stamp(unlock.lapses_at),
        reason_code=unlock.reason_code,
    )


def policy_message(policy: Policy) -> pb.Policy:
    return pb.Policy(province_id=policy.province_id, version=policy.version, **policy_to_data(policy))


def _audit(line: Line) -> events_pb.AuditLine:
    return events_pb.AuditLine(stream=line.stream, number=line.number, hash=line.hash)


def lock_event(lock: Lock, line: Line) -> events_pb.ClassLocked:
    assert lock.answer is not None
    return events_pb.ClassLocked(
        class_id=str(lock.place.class_id),
        school_id=str(lock.place.school_id),
        province_id=lock.place.province_id,
        school_year=lock.place.school_year,
        lock_id=str(lock.lock_id),
        class_version=lock.answer.class_version,
        class_digest=lock.answer.digest,
        sealed=lock.answer.sealed,
        waiting=lock.answer.waiting,
        locked_at=stamp(lock.held_at),
        cause=CAUSES[lock.cause],
        unlock_id=str(lock.unlock_id or ""),
        term=WIRE_TERMS[lock.period],
        audit=_audit(line),
    )


def unlock_event(unlock: Unlock, account_id: str, line: Line, moved_at: datetime) -> events_pb.UnlockMoved:
    place = unlock.target.place
    return events_pb.UnlockMoved(
        class_id=str(place.class_id),
        school_id=str(place.school_id),
        province_id=place.province_id,
        unlock_id=str(unlock.unlock_id),
        version=unlock.version,
        state=STATES[unlock.state],
        account_id=account_id,
        moved_at=stamp(moved_at),
        open_until=stamp(unlock.until),
        audit=_audit(line),
        reason_code=unlock.reason_code,
    )


def window_event(window: Window, state: str, line: Line) -> events_pb.WindowMoved:
    scope = window.scope
    return events_pb.WindowMoved(
        window_id=str(window.window_id),
        version=window.version,
        state=state,
        province_id=scope.province_id or "",
        school_id=str(scope.school_id or ""),
        grade=scope.grade or 0,
        class_id=str(scope.class_id or ""),
        school_year=window.school_year,
        term=WIRE_TERMS[window.term],
        opens_at=stamp(window.span.opens_at),
        closes_at=stamp(window.span.closes_at),
        audit=_audit(line),
    )


# --- grading ---


def grant_message(lease_id: UUID, lease: Lease, place: Place) -> grading_pb.GrantWindowRequest:
    """
    A lease as grading knows it: a window for one class, so that only locking ever weighs windows against each other.

    One that is taken back names a moment long past, since grading wants a time in every window.
    """
    span = lease.span or Span(datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(1, UTC))
    return grading_pb.GrantWindowRequest(
        window_id=str(lease_id),
        version=lease.version,
        scope=grading_pb.Scope(province_id=place.province_id, school_id=str(place.school_id), grade=place.grade, class_id=str(place.class_id)),
        school_year=place.school_year,
        term=WIRE_TERMS[lease.term],
        opens_at=stamp(span.opens_at),
        closes_at=stamp(span.closes_at),
        withdrawn=lease.span is None,
    )


def reopen_message(unlock: Unlock) -> grading_pb.ReopenScopeRequest:
    """The opening with its id and reason, which grading writes beside every mark that is corrected under it."""
    assert unlock.until is not None
    return grading_pb.ReopenScopeRequest(
        unlock_id=str(unlock.unlock_id),
        class_id=str(unlock.target.place.class_id),
        pupil_ids=[str(pupil) for pupil in unlock.target.pupils],
        subject=unlock.target.subject,
        term=WIRE_TERMS[unlock.target.term],
        open_until=stamp(unlock.until),
        reason=unlock.reason,
    )


def answer_of(message: grading_pb.SealClassResponse) -> Answer:
    return Answer(message.class_version, message.class_digest, outcomes_of(message.outcomes))


def outcomes_of(messages: Sequence[grading_events_pb.PupilOutcome]) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(
            UUID(message.transcript.pupil_id),
            message.transcript.version,
            message.transcript.content_digest,
            message.sealed,
            tuple(message.waiting_reasons),
            message.corrections,
        )
        for message in messages
    )
