"""The role `watch`: how each of the archive's duties stands, as metrics, for alerts."""

import asyncio
from dataclasses import dataclass

from services.archive.application.watch_duties import WatchDuties
from services.archive.domain.duties import Standing, State
from services.chassis.clock import Clock
from services.chassis.database import CONNECTION_ERRORS, STRAIN_ERRORS
from services.chassis.errors import ServiceError
from services.chassis.telemetry import log, metrics


@dataclass
class DutyWatch:
    """Looks at intervals; every process that has the role tells the same, so that one that hangs hides nothing."""

    watch: WatchDuties
    clock: Clock
    interval_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop. A look that can't be made leaves its time behind: alerts see that by `hocba.archive.watched`."""
        told: dict[tuple[str, str], State] = {}
        while not stop.is_set():
            try:
                for standing in await self.watch():
                    _measure(standing)
                    key = (standing.duty.value, standing.of)
                    if standing.state is not told.get(key, State.KEPT):
                        _tell(standing)
                    told[key] = standing.state
                metrics.watched.set(self.clock.now().timestamp())
            except (ServiceError, *CONNECTION_ERRORS, *STRAIN_ERRORS) as error:
                log.warning("the archive's duties can't be looked at", reason=str(error), error=type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), self.interval_seconds)
            except TimeoutError:
                continue


def _measure(standing: Standing) -> None:
    labels = {"duty": standing.duty.value, "of": standing.of}
    metrics.duty_state.set(standing.state.rank, labels)
    if standing.left is not None:
        metrics.duty_left.set(standing.left.total_seconds(), labels)


def _tell(standing: Standing) -> None:
    """Once for each change, so that a log alone tells the story too."""
    since = standing.since.isoformat() if standing.since else ""
    say = log.info if standing.state is State.KEPT else log.warning
    say("a duty of the archive", duty=standing.duty, of=standing.of, state=standing.state, since=since, count=standing.count, detail=standing.detail)
