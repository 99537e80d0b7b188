"""
The unlock: a reasoned, two-person, time-limited re-opening of a narrow part of a sealed class.

Nothing here reads a clock or a store. Each verb is asked first of the table, then of the people, the policy and the
time; the answer is the next unlock, or `Refused` with the reason that applies first.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.locking.domain.people import Party
from services.locking.domain.policy import Policy, Wait
from services.locking.domain.refusals import Invalid, Refusal, Refused
from services.locking.domain.scope import Place
from services.locking.domain.terms import Term
from services.locking.domain.unlock_table import BEFORE_GRANT, TABLE, State, Verb


class ReasonCode(enum.StrEnum):
    """What sort of reason it is; the words beside it say the rest."""

    WRONG_ENTRY = "wrong_entry"
    MISSING_ENTRY = "missing_entry"
    REMARKED = "remarked"
    OTHER = "other"


REASON_LENGTH = range(10, 1001)
EVIDENCE_LENGTH = range(1, 501)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be opened: named pupils of one class, in one subject of one term; no subject: the homeroom sheet."""

    place: Place
    term: Term
    subject: str
    pupils: tuple[UUID, ...]

    def __post_init__(self) -> None:
        if not self.pupils:
            raise Invalid("pupil_ids", "còn thiếu: hãy ghi ít nhất một học sinh")
        if len(set(self.pupils)) != len(self.pupils):
            raise Invalid("pupil_ids", "có học sinh bị lặp: hãy bỏ bớt")


@dataclass(frozen=True, slots=True)
class Unlock:
    """One unlock through its whole life; a new value per step."""

    unlock_id: UUID
    target: Target
    requester: Party
    reason: str
    evidence: str
    requested_at: datetime
    policy: Policy
    state: State = State.REQUESTED
    version: int = 1
    approver: Party | None = None
    officer: Party | None = None
    reported_at: datetime | None = None
    report_number: str = ""
    until: datetime | None = None
    open_for: timedelta = timedelta(0)
    reason_code: ReasonCode = ReasonCode.OTHER

    @property
    def confirm_by(self) -> datetime:
        return self.requested_at + self.policy.confirm_within

    @property
    def lapses_at(self) -> datetime:
        """When it dies if nobody acts; a request that awaits its principal has the shorter time."""
        if self.state == State.REQUESTED:
            return self.confirm_by
        return self.requested_at + self.policy.lapse_after

    @property
    def grantable_at(self) -> datetime | None:
        """From when the service may begin the grant; None while that takes a human first."""
        if self.state == State.ACKNOWLEDGED:
            return self.requested_at
        if self.state == State.OBJECTED:
            return None if self.policy.objection_stops else self.requested_at
        if self.state != State.REPORTED or self.reported_at is None or self.policy.wait == Wait.UNTIL_ACKNOWLEDGED:
            return None
        return self.reported_at + (self.policy.wait_for if self.policy.wait == Wait.FOR_A_TIME else timedelta(0))


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody tries a verb at a moment; the service itself acts without a party."""

    verb: Verb
    now: datetime
    party: Party | None = None
    report_number: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a teacher asks for. `open_for` zero leaves the time to the policy, which bounds it anyway."""

    unlock_id: UUID
    target: Target
    reason: str
    evidence: str
    open_for: timedelta = timedelta(0)
    reason_code: ReasonCode = ReasonCode.OTHER


def requested(request: Request, requester: Party, policy: Policy, now: datetime) -> Unlock:
    """Make a new unlock; what it asks for must be narrow, reasoned, proven and within the province's policy."""
    reason, evidence = request.reason.strip(), request.evidence.strip()
    if len(reason) not in REASON_LENGTH:
        raise Invalid("reason", f"phải dài từ {REASON_LENGTH.start} đến {REASON_LENGTH.stop - 1} ký tự")
    if len(evidence) not in EVIDENCE_LENGTH:
        raise Invalid("evidence", f"còn thiếu hoặc dài quá {EVIDENCE_LENGTH.stop - 1} ký tự: hãy ghi số hoặc mã băm của tài liệu")
    if request.open_for < timedelta(0):
        raise Invalid("minutes", "không được âm")
    if len(request.target.pupils) > policy.max_pupils:
        raise Refused(Refusal.SCOPE_TOO_WIDE, f"{len(request.target.pupils)} > {policy.max_pupils}")
    return Unlock(
        unlock_id=request.unlock_id,
        target=request.target,
        requester=requester,
        reason=reason,
        evidence=evidence,
        requested_at=now,
        policy=policy,
        open_for=min(request.open_for or policy.open_for, policy.open_for),
        reason_code=request.reason_code,
    )


