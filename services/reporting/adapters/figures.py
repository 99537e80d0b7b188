"""Reads the counters and what is shown beside them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.chassis.database import Database
from services.reporting.adapters.results import RESULTS
from services.reporting.adapters.statements import QUERIES
from services.reporting.application.ports import Coverage, Difference, Missing, Place
from services.reporting.domain.classes import CLOSED_UNLOCK_STATES, Sheet, Unlock
from services.reporting.domain.counting import Age, ages_of
from services.reporting.domain.standing import MEASURES

_PARTS = {"province": "provinces_of", "school": "schools_of", "class": "classes_of"}


@dataclass(frozen=True)
class PostgresFigures:
    """Fulfils the port Figures. Use cases have decided before what the caller may ask for."""

    database: Database

    async def latest_year(self) -> int:
        """By the nation's counters: one index look-up."""
        rows = await self._fetch("latest_year")
        return int(rows[0]["school_year"] or 0)

    async def school(self, school_id: str) -> Place | None:
        """By id."""
        rows = await self._fetch("school", _uuid(school_id))
        return Place(rows[0]["province_id"], rows[0]["school_id"], "", rows[0]["name"]) if rows else None

    async def class_(self, class_id: str) -> Place | None:
        """By id."""
        rows = await self._fetch("class", _uuid(class_id))
        return Place(rows[0]["province_id"], rows[0]["school_id"], rows[0]["class_id"], rows[0]["name"], rows[0]["grade"]) if rows else None

    async def coverage(self, school_year: int, scope: str, scope_id: str) -> Mapping[str, int]:
        """A handful of rows for each grade, whatever the scope."""
        return {row["measure"]: row["pupils"] for row in await self._fetch("coverage", scope, scope_id, school_year)}

    async def by_grade(self, school_year: int, place: Place) -> Sequence[Coverage]:
        """The very rows that make the scope's own number."""
        scope, scope_id = place.scope
        found: dict[int, dict[str, int]] = {}
        for row in await self._fetch("coverage_by_grade", scope, scope_id, school_year):
            found.setdefault(row["grade"], {})[row["measure"]] = row["pupils"]
        return [Coverage(replace(place, grade=grade, name=str(grade)), counts) for grade, counts in found.items()]

    async def ages(self, school_year: int, scope: str, scope_id: str) -> Mapping[str, Age]:
        """By reason and day; a class is counted pupil by pupil."""
        rows = await (self._fetch("waits_of_class", scope_id) if scope == "class" else self._fetch("waits", scope, scope_id, school_year))
        return ages_of((row["reason"], row["day"], row["pupils"]) for row in rows)

    async def province(self, province_id: str) -> Place | None:
        """By id."""
        rows = await self._fetch("province", province_id)
        return Place(province_id, name=rows[0]["name"]) if rows[0]["name"] is not None else None

    async def parts(self, school_year: int, scope: str, province_id: str, school_id: str) -> Sequence[Coverage]:
        """Provinces, schools or classes with anything counted."""
        found: dict[Place, dict[str, int]] = {}
        statement, within = _PARTS[scope], () if scope == "province" else (province_id, school_id)
        for row in await self._fetch(statement, school_year, *within):
            place = Place(row["province_id"], row["school_id"], row["class_id"], row["name"], row["grade"])
            found.setdefault(place, {})[row["measure"]] = row["pupils"]
        return [Coverage(place, counts) for place, counts in found.items()]

    async def missing(self, school_year: int, school_id: str, class_id: str) -> Sequence[Missing]:
        """Pupils by id."""
        rows = await self._fetch("missing", school_year, _uuid(school_id), class_id)
        return [Missing(row["pupil_id"], row["class_id"], row["reason"], row["since"]) for row in rows]

    async def sheets(self, class_id: str) -> Sequence[Sheet]:
        """By subject and term."""
        rows = await self._fetch("sheets", _uuid(class_id))
        return [Sheet(row["class_id"], row["subject"], row["term"], row["version"], row["expected"], row["filled"]) for row in rows]

    async def unlocks(self, class_id: str) -> Sequence[Unlock]:
        """Those that somebody still has to act on."""
        rows = await self._fetch("unlocks", _uuid(class_id), sorted(CLOSED_UNLOCK_STATES))
        return [Unlock(row["unlock_id"], row["class_id"], row["version"], row["state"], row["moved_at"].isoformat()) for row in rows]

    async def differences(self, school_year: int, province_id: str) -> Sequence[Difference]:
        """Sums first, then the fresh count."""
        sums = await self._fetch("sums", school_year, province_id)
        found = [Difference(f"{row['scope']}_is_sum_of_parts", row["below"], row["above"], f"{row['scope_id']} {row['measure']}") for row in sums]
        bits = [int(step) for step in MEASURES.values()]
        waits = await self._fetch("wait_sums", school_year, province_id)
        found += [Difference("waiting_is_sum_of_reason", row["waiting"], row["counted"], f"{row['scope']} {row['scope_id']} {row['reason']}") for row in waits]
        days = await self._fetch("recount_waits", school_year, province_id)
        found += [Difference("waiting_is_count_of_pupils", row["fresh"], row["kept"], f"{row['school_id']} {row['reason']} {row['day']}") for row in days]
        async with self.database.transaction() as connection:
            results = await connection.fetch(RESULTS["result_sums"], school_year, province_id)
        found += [
            Difference("results_are_sum_of_classes", row["fresh"], row["kept"], f"{row['province_id']} {row['grade']} {row['item']} {row['level']}")
            for row in results
        ]
        fresh = await self._fetch("recount", school_year, province_id, list(MEASURES), bits)
        return found + [Difference("class_is_count_of_pupils", row["fresh"], row["kept"], f"{row['class_id']} {row['measure']}") for row in fresh]

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return await connection.fetch(QUERIES[statement], *arguments)


def _uuid(text: str) -> uuid.UUID | None:
    """The id as the tables have it, so that their indices serve; None, which equals nothing, for what is no id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
