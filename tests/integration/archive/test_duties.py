"""What the archive owes, on a real database: documents without evidence, checkpoints without witnesses, parked records, checks; as metrics and as a command."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.archive import app
from services.archive.adapters.duties import PostgresDuties
from services.archive.adapters.evidence_ledger import PostgresEvidence
from services.archive.application.duty_ports import Check, Pending
from services.archive.application.evidence_ports import Token
from services.archive.application.watch_duties import WatchDuties
from services.archive.domain.duties import Duty, Standing, State
from services.archive.entrypoints.watch import DutyWatch
from services.archive.settings import ArchiveSettings
from services.chassis import telemetry
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.stack import pki
from services.stack.places import Places
from tests.integration.archive.log_world import LogWorld, make_world
from tests.integration.archive.test_admission import PUPILS, staged, unique
from tests.integration.archive.test_admission import Archive as Admitting
from tests.integration.archive.test_admission import archive as admitting
from tests.support.eventually import eventually
from tests.support.postgres import DatabaseFactory
from tests.support.signed_documents import make_pki
from tests.support.stamping import Root

__all__ = ["admitting"]
NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = Root.make(NOW - timedelta(days=4000), NOW + timedelta(days=9000))


@dataclass
class Archive:
    """A log, and the settings of a process beside it."""

    log: LogWorld
    environment: Mapping[str, str]
    settings: ArchiveSettings
    service: Service

    @property
    def ledger(self) -> PostgresDuties:
        return PostgresDuties(self.service.database)

    @property
    def duties(self) -> WatchDuties:
        return app.duties(self.settings, self.service)

    async def look(self) -> dict[tuple[str, str], Standing]:
        return {(one.duty.value, one.of): one for one in await self.duties()}

    async def insert(self, statement: str, *values: object) -> None:
        async with self.service.database.transaction() as connection:
            await connection.execute(statement, *values)

    async def stamped(self, days: int) -> None:
        """One more document, in a batch of its own whose authority ends in so many days."""
        ledger = PostgresEvidence(self.service.database)
        await self.insert("INSERT INTO evidence_documents (sha256, admitted_at) VALUES ($1, $2)", os.urandom(32), NOW)
        await ledger.cut("sha256", 10_000, NOW)
        end = NOW + timedelta(days=days)
        for wanted in await ledger.unstamped(10):
            token = ROOT.authority(NOW - timedelta(days=10), end).token(wanted.algorithm, wanted.imprint, NOW)
            await ledger.keep(wanted.stamp_id, Token(token, NOW, end), NOW)


@pytest_asyncio.fixture
async def archive(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[Archive]:
    databases = make_database("archive")
    keys = pki.prepare(Places(state=tmp_path / "keys"))
    database = Database(databases.url, name="test", pool=4)
    await database.open()
    log = make_world(database, databases.owner_url, tmp_path)
    ROOT.write(tmp_path / "trust")
    leaf = keys.leaf("archive")
    given = {
        "database_url": databases.url,
        "kafka_bootstrap": "localhost:1",
        "tls_ca_file": keys.ca,
        "tls_certificate_file": leaf.certificate,
        "tls_key_file": leaf.key,
        "token_keys_file": keys.token_keys,
        "envelope_readers_file": keys.envelope_readers,
        "staging_url": tmp_path / "staging",
        "store_url": tmp_path / "vault",
        "trust_dir": tmp_path / "trust",
        "log_url": tmp_path / "log",
        "log_key_file": tmp_path / "log.key",
        "log_policy_file": tmp_path / "policy",
        "wrapping_keys_dir": tmp_path / "wrapping",
    }
    environment = {f"HOCBA_ARCHIVE_{name.upper()}": str(value) for name, value in given.items()}
    settings = ArchiveSettings(**{name: str(value) for name, value in given.items()})  # type: ignore[arg-type]  # As the environment gives them.
    service = app.build(settings)
    await service.database.open()
    yield Archive(log, environment, settings, service)
    await service.database.close()
    for witnessing in log.witnesses.by_url.values():
        witnessing.ledger.close()
    await database.close()


async def test_a_document_without_a_time_stamp_is_soon_overdue_and_then_is(archive: Archive) -> None:
    assert (await archive.look())["evidence", ""].state is State.KEPT
    for hours, state in ((1, State.KEPT), (3, State.SOON), (5, State.OVERDUE)):
        await archive.insert("INSERT INTO evidence_documents (sha256, admitted_at) VALUES ($1, $2)", os.urandom(32), NOW - timedelta(hours=hours))
        assert (await archive.look())["evidence", ""].state is state


async def test_evidence_is_due_by_the_first_end_and_by_the_table_of_algorithms(archive: Archive) -> None:
    assert (await archive.look())["renewal", ""].left is None
    for days, state in ((4000, State.KEPT), (170, State.SOON), (80, State.OVERDUE)):
        await archive.stamped(days)
        found = (await archive.look())["renewal", ""]
        assert (found.state, found.since) == (state, NOW + timedelta(days=days))
    assert len(await archive.ledger.last_stamps()) == 3


async def test_an_algorithm_that_ends_asks_for_renewal_too(archive: Archive) -> None:
    await archive.stamped(4000)
    table = archive.settings.trust_dir / "algorithms.toml"
    ends = (NOW + timedelta(days=100)).date()
    for digest, key in ((f'{{name = "sha256", until = {ends}}}', ""), ('{name = "sha256"}', f", until = {ends}")):
        table.write_text(f'digest = [{digest}]\nkey = [{{kind = "ec", bits = 256{key}}}, {{kind = "rsa", bits = 2048{key}}}]\n')
        found = (await archive.look())["renewal", ""]
        assert (found.state, found.since) == (State.SOON, datetime(ends.year, ends.month, ends.day, tzinfo=UTC))
    table.write_text("no table")
    assert (await archive.look())["renewal", ""].state is State.UNKNOWN


async def test_statements_wait_for_a_final_checkpoint_whatever_is_in_the_way(archive: Archive) -> None:
    assert await archive.ledger.first_not_final() is None
    # No process extends the log: the statement has no place.
    await archive.log.queue(2)
    waits = await archive.ledger.first_not_final()
    assert waits is not None
    assert NOW <= waits <= datetime.now(UTC)
    # Signed, and two of three witnesses are away.
    archive.log.witnesses.moods = {"http://witness-0": "down", "http://witness-1": "down"}
    assert (await archive.log.grow(3)).published == 0
    assert await archive.ledger.first_not_final() == waits
    archive.log.witnesses.moods = {}
    assert (await archive.log.grow(1)).published == 6
    assert await archive.ledger.first_not_final() is None


async def test_a_witness_owes_what_it_lacks_once_it_lacks_more_than_a_few(archive: Archive) -> None:
    await archive.log.grow(1)
    archive.log.witnesses.moods = {"http://witness-1": "down"}
    for lacking in (1, 2, 3):
        await archive.log.grow(1)
        owed = await archive.ledger.owed_since(["W0", "W1", "nobody"], 2)
        assert set(owed) == ({"W1", "nobody"} if lacking == 3 else {"nobody"} if lacking == 2 else set())
    assert await archive.ledger.owed_since(["W1"], 3) == {}
    assert owed["nobody"] < owed["W1"]
    archive.log.witnesses.moods = {}
    await archive.log.grow(1)
    assert await archive.ledger.owed_since(["W0", "W1"], 2) == {}


async def test_parked_records_count_until_they_are_replayed(archive: Archive) -> None:
    assert await archive.ledger.parked() == Pending(0, None)
    await archive.insert(
        'INSERT INTO hocba_parked (consumer, topic, partition, "offset", key, type, event_id, headers, payload, reason, parked_at) '
        "VALUES ('archive', 't', 0, 1, 'k', 'e', gen_random_uuid(), '{}', '', 'pack_missing', $1)",
        NOW - timedelta(hours=2),
    )
    found = (await archive.look())["parked", ""]
    assert (found.state, found.count, found.since) == (State.OVERDUE, 1, NOW - timedelta(hours=2))
    await archive.insert("UPDATE hocba_parked SET replayed_at = now()")
    assert await archive.ledger.parked() == Pending(0, None)


async def test_refused_documents_count_until_one_is_admitted_in_their_place(admitting: Admitting) -> None:
    ledger = PostgresDuties(admitting.database)
    await admitting.admission(make_pki().root.certificate)(staged(admitting, *(unique(pupil, 1) for pupil in PUPILS[:2])))
    refused = await ledger.refused()
    assert refused.count == 2
    assert refused.since is not None
    assert refused.since >= NOW
    await admitting.admit(staged(admitting, *(unique(pupil, 2) for pupil in PUPILS[:2])))
    assert await ledger.refused() == Pending(0, None)


async def test_the_role_tells_each_duty_as_a_metric_and_when_it_has_looked(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("hocba")
    for name, instrument in (("duty_state", "hocba.archive.duty.state"), ("duty_left", "hocba.archive.duty.left"), ("watched", "hocba.archive.watched")):
        monkeypatch.setattr(telemetry.metrics, name, meter.create_gauge(instrument))
    await archive.ledger.add_check(Check(True, 4, NOW))

    def read() -> dict[str, dict[tuple[object, object], float]]:
        data = reader.get_metrics_data()
        found = [metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics] if data else []
        return {one.name: {(dict(p.attributes or {}).get("duty"), dict(p.attributes or {}).get("of")): p.value for p in one.data.data_points} for one in found}  # type: ignore[union-attr]

    stop = asyncio.Event()
    running = asyncio.create_task(DutyWatch(archive.duties, SystemClock(), 0.05).run(stop))

    async def watched() -> bool:
        return "hocba.archive.watched" in read()

    await eventually(watched, what="a look")
    stop.set()
    await running
    told = read()
    assert told["hocba.archive.duty.state"] == {
        **{(duty.value, ""): 0 for duty in Duty if duty is not Duty.WITNESS},
        **{("witness", f"W{number}"): 0 for number in range(3)},
        ("log_check", ""): 3,
        ("document_check", ""): 3,
    }
    assert told["hocba.archive.duty.left"]["evidence", ""] == 14_400
    assert abs(told["hocba.archive.watched"][None, None] - NOW.timestamp()) < 600


async def test_the_command_says_what_is_overdue_and_ends_by_it(archive: Archive) -> None:
    async def hocba(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "services", "archive", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, env={**os.environ, **archive.environment, "NO_COLOR": "1"}
        )
        return done.returncode, done.stdout + done.stderr

    await archive.log.grow(5)
    code, out = await hocba("health", "--json")
    assert (code, json.loads(out)["state"]) == (0, "kept"), out
    code, out = await hocba("fsck", "--json")
    assert code == 0, out
    assert [(check.documents, check.faults) for check in await archive.ledger.last_checks()] == [(True, 0)]
    (archive.log.folder / "log" / "tile" / "0" / "000.p" / "5").unlink()
    code, out = await hocba("fsck", "--json", "--no-documents")
    assert code == 1, out
    code, out = await hocba("health", "--json")
    overdue = {one["duty"]: one["count"] for one in json.loads(out)["duties"] if one["state"] == "overdue"}
    assert (code, list(overdue)) == (1, ["log_check"]), out
    assert overdue["log_check"] > 0
    code, out = await hocba("health")
    assert code == 1
    assert "QUÁ HẠN (overdue)" in out
