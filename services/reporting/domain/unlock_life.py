"""How unlocks go: how many were asked for and why, what became of them, and how long classes stood open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.reporting.domain.history import LEGAL_TIME
from services.reporting.domain.tallying import Count, Subject

OTHER = "other"
REASONS = ("wrong_entry", "missing_entry", "remarked", OTHER)
"""Locking's codes, in the order in which they are told."""
PENDING, OPEN, CLOSING, SEALED, REFUSED, CANCELLED, LAPSED = "pending", "open", "closing", "sealed", "refused", "cancelled", "lapsed"
OUTCOMES = (PENDING, OPEN, CLOSING, SEALED, REFUSED, CANCELLED, LAPSED)
"""What an unlock is now; each is exactly one of them. `closing` is over and not sealed again yet."""
_OUTCOMES = {
    "granted": OPEN,
    "corrected": CLOSING,
    "expired": CLOSING,
    "withdrawn": CLOSING,
    "sealed": SEALED,
    "refused": REFUSED,
    "cancelled": CANCELLED,
    "lapsed": LAPSED,
}
_ENDS = ("corrected", "expired", "withdrawn")
REQUESTED, OPENED, CLOSED, OPEN_SECONDS = "requested", "opened", "closed", "open_seconds"
DURATIONS = (("within_1_hour", 3600), ("within_4_hours", 4 * 3600), ("within_1_day", 24 * 3600), ("longer", 0))
"""How long those stood open that are closed: (measure, up to so many seconds; 0: any)."""
MEASURES = (REQUESTED, *OUTCOMES, OPENED, CLOSED, OPEN_SECONDS, *(name for name, _ in DURATIONS))
"""Everything that an unlock may count."""


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """Locking: an unlock took a step."""

    version: int
    state: str
    at: str
    """RFC 3339, UTC."""
    school_id: str
    reason: str
    """A code; empty from a producer that has none."""


@dataclass(frozen=True, slots=True)
class UnlockLife:
    """The steps that were told, by version."""

    steps: Mapping[int, Step] = field(default_factory=dict)


def _told(life: UnlockLife, news: Step) -> UnlockLife:
    known = life.steps.get(news.version)
    return life if known is not None and news <= known else replace(life, steps={**life.steps, news.version: news})


def _counts(life: UnlockLife, at: datetime) -> tuple[Mapping[Count, int], datetime | None]:
    first = life.steps.get(1)
    if first is None:
        # The request is the first step of its key: until it is read, the month isn't known, and it counts nowhere.
        return {}, None
    month = datetime.fromisoformat(first.at).astimezone(LEGAL_TIME).strftime("%Y-%m")
    return {Count(month, first.reason or OTHER, measure): amount for measure, amount in _measures(life)}, None


def _measures(life: UnlockLife) -> Iterator[tuple[str, int]]:
    newest = life.steps[max(life.steps)]
    yield REQUESTED, 1
    yield _OUTCOMES.get(newest.state, PENDING), 1
    steps = [life.steps[version] for version in sorted(life.steps)]
    opened = next((step for step in steps if step.state == "granted"), None)
    if opened is None:
        return
    yield OPENED, 1
    ended = next((step for step in steps if step.version > opened.version and step.state in _ENDS), None)
    if ended is None:
        return
    seconds = int((datetime.fromisoformat(ended.at) - datetime.fromisoformat(opened.at)).total_seconds())
    yield CLOSED, 1
    yield OPEN_SECONDS, seconds
    yield next(measure for measure, most in DURATIONS if seconds <= most or not most), 1


UNLOCKS = Subject("unlock", UnlockLife(), _told, lambda life: life.steps[max(life.steps)].school_id if life.steps else "", _counts)
"""Counted by the month of the request (Viet Nam's legal time) and by reason."""
