"""Write down how the numbers stand."""

from dataclasses import dataclass
from datetime import datetime

from services.chassis.clock import Clock
from services.reporting.application.ports import History
from services.reporting.domain.history import due


@dataclass(slots=True)
class TakeSnapshot:
    """Only numbers that moved since they were last written down make a row, so that asking again, or twice at once, is harmless."""

    history: History
    clock: Clock
    last: datetime | None = None

    async def __call__(self) -> int:
        """How many scopes were written down; 0 when none is due or none has moved."""
        now = self.clock.now()
        scopes = due(self.last, now)
        taken = await self.history.take(now, scopes) if scopes else 0
        self.last = now
        return taken
