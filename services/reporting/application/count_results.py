"""Take in how classes' results are spread."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting.application.result_ports import ResultModel
from services.reporting.domain.results import ClassTally, moved, newest


@dataclass(frozen=True, slots=True)
class CountResults:
    """Replaces what a class told by a higher version, and moves its province's counters by the difference. Repeats change nothing."""

    model: ResultModel

    async def __call__(self, news: Sequence[tuple[str, ClassTally]]) -> int:
        """How many classes moved; from (class id, tally)."""
        async with self.model.results_transaction() as work:
            known = await work.tallies({class_id for class_id, _ in news})
            replaced = newest(known, news)
            await work.save_tallies(replaced)
            await work.add_results(moved([known[class_id] for class_id in replaced], replaced.values()))
            return len(replaced)
