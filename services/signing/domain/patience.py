"""How long an order waits for an outside party, and how often it asks: sooner at first, then more slowly, and not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

_PAUSES = (15, 60, 300, 900, 1800)
LONGEST_WAIT = timedelta(hours=12)
"""Then the pupils fail with the reason, and a retry by hand begins anew. Shorter than an intent lives."""


def next_try(since: datetime, tries: int, now: datetime) -> datetime | None:
    """When to ask again after `tries` answers that were none; None when it has waited long enough."""
    if now - since >= LONGEST_WAIT:
        return None
    return now + timedelta(seconds=_PAUSES[min(tries, len(_PAUSES)) - 1])
