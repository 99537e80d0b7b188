"""Keep grading's copy of the roster up to date from enrollment's events; every step is guarded by versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.grading.application.ports import Enrolment, FormedClass, School, Staff, Teaching, Transactions, Transfer


@dataclass(frozen=True, slots=True)
class KeepRoster:
    """Apply facts about schools, classes, staff and pupils; older or repeated ones change nothing."""

    transactions: Transactions

    async def schools(self, schools: Sequence[School]) -> None:
        """Keep schools as they are called now; sealed records keep the name they were sealed under."""
        async with self.transactions() as work:
            await work.roster.put_schools(schools)

    async def staff(self, staff: Sequence[Staff]) -> None:
        """Keep who works where, and the names that are printed."""
        async with self.transactions() as work:
            await work.roster.put_staff(staff)

    async def classes(self, classes: Sequence[FormedClass]) -> None:
        """Keep classes."""
        async with self.transactions() as work:
            await work.roster.put_classes(classes)

    async def teaching(self, teaching: Sequence[Teaching]) -> None:
        """Keep who teaches what."""
        async with self.transactions() as work:
            for one in teaching:
                await work.roster.put_teaching(one)

    async def enrolments(self, enrolments: Sequence[Enrolment]) -> None:
        """Put pupils into classes; whoever changes schools brings the running year's marks."""
        async with self.transactions() as work:
            await work.roster.enrol(enrolments)

    async def transfers(self, transfers: Sequence[Transfer]) -> None:
        """Move pupils."""
        async with self.transactions() as work:
            for transfer in transfers:
                await work.roster.transfer(transfer)
