"""A window is closed before its time, or withdrawn before it opened."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import planning, standing
from services.locking.application.ports import Request, Transactions, Work
from services.locking.application.set_window import write_down
from services.locking.domain.people import Caller
from services.locking.domain.refusals import Unknown
from services.locking.domain.window import Window, closed


@dataclass(frozen=True, slots=True)
class Command:
    request: Request
    caller: Caller
    window_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class CloseWindow:
    """End a window now; the classes it had open are sealed as if its time had come."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Window:
        async with self.transactions(command.caller) as work:
            if await work.answered(command.request) is None:
                await self._close(work, command)
                await work.keep_answer(command.request, command.window_id)
            window = await work.windows.get(command.window_id)
            assert window is not None
            return window

    async def _close(self, work: Work, command: Command) -> None:
        seen = await work.windows.get(command.window_id)
        if seen is None:
            raise Unknown(f"window {command.window_id}")
        standing.speaks_for(command.caller, seen.scope)
        await work.windows.hold_plan(seen.school_year, seen.term)
        window = await work.windows.get(command.window_id)
        assert window is not None
        now = self.clock.now()
        later = closed(window, now)
        await work.windows.put(later, command.caller, command.reason, now)
        others = await work.windows.bearing_on(window.scope, window.school_year, window.term)
        places = await work.roster.places(window.scope, window.school_year)
        classes, over = await planning.bring_in_line(work, places, window.term, others, now)
        await write_down(work, later, "window_withdrawn" if later.withdrawn else "window_closed", command.caller, classes - over, now)
