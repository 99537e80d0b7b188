"""`hocba bench reporting`: the read side with nations of several sizes.

*Events*: a nation is told to reporting's own consumers, one after the other, as one partition's consumer does. The baseline writes the same pupils' rows as
often, in transactions of the same size, by bare upserts without rules, locks or counters. Both take time in two processes, ours and the server's; per
core means per second of ours and the server's together, hence of the wall clock on one lane.

*Queries*: those of a dashboard, each as the use case asks it, in turn over places by chance, of a nation at rest: after a checkpoint, or the first questions
would write out what the filling left in memory. Those about one place must cost the same for every size. Lists of parts grow with the parts of a nation.

*Rebuild*: every standing and counter anew from the facts; and, of a nation told by events, everything anew from the topics of a real broker.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

FLAT = ("nation", "nation_by_grade", "province", "province_by_grade", "school", "school_by_class", "class")
LISTS = ("nation_by_province", "province_by_school")
NATION = 18_000_000
_UPSERT = """
INSERT INTO bare_pupils AS p (pupil_id, school_year, version, facts)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::jsonb[]) AS n (pupil_id, school_year, version, facts) ORDER BY 1
ON CONFLICT (pupil_id, school_year) DO UPDATE SET version = excluded.version, facts = excluded.facts WHERE p.version < excluded.version
"""
_BARE = """
CREATE TABLE bare_pupils (pupil_id uuid, school_year smallint, version bigint, facts jsonb, PRIMARY KEY (pupil_id, school_year)) WITH (fillfactor = 80);
GRANT SELECT, INSERT, UPDATE ON bare_pupils TO hocba_reporting
"""


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("reporting")
    def reporting(
        events: Annotated[int, typer.Option(help="pupils of the nation that is told by events")] = 10_000,
        size: Annotated[list[int] | None, typer.Option(help="pupils of a nation that is asked; may be repeated")] = None,
        nation: Annotated[bool, typer.Option("--nation", help="the whole nation too: 18 million pupils, 1.1 GB of disk a million")] = False,
        calls: Annotated[int, typer.Option(help="calls of each query")] = 200,
        replay: Annotated[bool, typer.Option(help="also replay the told nation's topics, on a broker of its own")] = True,
        rebuild_up_to: Annotated[int, typer.Option(help="the largest nation that is counted anew")] = 1_000_000,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Events applied next to bare upserts, rate of a replay, rebuild time, and latencies of a dashboard's queries for several sizes of nation."""
        sizes = [*(size or (10_000, 1_000_000)), *([NATION] if nation else [])]
        result = measure(events, sizes, calls, rebuild_up_to, lambda text: None if as_json else typer.secho(text, dim=True, err=True), replay=replay)
        if as_json:
            typer.echo(json.dumps(result))
            return
        told = result["events"]
        typer.echo(f"{told['events_per_second']:,.0f} events/s, {told['pupils_per_second']:,.0f} pupils' rows/s, {told['ratio']:.2f} of bare upserts")
        if again := result["replay"]:
            typer.echo(
                f"replay: {again['events_per_second']:,.0f} events/s from the topics into fresh tables, swapped in for {again['pupils']:,} pupils in all"
            )
        typer.echo(f"{'':>22}" + "".join(f"{one['pupils']:>20,}" for one in result["nations"]) + f"{'largest/smallest':>20}")
        for query in (*FLAT, *LISTS):
            cells = (f"{one['queries'][query]['p50_ms']:>9.2f} {one['queries'][query]['p99_ms']:>7.2f} ms" for one in result["nations"])
            typer.echo(f"{query:>22}" + "".join(f"{cell:>20}" for cell in cells) + f"{result['largest_to_smallest'][query]:>20.2f}")
        for one in result["nations"]:
            again = f", counted anew in {one['rebuild_seconds']:,.1f} s" if one["rebuild_seconds"] is not None else ""
            typer.echo(f"{one['pupils']:,} pupils: filled in {one['fill_seconds']:,.1f} s, {one['bytes'] / 1e6:,.0f} MB{again}")


