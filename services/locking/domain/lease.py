"""
Leases: what locking promises grading about one class and term.

A lease names its closing time, so it ends inside grading by grading's own clock even when locking is dead. It has a
version, so that a grant which was delayed on its way can never undo a later one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.locking.domain.terms import Period, Term
from services.locking.domain.window import Effective, Span


class LeaseState(enum.StrEnum):
    """OPEN takes part in planning; CLOSED is final and belongs to a lock."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Lease:
    """The time in which one class may enter one term's marks; without a span it may not."""

    class_id: UUID
    term: Term
    version: int
    span: Span | None
    seals_year: bool = False
    state: LeaseState = LeaseState.OPEN

    @property
    def period(self) -> Period:
        """What its closing seals."""
        return Period.YEAR if self.seals_year else Period.of(self.term)

    def over(self, now: datetime) -> bool:
        return self.state == LeaseState.CLOSED or (self.span is not None and self.span.closes_at <= now)


def planned(current: Lease | None, class_id: UUID, term: Term, word: Effective | None, now: datetime) -> Lease | None:
    """
    Bring a class's lease in line with the windows; None when there is nothing to hold.

    A lease whose closing has passed is never touched again, whatever the windows say later. When an open class loses
    its time altogether, its lease ends now and the class is sealed; when it never opened, the lease is emptied.
    """
    if current is not None and current.over(now):
        return current
    span = word.span if word is not None else None
    seals_year = word is not None and word.seals_year
    if current is None:
        return Lease(class_id, term, 1, span, seals_year) if span is not None else None
    if current.span is not None and current.span.opens_at < now and (span is None or span.closes_at <= now):
        span = Span(current.span.opens_at, now)
    if span == current.span:
        return replace(current, seals_year=seals_year)
    return replace(current, version=current.version + 1, span=span, seals_year=seals_year)


def ended(current: Lease, now: datetime) -> Lease:
    """
    Close a lease for good, now or at its own earlier time.

    The version rises only when grading must hear of it: a lease whose time is over has ended there by itself.
    """
    if current.span is not None and current.span.closes_at <= now:
        return replace(current, state=LeaseState.CLOSED)
    span = Span(current.span.opens_at, now) if current.span is not None and current.span.opens_at < now else None
    version = current.version + (span != current.span)
    return replace(current, version=version, span=span, state=LeaseState.CLOSED)
