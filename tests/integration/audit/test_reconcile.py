"""Each harm to one store is told under its own name, with its pupil; and what is on its way isn't taken for lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.audit.lag import Lag
from services.audit.reconcile import Comparison, Range, reconcile
from services.audit.stores import Stores
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Denied
from services.chassis.relay import partition_of
from services.reporting.adapters.reconciliations import PostgresReconciliations
from services.reporting.application.get_reconciliation import GetReconciliation
from services.reporting.application.keep_reconciliation import KeepReconciliation
from services.reporting.application.ports import Place, Viewer
from services.reporting.domain.reconciliation import State
from services.stack.postgresql import Server
from tests.support.postgres import DatabaseFactory
from tests.support.reconciled import SERVICES, Agreeing

PUPILS = 880
"""Three schools in two provinces."""
FIRST = "md5('p1')::uuid"
THE_CLASS = "md5('c0')"


@pytest.fixture(scope="module")
def filled(postgres: Server, database_template: DatabaseFactory) -> Iterator[Agreeing]:
    templates = {service: database_template(service) for service in SERVICES}
    found = Agreeing(postgres, {service: postgres.copy(service, one.name, f"{one.name}_agreeing") for service, one in templates.items()})
    found.fill(PUPILS)
    yield found
    for database in found.databases.values():
        postgres.drop(database.name)


@pytest.fixture
def agreeing(filled: Agreeing) -> Iterator[Agreeing]:
    found = Agreeing(filled.server, dict(filled.databases))
    yield found
    found.forget()


@pytest.fixture
def lag(monkeypatch: pytest.MonkeyPatch) -> dict[str, Lag]:
    """What the broker says; nothing is behind unless a test says so."""
    told = {"lag": Lag()}

    async def lag_of(*_: Any) -> Lag:
        return told["lag"]

    monkeypatch.setattr("services.audit.reconcile.lag_of", lag_of)
    return told


async def compared(agreeing: Agreeing, wanted: Range = Range(), grace: timedelta = timedelta(minutes=15)) -> Comparison:
    async with Stores.at(agreeing.urls, {}) as stores:
        return await reconcile(stores, wanted, SystemClock(), grace=grace)


def told(found: Comparison) -> set[tuple[str, State]]:
    return {(one.name, one.state) for one in found.result.discrepancies}


async def test_stores_that_agree_have_no_difference(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    found = await compared(agreeing)
    assert found.result.discrepancies == ()
    assert found.result.versions == PUPILS
    assert {found.total[column] for column in ("locked", "sealed", "intended", "signed", "archived", "in_log", "current", "reported")} == {PUPILS}
    assert len(found.by_school) == 3


LOST = {
    "locked_not_sealed": ("grading", f"DELETE FROM sealed_versions WHERE pupil_id = {FIRST}"),
    "sealed_not_locked": ("locking", f"UPDATE locks SET outcomes = outcomes - 0 WHERE class_id::text = {THE_CLASS}::uuid::text"),
    "sealed_not_taken": ("signing", f"DELETE FROM transcript WHERE pupil_id = {FIRST}"),
    "taken_not_sealed": ("signing", f"UPDATE transcript SET version = 7, state = 'superseded' WHERE pupil_id = {FIRST}"),
    "sealed_not_intended": (
        "signing",
        f"UPDATE transcript SET state = 'sealed' WHERE pupil_id = {FIRST}; DELETE FROM manifest_entry WHERE transcript_id = md5('t1')::uuid",
    ),
    "intended_not_signed": (
        "signing",
        f"UPDATE transcript SET state = 'prepared' WHERE pupil_id = {FIRST}; UPDATE manifest SET state = 'ready';"
        " DELETE FROM signature WHERE transcript_id = md5('t1')::uuid",
    ),
    "signed_not_intended": ("signing", "DELETE FROM intent WHERE transcript_id = md5('t1')::uuid"),
    "signed_not_archived": ("archive", f"DELETE FROM transcripts WHERE pupil_id = {FIRST}"),
    "archived_not_signed": ("archive", f"UPDATE transcripts SET version = 7 WHERE pupil_id = {FIRST}"),
    "archived_not_in_log": ("archive", "DELETE FROM leaves WHERE leaf_id = 1"),
    "in_log_not_archived": ("archive", f"DELETE FROM transcripts WHERE pupil_id = {FIRST}"),
    "sealed_not_reported": ("reporting", f"UPDATE pupils SET facts = facts - 'sealed' WHERE pupil_id = {FIRST}"),
    "reported_not_sealed": ("grading", f"DELETE FROM sealed_versions WHERE pupil_id = {FIRST}"),
    "archived_not_reported": ("reporting", f"UPDATE pupils SET facts = facts - 'archived' WHERE pupil_id = {FIRST}"),
    "reported_not_archived": ("reporting", f"UPDATE pupils SET facts = facts || '{{\"archived\": 4}}' WHERE pupil_id = {FIRST}"),
    "revoked_not_reported": (
        "archive",
        "INSERT INTO revocations SELECT transcript_id, version, school_id, province_id, transcript_id, 'a', 'b', 1000000, now() - interval '1 day'"
        f" FROM transcripts WHERE pupil_id = {FIRST}",
    ),
    "reported_not_revoked": ("reporting", f"UPDATE pupils SET facts = facts || '{{\"revoked\": 1}}' WHERE pupil_id = {FIRST}"),
    "counted_otherwise": ("reporting", f"UPDATE counters SET pupils = pupils + 1 WHERE scope_id = {THE_CLASS}::uuid::text"),
}


@pytest.mark.parametrize("name", LOST)
async def test_each_harm_has_its_name_and_names_its_pupil(agreeing: Agreeing, lag: dict[str, Lag], name: str) -> None:
    agreeing.harm(*LOST[name])
    found = await compared(agreeing)
    [one] = [one for one in found.result.discrepancies if one.name == name]
    assert one.state is State.LOST
    assert one.class_id.replace("-", "") == "" or one.school_id
    if name != "counted_otherwise":
        [[expected]] = [list(row) for row in await _fetch(agreeing, "reporting", f"SELECT ({FIRST})::text")]
        assert (one.pupil_id, one.school_year, one.province_id) == (expected, 2025, "2025-01")
    # Nothing of another school or province is drawn in.
    assert len({(one.school_id, one.class_id) for one in found.result.discrepancies}) == 1
    assert (await compared(agreeing, Range(province_id="2025-79"))).result.discrepancies == ()


async def test_document_of_another_leaf_is_not_in_the_log(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    agreeing.harm("archive", "UPDATE leaves SET statement = (SELECT statement FROM leaves WHERE leaf_id = 2) WHERE leaf_id = 1")
    assert told(await compared(agreeing)) == {("archived_not_in_log", State.LOST)}


async def test_what_is_on_its_way_is_told_apart_from_what_is_lost(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    agreeing.harm(*LOST["archived_not_reported"])
    name = "archived_not_reported"
    assert told(await compared(agreeing)) == {(name, State.LOST)}
    assert told(await compared(agreeing, grace=timedelta(days=2))) == {(name, State.IN_FLIGHT)}
    [one] = (await compared(agreeing)).result.discrepancies
    lag["lag"] = Lag(frozenset({("reporting", "hocba.archive.admission.v1", partition_of(one.class_id.encode(), 6))}), {"hocba.archive.admission.v1": 6})
    assert told(await compared(agreeing)) == {(name, State.IN_FLIGHT)}
    lag["lag"] = Lag(frozenset({("reporting", "hocba.archive.admission.v1", (partition_of(one.class_id.encode(), 6) + 1) % 6)}), lag["lag"].partitions)
    assert told(await compared(agreeing)) == {(name, State.LOST)}, "another partition's lag explains nothing"
    agreeing.harm("archive", f"INSERT INTO hocba_outbox (topic, key, type, event_id, payload, traceparent, created_at)"
                  f" SELECT 't', {THE_CLASS}::uuid::text, 't', gen_random_uuid(), '', '', now()")  # fmt: skip
    assert told(await compared(agreeing)) == {(name, State.IN_FLIGHT)}
    agreeing.harm("reporting", f"INSERT INTO hocba_parked (consumer, topic, partition, \"offset\", key, type, event_id, headers, payload, reason)"
                  f" SELECT 'reporting', 't', 0, 0, {THE_CLASS}::uuid::text, 't', '', '{{}}', '', 'bug'")  # fmt: skip
    found = await compared(agreeing)
    assert told(found) == {(name, State.PARKED)}
    assert found.result.discrepancies[0].why == "parked by reporting"


async def test_order_with_a_worker_and_leaf_without_a_place_are_on_their_way(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    agreeing.harm(*LOST["intended_not_signed"])
    agreeing.harm("signing", "INSERT INTO signing_order (order_id, class_id, step, attempt, state, fixed_at, province_id, cost, express, queued_at)"
                  f" VALUES (gen_random_uuid(), {THE_CLASS}::uuid, 'sign', 0, 'released', now(), '2025-01', 1, false, now())")  # fmt: skip
    agreeing.harm("signing", "INSERT INTO order_line (order_id, transcript_id, version) SELECT order_id, md5('t1')::uuid, 1 FROM signing_order")
    agreeing.harm("archive", "UPDATE leaves SET log_index = NULL WHERE leaf_id = 5")
    # The archive holds what isn't signed any more: that is no harm of an order under way.
    agreeing.harm("archive", "DELETE FROM leaves WHERE leaf_id = 1")
    agreeing.harm("archive", f"DELETE FROM transcripts WHERE pupil_id = {FIRST}")
    agreeing.harm("reporting", f"UPDATE pupils SET facts = facts - 'archived', steps = 5 WHERE pupil_id = {FIRST}")
    agreeing.harm("reporting", f"UPDATE counters SET pupils = pupils - 1 WHERE scope_id = {THE_CLASS}::uuid::text")
    found = await compared(agreeing)
    assert [(one.name, one.state, one.why) for one in found.result.discrepancies] == [("archived_not_in_log", State.IN_FLIGHT, "waits_for_place")]
    assert found.total["waiting"] == 1


async def test_corrected_version_and_moved_pupil_are_no_difference(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    """The newest version counts in another class than the one before, which reporting has not told of yet as archived."""
    other = "md5('c1')::uuid"
    agreeing.harm("reporting", f"UPDATE pupils SET class_id = {other}::text WHERE pupil_id = {FIRST}")
    agreeing.harm("reporting", f"UPDATE counters SET pupils = pupils + 1 WHERE scope_id = {other}::text")
    agreeing.harm("reporting", f"UPDATE counters SET pupils = pupils - 1 WHERE scope_id = {THE_CLASS}::uuid::text")
    assert (await compared(agreeing)).result.discrepancies == ()


async def test_result_is_kept_once_and_names_pupils_to_their_own_people_alone(agreeing: Agreeing, lag: dict[str, Lag]) -> None:
    agreeing.harm(*LOST["signed_not_archived"])
    found = await compared(agreeing)
    database = Database(agreeing.urls["reporting"], name="test", pool=2)
    await database.open()
    reconciliations = PostgresReconciliations(database)
    keep, get = KeepReconciliation(reconciliations), GetReconciliation(reconciliations)
    try:
        assert await reconciliations.last_of_all() is None
        assert await get(Viewer(everything=True), Place()) is None
        await keep(found.result)
        await keep(found.result)
        [lost] = [one for one in found.result.discrepancies if one.name == "signed_not_archived"]
        school = Place(lost.province_id, lost.school_id)
        nation = await get(Viewer(everything=True), Place())
        assert nation is not None
        assert {(one.place.province_id, one.name, one.state, one.pupils) for one in nation.found} == {
            ("2025-01", name, State.LOST, 1) for name in ("signed_not_archived", "in_log_not_archived", "reported_not_archived")
        }
        for viewer, named in ((Viewer(everything=True), 0), (Viewer(schools=(lost.school_id,)), 3), (Viewer(provinces=("2025-01",)), 3)):
            seen = await get(viewer, school)
            assert seen is not None
            assert [one.pupil_id for one in seen.named] == [lost.pupil_id] * named
            assert sum(one.pupils for one in seen.found) == 3
        for stranger in (Viewer(schools=("another",)), Viewer(provinces=("2025-79",)), Viewer()):
            with pytest.raises(Denied):
                await get(stranger, school)
        assert await reconciliations.last_of_all() == (found.result.taken_at, {State.LOST: 3, State.PARKED: 0, State.IN_FLIGHT: 0})
        await reconciliations.keep((await compared(agreeing)).result, datetime.now(UTC) + timedelta(days=1))
        assert await reconciliations.last_of_all() is None, "what is older than the limit goes"
    finally:
        await database.close()


async def _fetch(agreeing: Agreeing, service: str, statement: str) -> list[Any]:
    async with Stores.at({service: agreeing.urls[service]}, {}) as stores:
        return list(await stores.connections[service].fetch(statement))
