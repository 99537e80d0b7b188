"""Unlocks whose own time has come: to be reported, granted, expired or lapsed, without anybody asking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.locking.application import unlocking
from services.locking.application.ports import Transactions
from services.locking.domain.people import SERVICE

BATCH = 200


@dataclass(frozen=True, slots=True)
class MoveDue:
    """Take the steps that the clock asks for, each unlock in a transaction of its own under its class's row."""

    transactions: Transactions

    async def __call__(self, now: datetime) -> int:
        async with self.transactions(SERVICE) as work:
            due = await work.unlocks.due(now, BATCH)
        moved = 0
        for unlock_id, class_id in due:
            async with self.transactions(SERVICE) as work:
                await work.roster.hold_class(class_id)
                unlock = await work.unlocks.get(unlock_id, hold=True)
                if unlock is not None:
                    moved += (await unlocking.advance(work, unlock, now)).version > unlock.version
        return moved
