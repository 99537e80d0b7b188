"""What is counted beside the pupils, as JSON over HTTP: beside http_api.py, by its rules."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from services.chassis.clock import Clock
from services.chassis.errors import Malformed
from services.reporting import contracts
from services.reporting.application.get_tally import GetTally
from services.reporting.entrypoints.http_api import PREFIX, arguments, as_json
from services.reporting.entrypoints.http_door import HTTPDoor

_PARTS = ("", "province", "school")


@dataclass(frozen=True)
class TallyAPI:
    """
    GET /api/v1/staff?province=&school=&by=            who can sign
    GET /api/v1/unlocks?province=&school=&by=&since=&until=   how many unlocks, why, how long; of these months
    """

    door: HTTPDoor
    get_staff: GetTally
    get_unlocks: GetTally
    expiring_days: int
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """All are read-only."""
        return [web.get(PREFIX + "staff", self.staff), web.get(PREFIX + "unlocks", self.unlocks)]

    async def staff(self, request: web.Request) -> web.Response:
        """GetStaffReadiness."""
        viewer = self.door.viewer(request, "GetStaffReadiness")
        asked = arguments(request, "province", "school", "by")
        found = await self.get_staff(viewer, asked["province"], asked["school"], _by(asked["by"]))
        return as_json(contracts.staff_answer(*found, self.expiring_days, self.clock.now()))

    async def unlocks(self, request: web.Request) -> web.Response:
        """GetUnlockStatistics."""
        viewer = self.door.viewer(request, "GetUnlockStatistics")
        asked, now = arguments(request, "province", "school", "by", "since", "until"), self.clock.now()
        months = contracts.months_of(asked["since"], asked["until"], now)
        found = await self.get_unlocks(viewer, asked["province"], asked["school"], _by(asked["by"]), *months)
        return as_json(contracts.unlock_answer(*found, months, now))


def _by(asked: str) -> str:
    if asked not in _PARTS:
        raise Malformed(f"by is province or school, not {asked!r}", code="by")
    return asked
