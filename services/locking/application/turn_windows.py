"""Windows that the clock has opened or closed: said to the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.locking.application.ports import Transactions
from services.locking.application.set_window import write_down
from services.locking.domain.people import SERVICE
from services.locking.domain.window import state_of, turns_at

BATCH = 100


@dataclass(frozen=True, slots=True)
class TurnWindows:
    """Announce each turn of a window once. A clock that goes back turns nothing back."""

    transactions: Transactions

    async def __call__(self, now: datetime) -> int:
        async with self.transactions(SERVICE) as work:
            due = await work.windows.due_to_turn(now, BATCH)
            for window in due:
                state = state_of(window, now)
                await work.windows.turned(window, state, turns_at(window, now))
                await write_down(work, window, f"window_turned_{state}", SERVICE, 0, now)
        return len(due)
