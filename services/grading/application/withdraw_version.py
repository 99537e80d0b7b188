"""The archive has withdrawn an issued version: its results count no more."""

from __future__ import annotations

from dataclasses import dataclass

from services.grading.application.ports import Transactions


@dataclass(frozen=True, slots=True)
class WithdrawVersion:
    """Marks stay as they are, and so does the sealed version: a newer one may be sealed in its place, and counts. Repeats change nothing."""

    transactions: Transactions

    async def __call__(self, transcript_id: str, version: int) -> None:
        """Under the class's lock, so that a seal at the same time is tallied either before or after."""
        async with self.transactions() as work:
            class_id = await work.class_of_version(transcript_id, version)
            if class_id is None:
                return  # Issued from another product's records, or sealed before a restored backup: nothing of it was counted here.
            facts = await work.hold_class(class_id)
            if await work.withdraw(transcript_id, version):
                await work.tally_results(facts)
