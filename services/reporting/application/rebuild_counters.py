"""Count everything anew from the pupils' facts."""

from collections import Counter
from dataclasses import dataclass

from services.reporting.application.ports import Key, PupilRow, ReadModel
from services.reporting.domain.counting import Cell, ClassFacts, Counted, Wait, differences
from services.reporting.domain.standing import standing_of

PAGE = 2000


@dataclass(frozen=True, slots=True)
class RebuildCounters:
    """Derives each standing again and replaces the counters, in one transaction that keeps writers out."""

    model: ReadModel

    async def __call__(self) -> int:
        """How many pupils were counted. The result is what the events would have led to, whatever the counters said."""
        async with self.model.transaction() as work:
            await work.empty_counters()
            counted, after = 0, None
            counters: Counter[Cell] = Counter()
            waits: Counter[Wait] = Counter()
            while rows := await work.page(after, PAGE):
                classes = await work.classes({standing_of(row.facts).class_id for row in rows.values()} - {""})
                lacking = {class_id for class_id, facts in classes.items() if facts.signing.lacking}
                fresh: dict[Key, PupilRow] = {}
                new: list[Counted] = []
                for key, row in rows.items():
                    standing = standing_of(row.facts, lacking)
                    if standing != row.standing:
                        fresh[key] = PupilRow(row.facts, standing, row.since)
                    new.append(Counted(key.school_year, standing, row.since, classes.get(standing.class_id, ClassFacts(0))))
                of_page, waits_of_page = differences([], new)
                counters.update(of_page)
                waits.update(waits_of_page)
                await work.save_pupils(fresh, classes)
                counted, after = counted + len(rows), max(rows)
            await work.add(counters, waits)
            await work.recount_results()
            return counted
