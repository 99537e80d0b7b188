"""Locking's copy of schools, classes, staff and teaching, kept from enrollment's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import planning
from services.locking.application.ports import Transactions
from services.locking.domain.people import SERVICE
from services.locking.domain.scope import Area, Place, Scope
from services.locking.domain.terms import Term

GRADING_FOLLOWS = timedelta(seconds=15)
"""Grading hears the same news on its own way and must have applied it before it is asked."""

School = tuple[UUID, int, str]
"""(school, version, province)"""
Class = tuple[Place, int, str]
"""(class, version, homeroom staff id)"""
Member = tuple[UUID, str, int, str, tuple[str, ...]]
"""(school, staff id, version, person id, roles)"""
Teaching = tuple[UUID, UUID, int, tuple[tuple[str, str], ...]]
"""(class, school, version, (subject, staff id) ...)"""


@dataclass(frozen=True, slots=True)
class FollowRoster:
    """Apply batches of the roster; a repeat or an older version changes nothing."""

    transactions: Transactions
    clock: Clock

    async def schools(self, rows: Sequence[School]) -> None:
        async with self.transactions(SERVICE) as work:
            await work.roster.put_schools(rows)

    async def classes(self, rows: Sequence[Class]) -> None:
        """A class that is news gets its leases at once, by the windows that are there already."""
        async with self.transactions(SERVICE) as work:
            years = sorted({place.school_year for place, _, _ in rows})
            for year in years:
                for term in Term:
                    await work.windows.hold_plan(year, term)
            news = await work.roster.put_classes(rows)
            for year in years:
                places = [place for place in news if place.school_year == year]
                for term in Term if places else ():
                    windows = await work.windows.bearing_on(Scope(Area.NATION), year, term)
                    await planning.bring_in_line(work, places, term, windows, self.clock.now())

    async def staff(self, rows: Sequence[Member]) -> None:
        async with self.transactions(SERVICE) as work:
            await work.roster.put_staff(rows)

    async def teaching(self, rows: Sequence[Teaching]) -> None:
        async with self.transactions(SERVICE) as work:
            await work.roster.put_teaching(rows)

    async def pupils(self, class_ids: Sequence[UUID]) -> None:
        """Something about pupils changed, perhaps what they waited for: look at their classes soon."""
        async with self.transactions(SERVICE) as work:
            await work.roster.hurry_late_check(class_ids, self.clock.now() + GRADING_FOLLOWS)
