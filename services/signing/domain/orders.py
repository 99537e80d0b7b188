"""Orders: one class, one step, the pupils concerned. An order's time is fixed when it is released, never by a worker."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.signing.domain.documents import DocumentKind
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place, Ref

_NAMESPACE = uuid.UUID("8c1b3ac3-6f5b-57d1-a0a5-2d8b0c2f4b7e")

# An intent older than this may not be used again: its certificate was checked too long ago (design, hard cases).
INTENT_LIFE = timedelta(hours=24)


class Step(StrEnum):
    """What a worker does with an order."""

    PREPARE = "prepare"
    SIGN = "sign"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Order:
    """Work for a worker. `fixed_at` is the signing time of all its signatures (of a queued order that was never released: when it
    was made); `lines` are the documents still open. `state`: queued until it is its province's turn, released to the workers, done or
    cancelled.
    """

    order_id: str
    place: Place
    step: Step
    manifest_id: str | None
    role: SignatureRole | None
    attempt: int
    fixed_at: datetime
    state: str
    lines: tuple[Ref, ...]

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in ("queued", "released")


def is_express(order: Order, limit: int) -> bool:
    """Whether an order goes past a mass run: few pupils, and no first sheet of a class, since each class has a dozen of those."""
    pupils = sum(ref.kind is DocumentKind.TRANSCRIPT for ref in order.lines)
    return pupils <= limit and not any(ref.kind is DocumentKind.SHEET and ref.version == 1 for ref in order.lines)


def order_name(*parts: object) -> str:
    """An order id that follows from what is ordered, so that releasing the same thing twice is one order."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))


def whole_second(at: datetime) -> datetime:
    """Signing times have no fractions: a PDF date can't hold them, and they must come back as they went in."""
    return at.replace(microsecond=0)


def renewed(order: Order, now: datetime, spent: bool = False) -> tuple[int, datetime]:
    """Attempt and time of a retry: the old ones while intents live, so that the same bytes come out; else, or when they are
    `spent` (void), new ones."""
    if not spent and now - order.fixed_at < INTENT_LIFE:
        return order.attempt, order.fixed_at
    return order.attempt + 1, whole_second(now)


@dataclass(frozen=True, slots=True)
class LineResult:
    """Outcome for one pupil: signed, or why not."""

    ref: Ref
    failure: str = ""