def measure(events: int, sizes: list[int], calls: int, rebuild_up_to: int, say: Callable[[str], None], *, replay: bool = True) -> dict[str, Any]:
    """Everything in one run, on a PostgreSQL of its own (or the one that HOCBA_DATABASE names) with fsync on."""
    import uvloop

    from services.chassis import migrations
    from services.stack import kafka, pki, postgresql
    from services.stack.places import CHECKOUT, Places

    root = CHECKOUT / ".state"
    root.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-reporting-", dir=root) as folder, ExitStack() as ending:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user when we are root.
        places = Places.of(Path(folder)).make()
        server = ending.enter_context(postgresql.running(places))
        ending.callback(postgresql.wipe, places)
        ending.callback(server.stop)
        template = server.provide("reporting")
        migrations.migrate(template.owner_url, CHECKOUT / "services" / "reporting" / "migrations")
        with _database(server, template.name) as databases:
            say(f"a nation of {events:,} pupils is told by events")
            found: dict[str, Any] = {"events": uvloop.run(_tell(databases, events)), "replay": None, "nations": []}
        if replay:
            with _database(server, template.name) as databases, kafka.running(places, quick=True) as broker:
                say(f"topics that tell of {events:,} pupils are replayed")
                found["replay"] = uvloop.run(_replay(databases, broker.bootstrap, events, pki.prepare(places)))
        for pupils in sizes:
            with _database(server, template.name) as databases:
                say(f"a nation of {pupils:,} pupils is filled in")
                found["nations"].append(_nation(server, databases, pupils, calls, pupils <= rebuild_up_to))
    first, last = found["nations"][0]["queries"], found["nations"][-1]["queries"]
    found["largest_to_smallest"] = {query: round(last[query]["p50_ms"] / first[query]["p50_ms"], 2) for query in (*FLAT, *LISTS)}
    return found


@contextmanager
def _database(server: Any, template: str) -> Iterator[Any]:
    name = f"bench_reporting_{uuid.uuid4().hex[:8]}"
    try:
        yield server.copy("reporting", template, name)
    finally:
        server.drop(name)


async def _tell(databases: Any, pupils: int) -> dict[str, Any]:
    import asyncpg

    from services.chassis.consumer import handlers_of
    from services.chassis.database import Database
    from services.simulate.fill import batches, consumers
    from services.simulate.nation import nation

    runs = [run for _, some in batches(nation(pupils)) for run in some]
    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute(_BARE)
    await owner.close()
    database = Database(databases.url, name="bench", pool=2)
    await database.open()
    handlers = handlers_of(consumers(database))
    begun, ours = time.perf_counter(), time.process_time()
    for run in runs:
        await handlers[type(run[0].event)](run)
    seconds, ours = time.perf_counter() - begun, time.process_time() - ours
    async with database.transaction() as connection:
        facts = {row["pupil_id"]: row["facts"] for row in await connection.fetch("SELECT pupil_id, facts FROM pupils")}
    named = [[uuid.UUID(pupil) for one in run for pupil in _pupils(one.event)] for run in runs]
    begun = time.perf_counter()
    for version, ids in enumerate(named, start=1):
        async with database.transaction() as connection:
            if ids:
                await connection.execute(_UPSERT, ids, [2025] * len(ids), [version] * len(ids), [facts[id_] for id_ in ids])
    bare = time.perf_counter() - begun
    await database.close()
    rows, count = sum(map(len, named)), sum(map(len, runs))
    return {
        "pupils": pupils,
        "events": count,
        "pupil_rows": rows,
        "seconds": round(seconds, 3),
        "process_seconds": round(ours, 3),
        "events_per_second": round(count / seconds, 1),
        "pupils_per_second": round(rows / seconds, 1),
        "bare_upserts_per_second": round(rows / bare, 1),
        "ratio": round(bare / seconds, 3),
    }


async def _replay(databases: Any, bootstrap: str, pupils: int, keys: Any) -> dict[str, Any]:
    """Into an empty read model: the rate is that of reading, applying and swapping alone."""
    from services.chassis import kafka
    from services.chassis.consumer import events_of
    from services.reporting.app import replaying
    from services.reporting.entrypoints.sealed_consumers import SealedConsumers
    from services.reporting.entrypoints.tally_consumers import TallyConsumers
    from services.reporting.settings import ReportingSettings

    settings = ReportingSettings.model_construct(
        database_url=databases.url, owner_url=databases.owner_url, kafka_bootstrap=bootstrap, instance="bench",
        envelope_readers_file=keys.envelope_readers, envelope_key_file=keys.envelope_key("reporting"),
    )  # fmt: skip
    for consumers in (SealedConsumers, TallyConsumers):
        await kafka.provision(settings, "reporting", (), events_of(consumers))
    await _publish(bootstrap, pupils)
    begun, ours = time.perf_counter(), time.process_time()
    async with replaying(settings) as replay:
        done = await replay(lambda _, __: None)
    seconds, ours = time.perf_counter() - begun, time.process_time() - ours
    return {
        "pupils": pupils,
        "events": done.records,
        "seconds": round(seconds, 3),
        "process_seconds": round(ours, 3),
        "events_per_second": round(done.records / seconds, 1),
    }


