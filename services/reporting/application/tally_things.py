"""Count things of one subject: facts, what follows from them, and counters change in one transaction, or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.chassis.clock import Clock
from services.reporting.application.tally_ports import Item, TallyStore, TallyWork
from services.reporting.domain.classes import School
from services.reporting.domain.tallying import Subject, Tallied, differences

PAGE = 2000


@dataclass(frozen=True, slots=True)
class TallyThings:
    """Takes in news of a subject's things. Repeats and outdated news change nothing; the order of batches doesn't matter."""

    subject: Subject[Any, Any]
    store: TallyStore
    clock: Clock

    async def __call__(self, news: Sequence[tuple[str, Any]]) -> int:
        """From (thing's id, news): how many things' facts changed."""
        async with self.store.transaction() as work:
            items = await work.items(self.subject, {item_id for item_id, _ in news})
            facts = {item_id: item.facts for item_id, item in items.items()}
            for item_id, item_news in news:
                facts[item_id] = self.subject.told(facts[item_id], item_news)
            changed = {item_id: known for item_id, known in facts.items() if known != items[item_id].facts}
            await self.recount(work, items, changed)
            return len(changed)

    async def recount(self, work: TallyWork, items: Mapping[str, Item], facts: Mapping[str, Any]) -> None:
        """Move the counters from what these items count to what follows from these facts now."""
        places = await work.places({self.subject.school_of(known) for known in facts.values()} - {""})
        now = self.clock.now()
        after = {}
        for item_id, known in facts.items():
            school_id = self.subject.school_of(known)
            counts, turns_at = self.subject.counts(known, now)
            after[item_id] = Item(known, Tallied(school_id, places.get(school_id, ""), counts), turns_at)
        await work.save(self.subject, after)
        await work.add(self.subject, differences((items[item_id].tallied for item_id in after), (item.tallied for item in after.values())))

    async def turn(self) -> int:
        """Count anew some of the things whose time has come; how many there were."""
        async with self.store.transaction() as work:
            return await self._again(work, await work.due(self.subject, self.clock.now(), PAGE))

    async def rebuild(self) -> int:
        """Count everything anew from the facts, in one transaction that keeps writers out; how many things there are."""
        async with self.store.transaction() as work:
            await work.empty(self.subject)
            counted, after = 0, ""
            while ids := await work.page(self.subject, after, PAGE):
                items = await work.items(self.subject, ids)
                await self.recount(work, {item_id: Item(item.facts) for item_id, item in items.items()}, {i: item.facts for i, item in items.items()})
                counted, after = counted + len(ids), ids[-1]
            return counted

    async def schools_moved(self, work: TallyWork, school_ids: Iterable[str]) -> None:
        """Count the things of these schools in the province where the school is now."""
        await self._again(work, await work.of_schools(self.subject, school_ids))

    async def _again(self, work: TallyWork, ids: Sequence[str]) -> int:
        items = await work.items(self.subject, ids)
        await self.recount(work, items, {item_id: item.facts for item_id, item in items.items()})
        return len(items)


@dataclass(frozen=True, slots=True)
class PlaceSchools:
    """Keeps which province a school is in; what counts in the school goes with it."""

    store: TallyStore
    tallied: Sequence[TallyThings]

    async def __call__(self, schools: Sequence[School]) -> None:
        """Only a higher version replaces a lower one."""
        async with self.store.transaction() as work:
            if moved := await work.move_schools(schools):
                for things in self.tallied:
                    await things.schools_moved(work, moved)