def stepped(unlock: Unlock, step: Step) -> Unlock:
    """Take one step, or raise `Refused` and leave everything as it was."""
    cell = TABLE[unlock.state][step.verb]
    if isinstance(cell, Refusal):
        raise Refused(cell)
    refusal = _GUARDS[step.verb](unlock, step) if step.verb in _GUARDS else None
    if refusal is not None:
        raise Refused(refusal)
    after = replace(unlock, state=cell, version=unlock.version + 1)
    match step.verb:
        case Verb.CONFIRM:
            after = replace(after, approver=step.party)
        case Verb.REPORT:
            after = replace(after, reported_at=step.now, report_number=step.report_number)
        case Verb.ACKNOWLEDGE | Verb.OBJECT:
            after = replace(after, officer=step.party)
        case Verb.BEGIN_GRANT:
            # Fixed once, here: a grant that is repeated after a crash must not lengthen the time.
            after = replace(after, until=step.now + unlock.open_for)
    return after


def next_by_clock(unlock: Unlock, now: datetime) -> Verb | None:
    """Tell what the service itself should do now without waiting for anybody; None when it is others' turn."""
    if unlock.state in (State.GRANTING, State.GRANTED):
        return Verb.EXPIRE if unlock.until is not None and unlock.until <= now else None
    if unlock.state not in BEFORE_GRANT:
        return None
    if unlock.lapses_at <= now:
        return Verb.LAPSE
    if unlock.state == State.CONFIRMED:
        # A clock that was put back waits until it has caught up, as the stored time of what is due does.
        return Verb.REPORT if not unlock.policy.report_by_hand and unlock.requested_at <= now else None
    return Verb.BEGIN_GRANT if unlock.grantable_at is not None and unlock.grantable_at <= now else None


def due_at(unlock: Unlock) -> datetime | None:
    """When `next_by_clock` may next have an answer; stored, so that one index finds all due work after any pause."""
    if unlock.state in (State.GRANTING, State.GRANTED):
        return unlock.until
    if unlock.state not in BEFORE_GRANT:
        return None
    if unlock.state == State.CONFIRMED and not unlock.policy.report_by_hand:
        return unlock.requested_at
    return min(unlock.lapses_at, unlock.grantable_at or unlock.lapses_at)


def _same_human(party: Party | None, other: Party | None) -> bool:
    return party is not None and other is not None and party.person_id == other.person_id


def _confirm(unlock: Unlock, step: Step) -> Refusal | None:
    party = step.party
    if party is None or party.account_id == unlock.requester.account_id:
        return Refusal.REQUESTER_CANNOT_CONFIRM
    if _same_human(party, unlock.requester):
        return Refusal.SAME_PERSON_OTHER_ACCOUNT
    if party.role not in unlock.policy.confirming_roles:
        return Refusal.ROLE_MAY_NOT_CONFIRM
    return Refusal.CONFIRM_DEADLINE_PASSED if unlock.confirm_by <= step.now else None


def _answer(unlock: Unlock, step: Step) -> Refusal | None:
    if _same_human(step.party, unlock.requester) or _same_human(step.party, unlock.approver):
        return Refusal.SAME_PERSON_OTHER_ACCOUNT
    if step.party is not None and unlock.target.place.school_id in step.party.serves_at:
        return Refusal.OFFICER_SERVES_AT_SCHOOL
    return None


def _object(unlock: Unlock, step: Step) -> Refusal | None:
    if unlock.state == State.GRANTED and not unlock.policy.objection_stops:
        return Refusal.OBJECTION_TOO_LATE
    return _answer(unlock, step)


def _own(unlock: Unlock, step: Step) -> Refusal | None:
    return None if _same_human(step.party, unlock.requester) else Refusal.NOT_THE_REQUESTER


def _finish(unlock: Unlock, step: Step) -> Refusal | None:
    if unlock.until is not None and unlock.until <= step.now:
        return Refusal.TIME_IS_OVER
    return _own(unlock, step)


def _begin_grant(unlock: Unlock, step: Step) -> Refusal | None:
    if unlock.lapses_at <= step.now:
        return Refusal.IS_LAPSED
    if unlock.state == State.OBJECTED and unlock.policy.objection_stops:
        return Refusal.OBJECTION_STANDS
    allowed_from = unlock.grantable_at
    return None if allowed_from is not None and allowed_from <= step.now else Refusal.AWAITS_ACKNOWLEDGEMENT


def _expire(unlock: Unlock, step: Step) -> Refusal | None:
    return None if unlock.until is not None and unlock.until <= step.now else Refusal.NOT_YET


def _lapse(unlock: Unlock, step: Step) -> Refusal | None:
    return None if unlock.lapses_at <= step.now else Refusal.NOT_YET


_GUARDS: dict[Verb, Callable[[Unlock, Step], Refusal | None]] = {
    Verb.CONFIRM: _confirm,
    Verb.ACKNOWLEDGE: _answer,
    Verb.OBJECT: _object,
    Verb.CANCEL: _own,
    Verb.FINISH: _finish,
    Verb.BEGIN_GRANT: _begin_grant,
    Verb.EXPIRE: _expire,
    Verb.LAPSE: _lapse,
}
