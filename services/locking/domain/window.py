"""
Windows: when marks may be entered, and who may say so.

The rule that settles several windows over one class, in four sentences:

1. Each authority (Ministry, province, school) speaks with one voice per class and term: its most specific window that
   covers the class (class before school-and-grade before school, and so on).
2. The lowest authority that speaks gives the times.
3. Every higher authority that speaks gives a frame, which those times cannot leave; a window without an explicit frame
   is its own frame, so a school may only narrow what its province said unless the province gave it room.
4. If nobody speaks, or nothing is left inside the frames, the class is closed.

Later versions of a window replace earlier ones. A closing that has passed is final: only an unlock opens marks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.locking.domain.refusals import Invalid, Refusal, Refused, Superseded
from services.locking.domain.scope import Authority, Place, Scope
from services.locking.domain.terms import Term


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open time [opens_at, closes_at), both aware UTC."""

    opens_at: datetime
    closes_at: datetime

    def __post_init__(self) -> None:
        for name in ("opens_at", "closes_at"):
            if getattr(self, name).tzinfo is None:
                raise Invalid(name, "thiếu múi giờ: hãy gửi thời điểm UTC")
        if self.opens_at >= self.closes_at:
            raise Invalid("closes_at", "phải ở sau opens_at: hãy sửa một trong hai")

    def within(self, other: Span) -> bool:
        return other.opens_at <= self.opens_at and self.closes_at <= other.closes_at

    def intersection(self, other: Span) -> Span | None:
        opens_at = max(self.opens_at, other.opens_at)
        closes_at = min(self.closes_at, other.closes_at)
        return Span(opens_at, closes_at) if opens_at < closes_at else None


@dataclass(frozen=True, slots=True)
class Window:
    """One authority's word on when a term's marks may be entered in a scope."""

    window_id: UUID
    version: int
    scope: Scope
    school_year: int
    term: Term
    span: Span
    frame: Span | None = None
    seals_year: bool = False
    withdrawn: bool = False

    def __post_init__(self) -> None:
        if self.frame is not None and not self.span.within(self.frame):
            raise Invalid("frame", "phải bao trùm thời gian của chính khung này: hãy nới frame")

    @property
    def bound(self) -> Span:
        """What lower authorities must stay inside."""
        return self.frame or self.span

    def speaks_for(self, place: Place, term: Term) -> bool:
        return not self.withdrawn and self.term == term and self.school_year == place.school_year and self.scope.covers(place)


@dataclass(frozen=True, slots=True)
class Effective:
    """What all windows together mean for one class and term; `span` is None when nothing is left inside the frames."""

    span: Span | None
    given_by: UUID
    seals_year: bool


def effective(place: Place, term: Term, windows: Iterable[Window]) -> Effective | None:
    """Tell when a class may enter marks, by the four sentences above; None when nobody speaks for it."""
    voices: dict[Authority, Window] = {}
    for window in windows:
        if window.speaks_for(place, term):
            held = voices.get(window.scope.authority)
            if held is None or held.scope.specificity < window.scope.specificity:
                voices[window.scope.authority] = window
    if not voices:
        return None
    # Whether the year is sealed at the end of this term is nobody's to leave out once some authority has said so.
    seals_year = any(window.seals_year for window in voices.values())
    lowest = voices.pop(max(voices))
    span: Span | None = lowest.span
    for higher in voices.values():
        span = span.intersection(higher.bound) if span is not None else None
    return Effective(span, lowest.window_id, seals_year)


def frames_over(scope: Scope, term: Term, school_year: int, windows: Iterable[Window]) -> tuple[Span, ...]:
    """List the frames that higher authorities set for the whole of a scope, their most specific word only."""
    voices: dict[Authority, Window] = {}
    for window in windows:
        if (
            not window.withdrawn
            and (window.term, window.school_year) == (term, school_year)
            and window.scope.authority < scope.authority
            and window.scope.overlaps(scope)
            and window.scope.grade in (None, scope.grade)
        ):
            held = voices.get(window.scope.authority)
            if held is None or held.scope.specificity < window.scope.specificity:
                voices[window.scope.authority] = window
    return tuple(window.bound for window in voices.values())


def opened(window: Window, others: Sequence[Window], now: datetime) -> Window:
    """Admit a new window: one per scope, year and term, not already over, inside the frames above it."""
    if any(not other.withdrawn and (other.scope, other.school_year, other.term) == (window.scope, window.school_year, window.term) for other in others):
        raise Refused(Refusal.WINDOW_EXISTS, window.scope.key)
    _check_times(window, others, now)
    return window


def changed(
    window: Window,
    times: tuple[Span, Span | None],
    seals_year: bool,
    others: Sequence[Window],
    now: datetime,
    expected_version: int = 0,
) -> Window:
    """
    Make the next version with other times (span, frame), unless the window has closed.

    `expected_version` is what the caller has read; 0 says that the caller does not mind overwriting.
    """
    _check_alive(window, expected_version, now)
    later = replace(window, version=window.version + 1, span=times[0], frame=times[1], seals_year=seals_year)
    _check_times(later, [other for other in others if other.window_id != window.window_id], now)
    return later


def closed(window: Window, now: datetime, expected_version: int = 0) -> Window:
    """Make the version that ends now; a window that never opened is withdrawn instead, so that nothing is sealed."""
    _check_alive(window, expected_version, now)
    if now <= window.span.opens_at:
        return replace(window, version=window.version + 1, withdrawn=True)
    return replace(window, version=window.version + 1, span=Span(window.span.opens_at, now), frame=window.frame)


def _check_alive(window: Window, expected_version: int, now: datetime) -> None:
    if expected_version not in (0, window.version):
        raise Superseded(f"khung {window.window_id} đã ở phiên bản {window.version}, không phải {expected_version}")
    if window.withdrawn:
        raise Refused(Refusal.WINDOW_WITHDRAWN)
    if window.span.closes_at <= now:
        raise Refused(Refusal.WINDOW_IS_CLOSED)


def _check_times(window: Window, others: Sequence[Window], now: datetime) -> None:
    if window.span.closes_at <= now:
        raise Refused(Refusal.CLOSING_IN_THE_PAST)
    for frame in frames_over(window.scope, window.term, window.school_year, others):
        if not window.span.within(frame):
            raise Refused(Refusal.OUTSIDE_FRAME, f"{frame.opens_at.isoformat()} .. {frame.closes_at.isoformat()}")


def state_of(window: Window, now: datetime) -> str:
    """Say where a window stands: planned, open, closed or withdrawn."""
    if window.withdrawn:
        return "withdrawn"
    if now < window.span.opens_at:
        return "planned"
    return "open" if now < window.span.closes_at else "closed"


def turns_at(window: Window, now: datetime) -> datetime | None:
    """When the clock will next change a window's state; None when it has reached its end."""
    return {"planned": window.span.opens_at, "open": window.span.closes_at}.get(state_of(window, now))
