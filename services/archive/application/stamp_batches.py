"""Put admitted documents into batches and get each batch its time stamp."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services.archive.application.evidence_ports import EvidenceLedger, TimeAuthority, Waiting
from services.archive.domain.evidence import MOST_LEAVES
from services.chassis.clock import Clock

ALGORITHM = "sha256"
"""Of first trees; the archive knows its documents by this digest anyway."""
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class StampBatches:
    """The tree is recorded before the authority is asked, and the token before anything else is said: a crash costs a question."""

    ledger: EvidenceLedger
    authority: TimeAuthority
    clock: Clock
    most: int = MOST_LEAVES
    every: timedelta = timedelta(minutes=10)

    async def __call__(self) -> int:
        """Cut what is due and stamp what is wanted; how many time stamps were got. Raises what the authority does, keeping what it gave before."""
        while self._due(await self.ledger.waiting(self.most)):
            await self.ledger.cut(ALGORITHM, self.most, self.clock.now())
        return await self.stamp_wanted()

    async def stamp_wanted(self, told: Callable[[int], None] = lambda done: None) -> int:
        """Get all time stamps that are wanted; how many there were."""
        done = 0
        while wanted := await self.ledger.unstamped(AT_ONCE):
            for stamp in wanted:
                token = await self.authority.stamp(stamp.algorithm, stamp.imprint)
                await self.ledger.keep(stamp.stamp_id, token, self.clock.now())
                done += 1
                told(done)
        return done

    def _due(self, waiting: Waiting) -> bool:
        if waiting.since is None:
            return False
        return waiting.documents >= self.most or self.clock.now() - waiting.since >= self.every
