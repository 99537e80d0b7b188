"""How far a run is, and what doesn't go on, with its cure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis.errors import Denied, Malformed
from services.signing.application.ports import Failure, FailureSpot, Progress, Where
from services.signing.application.stores import Transactions
from services.signing.domain.people import Caller

PARTS = ("province", "school", "class")
MOST_FAILURES = 500


@dataclass(frozen=True, slots=True)
class GetRunProgress:
    """Counts of a school year by province, school or class, and by role. A caller sees the rows of the own scope alone."""

    transactions: Transactions

    async def __call__(self, caller: Caller, by: str, where: Where) -> tuple[int, list[Progress]]:
        """(school year, one row per part); year 0 is the latest that was sealed."""
        _refuse_teachers(caller)
        if by not in PARTS:
            raise Malformed(f"by is {', '.join(PARTS)}, not {by!r}", code="by")
        if by == "class" and not (where.school_id or where.province_id or where.class_id):
            raise Malformed("classes are told of a province, a school or a class; name one", code="place_missing")
        async with self.transactions(caller) as work:
            year = where.school_year or await work.progress.latest_year()
            return year, await work.progress.add_up(by, replace(where, school_year=year))


@dataclass(frozen=True, slots=True)
class GetProgress:
    """How far the classes of a school are, with every failure of theirs."""

    transactions: Transactions

    async def __call__(self, caller: Caller, school_id: str, class_id: str) -> tuple[list[Progress], list[Failure]]:
        """Counts per class and role, and what failed with its reason."""
        if not (school_id or class_id):
            raise Malformed("say which school or which class; GetRunProgress tells of provinces", code="place_missing")
        async with self.transactions(caller) as work:
            found = await work.progress.of_classes(school_id, class_id)
            failures: list[Failure] = []
            where, after = Where(0, "", school_id, class_id), None
            while page := await work.progress.failures(where, after, MOST_FAILURES):
                failures += page
                after = page[-1].spot
            return found, failures


@dataclass(frozen=True, slots=True)
class ListFailures:
    """Documents that don't go on, a page at a time."""

    transactions: Transactions

    async def __call__(self, caller: Caller, where: Where, after: FailureSpot | None, at_most: int) -> list[Failure]:
        """In the order of place and document; reasons may quote a record, so they stay with those who may see it."""
        _refuse_teachers(caller)
        async with self.transactions(caller) as work:
            return await work.progress.failures(where, after, min(at_most or MOST_FAILURES, MOST_FAILURES))


def _refuse_teachers(caller: Caller) -> None:
    if caller.only_teaches:
        raise Denied("who only teaches a subject sees the own sheets, not a school's progress", code="not_for_you")
