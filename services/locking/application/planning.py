"""How leases follow windows: the one place where both are brought in line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.locking.application.ports import Work
from services.locking.domain.lease import planned
from services.locking.domain.scope import Place
from services.locking.domain.terms import Term
from services.locking.domain.window import Window, effective


async def bring_in_line(work: Work, places: Sequence[Place], term: Term, windows: Sequence[Window], now: datetime) -> tuple[int, int]:
    """
    Plan the lease of each class anew; returns how many there are and how many of them are closed for good.

    The classes' rows are held. Grading hears of each changed lease by an errand that is stored with it.
    """
    held = await work.leases.of([place.class_id for place in places], term)
    changed, closed = [], 0
    for place in places:
        stored = held.get(place.class_id)
        current = stored.lease if stored else None
        word = effective(place, term, windows)
        lease = planned(current, place.class_id, term, word, now)
        if current is not None and current.over(now):
            closed += 1
        elif lease is not None and (stored is None or lease != current or (word and stored.given_by != word.given_by)):
            changed.append((lease, word.given_by if word else None))
    await work.leases.put(changed)
    return len(places), closed
