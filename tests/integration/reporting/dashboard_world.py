"""The dashboard over a real database, after a small term end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp.test_utils import TestServer

from services.chassis.database import Database
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.adapters.results import PostgresResults
from services.reporting.adapters.snapshots import PostgresHistory
from services.reporting.app import dashboard
from services.reporting.application.count_results import CountResults
from services.reporting.application.take_snapshot import TakeSnapshot
from services.reporting.domain.results import ClassTally
from services.reporting.settings import ReportingSettings
from services.stack import pki
from services.stack.places import Places
from services.stack.postgresql import Databases
from tests.integration.reporting.test_read_model import SCHOOLS, HandClock, Reporting, named, whole_term
from tests.integration.reporting.test_tallies import Counting, staff_events, unlock_events

MINISTRY = ("ministry_officer@nation",)
OPERATOR = ("system_operator@nation",)


@dataclass(frozen=True)
class DashboardWorld:
    """A server, what it answers about, and who may ask."""

    reporting: Reporting
    server: TestServer
    keys: pki.Keys

    @property
    def url(self) -> str:
        """Of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self.server.port}"

    def token(self, *roles: str) -> str:
        """Of somebody who has these roles."""
        return self.keys.token("somebody", "somebody", roles)

    def bearer(self, *roles: str) -> dict[str, str]:
        """The header that carries it."""
        return {"Authorization": f"Bearer {self.token(*roles)}"}


@asynccontextmanager
async def dashboard_world(databases: Databases, places: Places, *, proxies: int = 0) -> AsyncIterator[DashboardWorld]:
    """Count a term end, and serve."""
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    keys = pki.prepare(places)
    settings = ReportingSettings.model_construct(token_keys_file=keys.token_keys, token_issuer=pki.ISSUER, page_proxies=proxies, certificate_expiring_days=30)
    history = PostgresHistory(database)
    pages = dashboard(settings, PostgresFigures(database), history, PostgresReconciliations(database))
    server = TestServer(pages.application())
    await server.start_server()
    reporting = Reporting(database)
    events = whole_term()
    for at, part in ((datetime(2026, 5, 31, 1, tzinfo=UTC), events[: len(events) // 2]), (datetime(2026, 6, 1, 1, tzinfo=UTC), events[len(events) // 2 :])):
        await reporting.receive(part, batch=500)
        await TakeSnapshot(history, HandClock(at))()
    await Counting(database).receive([*staff_events(), *unlock_events()])
    await CountResults(PostgresResults(database))(tallies())
    try:
        yield DashboardWorld(reporting, server, keys)
    finally:
        await server.close()
        await database.close()


def tallies() -> list[tuple[str, ClassTally]]:
    """Results of two provinces, one of which has a count too small to be told."""
    of = {
        "s1-1": {("learning", "good"): 30, ("learning", "fair"): 12, ("learning", "fail"): 3, ("subject:toan", "from_8_0"): 45},
        "s3-1": {
            ("learning", "good"): 50,
            ("learning", "fair"): 20,
            ("learning", "fail"): 11,
            ("subject:toan", "from_8_0"): 60,
            ("subject:toan", "from_5_0"): 21,
        },
    }
    return [(named(name), ClassTally(1, 2025, SCHOOLS[name[:2]], 10, counts)) for name, counts in of.items()]


SCHOOL, OTHER_SCHOOL = named("s1"), named("s3")
PROVINCE, OTHER_PROVINCE = SCHOOLS["s1"], SCHOOLS["s3"]
CLASS = named("s1-1")
