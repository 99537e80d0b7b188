"""Keep what enrollment tells of schools, staff and classes, as far as signing needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.signing.application.stores import Transactions
from services.signing.domain.people import StaffMember


@dataclass(frozen=True, slots=True)
class SchoolFact:
    """A school's newest facts."""

    school_id: str
    province_id: str
    version: int
    name: str


@dataclass(frozen=True, slots=True)
class HomeroomFact:
    """Who is homeroom teacher of a class, by enrollment's version of the class."""

    class_id: str
    staff_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class TeachingFact:
    """Who is responsible for each subject of a class at the year's end, by enrollment's version of the whole list."""

    class_id: str
    version: int
    responsible: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KnowPeople:
    """Apply facts; older versions change nothing."""

    transactions: Transactions

    async def __call__(self, facts: Sequence[SchoolFact | StaffMember | HomeroomFact | TeachingFact]) -> None:
        """Apply a batch in its order."""
        async with self.transactions() as work:
            for fact in facts:
                if isinstance(fact, SchoolFact):
                    await work.people.know_school(fact.school_id, fact.province_id, fact.version, fact.name)
                elif isinstance(fact, StaffMember):
                    await work.people.know_staff(fact)
                elif isinstance(fact, TeachingFact):
                    await work.people.know_teaching(fact.class_id, fact.version, fact.responsible)
                else:
                    await work.people.know_homeroom(fact.class_id, fact.staff_id, fact.version)