async def _publish(bootstrap: str, pupils: int) -> None:
    """As the relays of the services would."""
    from aiokafka import AIOKafkaProducer

    from services.chassis.relay import partition_of
    from services.chassis.streams import key_of, stream_of
    from services.simulate.fill import batches
    from services.simulate.nation import nation

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20)
    await producer.start()
    try:
        for received in (one for _, some in batches(nation(pupils)) for run in some for one in run):
            stream, key = stream_of(type(received.event)), key_of(received.event).encode()
            headers = {"ce_type": received.event.DESCRIPTOR.full_name, "ce_id": received.event_id, "ce_time": received.at.isoformat()}
            await producer.send(
                stream.topic,
                received.event.SerializeToString(),
                key,
                partition_of(key, stream.partitions),
                headers=[(name, value.encode()) for name, value in headers.items()],
            )
    finally:
        await producer.stop()


def _pupils(event: Any) -> list[str]:
    """The pupils whose rows an event names."""
    for field in ("pupils", "outcomes", "transcripts"):
        if hasattr(event, field):
            items = getattr(event, field)
            return sorted({(item.transcript if hasattr(item, "transcript") else item).pupil_id for item in items})
    return []


def _nation(server: Any, databases: Any, pupils: int, calls: int, rebuild: bool) -> dict[str, Any]:
    import psycopg
    import uvloop

    from services.simulate.fill import in_bulk
    from services.simulate.nation import nation

    begun = time.perf_counter()
    in_bulk(databases.owner_url, nation(pupils), lambda _: None)
    seconds = time.perf_counter() - begun
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    with psycopg.connect(databases.owner_url) as connection:
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    queries, again = uvloop.run(_ask(databases, calls, rebuild))
    found = {"pupils": pupils, "fill_seconds": round(seconds, 2), "bytes": size[0] if size else 0}
    return found | {"queries": queries, "rebuild_seconds": again}


async def _ask(databases: Any, calls: int, rebuild: bool) -> tuple[dict[str, Any], float | None]:
    from services.chassis.database import Database
    from services.reporting.adapters.figures import PostgresFigures
    from services.reporting.adapters.read_model import PostgresReadModel
    from services.reporting.application.get_class_status import GetClassStatus
    from services.reporting.application.get_coverage import GetCoverage
    from services.reporting.application.ports import Viewer
    from services.reporting.application.rebuild_counters import RebuildCounters
    from services.simulate.nation import YEAR

    database = Database(databases.url, name="bench", pool=2)
    await database.open()
    coverage, status = GetCoverage(PostgresFigures(database)), GetClassStatus(PostgresFigures(database))
    viewer, chance = Viewer(everything=True), Random(1)  # noqa: S311 - the same places in each run
    async with database.transaction() as connection:
        rows = await connection.fetch("SELECT province_id, school_id, class_id::text FROM classes TABLESAMPLE SYSTEM (10) LIMIT 5000")
        rows = rows or await connection.fetch("SELECT province_id, school_id, class_id::text FROM classes LIMIT 5000")
    places = [tuple(row) for row in rows]

    def asked(query: str) -> Awaitable[Any]:
        province, school, class_id = chance.choice(places)
        scope, _, parts = query.partition("_by_")
        if scope == "class":
            return status(viewer, class_id)
        return coverage(viewer, YEAR, province if scope == "province" else "", school if scope == "school" else "", parts)

    found = {}
    for query in (*FLAT, *LISTS):
        for _ in range(5):
            await asked(query)
        times = []
        for _ in range(calls):
            begun = time.perf_counter()
            await asked(query)
            times.append(1000 * (time.perf_counter() - begun))
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        found[query] = {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}
    again = None
    if rebuild:
        begun = time.perf_counter()
        await RebuildCounters(PostgresReadModel(database))()
        again = round(time.perf_counter() - begun, 2)
    await database.close()
    return found, again
