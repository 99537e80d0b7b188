"""
The unlock as a full table: every state meets every verb, and the answer is a next state or a named refusal.

The table knows nothing of people, policy or clock; `unlock.py` asks those questions after the table has said that the
step exists. A test walks all cells, and the README prints the same table.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from services.locking.domain.refusals import Refusal


class State(enum.StrEnum):
    """Where an unlock stands."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    REPORTED = "REPORTED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    OBJECTED = "OBJECTED"
    GRANTING = "GRANTING"
    GRANTED = "GRANTED"
    CORRECTED = "CORRECTED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    RESEALED = "RESEALED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    LAPSED = "LAPSED"


class Verb(enum.StrEnum):
    """What can be tried: by the principal, the requester, the DOET officer, and by the service itself."""

    CONFIRM = "confirm"  # principal
    REFUSE = "refuse"  # principal, before the grant
    WITHDRAW = "withdraw"  # principal, while it is open
    CANCEL = "cancel"  # requester, before the grant
    FINISH = "finish"  # requester: the correction is in
    REPORT = "report"  # service, or the principal where policy wants it by hand
    ACKNOWLEDGE = "acknowledge"  # DOET officer
    OBJECT = "object"  # DOET officer
    BEGIN_GRANT = "begin_grant"  # service: the intent to open is stored
    OPENED = "opened"  # service: signing has halted and grading has re-opened
    ABORT = "abort"  # service: grading said no for good
    EXPIRE = "expire"  # service: the granted time is over
    LAPSE = "lapse"  # service: nobody acted in time
    RESEALED = "resealed"  # service: grading has sealed again


BEFORE_GRANT = (State.REQUESTED, State.CONFIRMED, State.REPORTED, State.ACKNOWLEDGED, State.OBJECTED)
# Grading may have the scope open in these, so the class counts as unlocked; the database allows one such per class.
HOLDS_CLASS = (State.GRANTING, State.GRANTED, State.CORRECTED, State.EXPIRED, State.WITHDRAWN)
AWAITS_RESEAL = (State.CORRECTED, State.EXPIRED, State.WITHDRAWN)
FINAL = (State.RESEALED, State.REFUSED, State.CANCELLED, State.LAPSED)

Cell = State | Refusal


def _row(everything_else: Refusal, **cells: Cell) -> Mapping[Verb, Cell]:
    return MappingProxyType({verb: cells.get(verb.name.lower(), everything_else) for verb in Verb})


S, R = State, Refusal

TABLE: Mapping[State, Mapping[Verb, Cell]] = MappingProxyType(
    {
        S.REQUESTED: _row(
            R.NOT_CONFIRMED,
            confirm=S.CONFIRMED,
            refuse=S.REFUSED,
            cancel=S.CANCELLED,
            lapse=S.LAPSED,
            withdraw=R.NOT_GRANTED,
            finish=R.NOT_GRANTED,
            opened=R.NOT_GRANTED,
            abort=R.NOT_GRANTED,
            expire=R.NOT_GRANTED,
            resealed=R.NOT_GRANTED,
        ),
        S.CONFIRMED: _row(
            R.NOT_GRANTED,
            confirm=R.ALREADY_CONFIRMED,
            refuse=S.REFUSED,
            cancel=S.CANCELLED,
            report=S.REPORTED,
            lapse=S.LAPSED,
            acknowledge=R.NOT_REPORTED,
            object=R.NOT_REPORTED,
            begin_grant=R.NOT_REPORTED,
        ),
        S.REPORTED: _row(
            R.NOT_GRANTED,
            confirm=R.ALREADY_CONFIRMED,
            refuse=S.REFUSED,
            cancel=S.CANCELLED,
            report=R.ALREADY_REPORTED,
            acknowledge=S.ACKNOWLEDGED,
            object=S.OBJECTED,
            begin_grant=S.GRANTING,
            lapse=S.LAPSED,
        ),
        S.ACKNOWLEDGED: _row(
            R.NOT_GRANTED,
            confirm=R.ALREADY_CONFIRMED,
            refuse=S.REFUSED,
            cancel=S.CANCELLED,
            report=R.ALREADY_REPORTED,
            acknowledge=R.ALREADY_ACKNOWLEDGED,
            object=S.OBJECTED,
            begin_grant=S.GRANTING,
            lapse=S.LAPSED,
        ),
        S.OBJECTED: _row(
            R.NOT_GRANTED,
            confirm=R.ALREADY_CONFIRMED,
            refuse=S.REFUSED,
            cancel=S.CANCELLED,
            report=R.ALREADY_REPORTED,
            acknowledge=S.ACKNOWLEDGED,
            object=R.ALREADY_OBJECTED,
            begin_grant=S.GRANTING,
            lapse=S.LAPSED,
        ),
        S.GRANTING: _row(
            R.GRANT_UNDER_WAY,
            confirm=R.ALREADY_CONFIRMED,
            opened=S.GRANTED,
            abort=S.WITHDRAWN,
            expire=S.EXPIRED,
        ),
        S.GRANTED: _row(
            R.ALREADY_OPEN,
            confirm=R.ALREADY_CONFIRMED,
            object=S.WITHDRAWN,
            withdraw=S.WITHDRAWN,
            finish=S.CORRECTED,
            expire=S.EXPIRED,
        ),
        S.CORRECTED: _row(R.ALREADY_OVER, resealed=S.RESEALED),
        S.EXPIRED: _row(R.ALREADY_OVER, finish=R.TIME_IS_OVER, resealed=S.RESEALED),
        S.WITHDRAWN: _row(R.ALREADY_OVER, resealed=S.RESEALED),
        S.RESEALED: _row(R.IS_RESEALED),
        S.REFUSED: _row(R.IS_REFUSED),
        S.CANCELLED: _row(R.IS_CANCELLED),
        S.LAPSED: _row(R.IS_LAPSED),
    }
)
