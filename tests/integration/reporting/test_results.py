"""Results by level on a real database: any order of tallies leads to the same counters, and rebuilding finds and mends what was damaged."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from hocba.grading.v1 import events_pb2 as grading_pb2
from services.chassis.consumer import Received, handlers_of
from services.chassis.database import Database, RowScope
from services.chassis.envelope import Envelope
from services.reporting.adapters.figures import PostgresFigures
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.adapters.results import PostgresResults
from services.reporting.adapters.tallies import PostgresTallies
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.count_results import CountResults
from services.reporting.application.get_results import GetResults
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.ports import Viewer
from services.reporting.application.rebuild_counters import RebuildCounters
from services.reporting.application.reconcile import Reconcile
from services.reporting.entrypoints.sealed_consumers import SealedConsumers
from services.stack import pki
from tests.integration.reporting.test_read_model import named
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory

EVERYTHING = Viewer(everything=True)
HANOI, SAIGON = "2025-01", "2025-79"


class Results:
    """Reporting with a reader key, and grading's envelope."""

    def __init__(self, database: Database, keys: pki.Keys) -> None:
        self.database, self.store = database, PostgresResults(database)
        self.grading = Envelope(keys.envelope_readers, keys.envelope_key("grading"), "grading")
        model, envelope = PostgresReadModel(database), Envelope(keys.envelope_readers, keys.envelope_key("reporting"), "reporting")
        self.handlers = handlers_of(SealedConsumers(ApplyNews(model), KeepDetails(model), count=CountResults(self.store), envelope=envelope))

    def tallied(self, name: str, version: int, province: str, counts: dict[tuple[str, str], int], grade: int = 8) -> grading_pb2.ResultsTallied:
        event = grading_pb2.ResultsTallied(class_id=named(name), province_id=province, school_year=2025, grade=grade, version=version)
        told = [grading_pb2.ResultCount(item=item, level=level, pupils=pupils) for (item, level), pupils in counts.items()]
        self.grading.seal(event, "tally", grading_pb2.ResultTally(counts=told))
        return event

    async def receive(self, events: Sequence[grading_pb2.ResultsTallied], batch: int = 1) -> None:
        for start in range(0, len(events), batch):
            await self.handlers[grading_pb2.ResultsTallied]([Received(event, "", "", datetime.now(UTC), {}) for event in events[start : start + batch]])

    async def learning(self, province: str = "") -> dict[str, int | None]:
        found, _, _ = await GetResults(self.store, 2)(EVERYTHING, 2025, province, "learning")
        return {level.level: level.pupils for one in found if not one.grade for level in one.levels}


@pytest_asyncio.fixture
async def results(make_database: DatabaseFactory) -> AsyncIterator[Results]:
    database = Database(make_database("reporting").url, name="test", pool=4)
    await database.open()
    with scratch_places("results") as places:
        yield Results(database, pki.prepare(places))
    await database.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_order_and_repetition_leads_to_the_newest_counts(results: Results, seed: int) -> None:
    events = [
        results.tallied("a", 1, HANOI, {("learning", "good"): 30, ("learning", "fail"): 5}),
        results.tallied("a", 2, HANOI, {("learning", "good"): 31, ("learning", "fail"): 4}),
        results.tallied("a", 3, HANOI, {("learning", "good"): 31, ("learning", "fail"): 3}),
        results.tallied("b", 1, HANOI, {("learning", "fair"): 20}),
        results.tallied("c", 2, SAIGON, {("learning", "good"): 40}),
        results.tallied("c", 1, HANOI, {("learning", "good"): 40}),
    ]
    events += random.Random(seed).sample(events, 3)
    random.Random(seed).shuffle(events)
    await results.receive(events, batch=seed)
    assert await results.learning(HANOI) == {"good": 31, "fair": 20, "pass": 0, "fail": 3}
    assert await results.learning(SAIGON) == {"good": 40, "fair": 0, "pass": 0, "fail": 0}
    assert await results.learning() == {"good": 71, "fair": 20, "pass": 0, "fail": 3}
    assert await Reconcile(PostgresFigures(results.database), PostgresTallies(results.database))(EVERYTHING, 2025, "") == []


async def test_damage_is_found_and_mended_by_a_rebuild(results: Results) -> None:
    await results.receive([results.tallied("a", 1, HANOI, {("learning", "good"): 30}), results.tallied("b", 1, SAIGON, {("conduct", "good"): 12})])
    async with results.database.transaction() as connection:
        await connection.execute("UPDATE result_counters SET pupils = pupils + 1 WHERE province_id = $1", HANOI)
    reconcile = Reconcile(PostgresFigures(results.database), PostgresTallies(results.database))
    (found,) = await reconcile(EVERYTHING, 2025, "")
    assert (found.check, found.left, found.right, found.detail) == ("results_are_sum_of_classes", 30, 31, "2025-01 8 learning good")
    assert await reconcile(EVERYTHING, 2025, SAIGON) == []
    await RebuildCounters(PostgresReadModel(results.database))()
    assert await reconcile(EVERYTHING, 2025, "") == []
    assert (await results.learning(HANOI))["good"] == 30


async def test_what_a_class_told_is_closed_to_every_scope_but_the_systems(results: Results) -> None:
    await results.receive([results.tallied("a", 1, HANOI, {("learning", "good"): 30})])
    for scope, rows in ((RowScope("system"), 1), (RowScope("province", province=HANOI), 0), (RowScope("school", schools=(named("s1"),)), 0)):
        async with results.database.transaction(scope) as connection:
            assert await connection.fetchval("SELECT count(*) FROM class_results") == rows
