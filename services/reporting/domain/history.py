"""When the numbers are written down: the nation's and the provinces' each hour, the schools' each day."""

from datetime import datetime, timedelta, timezone

LEGAL_TIME = timezone(timedelta(hours=7))
"""Viet Nam's legal time; it has no summer time."""


def due(last: datetime | None, now: datetime) -> tuple[str, ...]:
    """The scopes whose numbers must be written down at `now`, when they were looked at `last` (None: never)."""
    here = now.astimezone(LEGAL_TIME)
    before = last.astimezone(LEGAL_TIME) if last else None
    if before is None or here.date() != before.date():
        return ("nation", "province", "school")
    return ("nation", "province") if here.hour != before.hour else ()
