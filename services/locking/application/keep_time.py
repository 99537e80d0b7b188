"""The scheduler: one round of everything that time asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.chassis.clock import Clock
from services.locking.application.close_due import CloseDue
from services.locking.application.look_for_late import LookForLate
from services.locking.application.move_due import MoveDue
from services.locking.application.ports import Witness
from services.locking.application.turn_windows import TurnWindows


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did; `clocks_differ` says that it did nothing because two clocks disagree."""

    closed: int = 0
    moved: int = 0
    turned: int = 0
    late: int = 0
    clocks_differ: bool = False


@dataclass(frozen=True, slots=True)
class KeepTime:
    """
    Do what is due by the clock, if a second clock agrees.

    Sealing a province because one machine's clock has jumped a year ahead can't be undone, so a round does nothing
    while its clock and the witness are further apart than the tolerance. Waiting costs nothing: leases end in grading
    by grading's own clock. A clock that has gone back is waited for in the same way, and nothing is ever turned back.
    """

    close_due: CloseDue
    move_due: MoveDue
    turn_windows: TurnWindows
    look_for_late: LookForLate
    clock: Clock
    witness: Witness
    tolerance: timedelta

    async def __call__(self) -> Round:
        seen = await self.witness.now()
        now = self.clock.now()
        if seen is None or abs(now - seen) > self.tolerance:
            return Round(clocks_differ=True)
        # Unlocks first: one that expires at the very time of a closing is then sealed by its own order, not left open.
        moved = await self.move_due(now)
        closed = await self.close_due(now)
        turned = await self.turn_windows(now)
        return Round(closed, moved, turned, await self.look_for_late(now))
