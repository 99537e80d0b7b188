"""Tell anew how the results of classes are spread that were sealed long ago."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.grading.application.ports import Transactions

AT_ONCE = 500
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class TallyClasses:
    """For classes that were sealed before tallies were told, and for a reader that has lost what it knew. Repeats are harmless."""

    transactions: Transactions

    async def __call__(self, school_year: int, say: Callable[[int], None]) -> int:
        """How many classes were told of, each in a transaction of its own; `school_year` 0 is every year. `say` hears how many, now and then."""
        told, after = 0, _BEFORE_ALL
        while True:
            async with self.transactions() as work:
                class_ids = await work.sealed_classes(school_year, after, AT_ONCE)
            if not class_ids:
                return told
            for class_id in class_ids:
                async with self.transactions() as work:
                    await work.tally_results(await work.hold_class(class_id))
            told, after = told + len(class_ids), class_ids[-1]
            say(told)
