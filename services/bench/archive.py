"""`hocba bench archive`: transcripts admitted end to end next to bare checks, durable appends to the transparency log next to bare inserts of the same rows,
and how long status and proof take. Admission is described in `admission.py`.

An append counts when a published checkpoint covers it: queued in a committed transaction, placed, written as tiles with fsync, read again,
signed, cosigned over HTTP by two witness processes that write down what they saw, and published. The baseline is the same rows, in
transactions of the same size over as many connections, inserted into a table of the same definition on the same server (fsync on).

Latencies are those of a service process over mutual TLS, with a log of a million leaves, by an open loop: a call's time counts from the
moment it was due, so that a slow answer doesn't hide behind the ones that wait for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from services.bench import admission

WORKERS = 8
CLASS = 40
WITNESSES = 2
_BARE = "CREATE TABLE bare_leaves (LIKE leaves INCLUDING ALL); GRANT SELECT, INSERT ON bare_leaves TO hocba_archive"
_FILL = """
WITH new AS (
    SELECT n, nextval('leaf_numbers') AS leaf_id, gen_random_uuid() AS id, encode(sha256(n::text::bytea), 'hex') AS sha
    FROM generate_series($1::bigint, $2::bigint) AS n
), leaf AS (
    INSERT INTO leaves (leaf_id, statement)
    SELECT leaf_id, (E'hocba/leaf/1\\nissue\\nPUBLIC' || n || E'\\n1\\n' || sha || E'\\n' || sha || E'\\n-\\n' || id || E'\\n1780221600\\n')::bytea FROM new
    RETURNING leaf_id
)
INSERT INTO transcripts (transcript_id, version, pupil_id, school_year, class_id, school_id, province_id, public_id, content_digest, sha256,
    pack_digest, pack_offset, size, supersedes, leaf_id, level, school_name, manifest_id, admitted_at)
SELECT id, 1, id, 2025, id, id, '2025-01', 'PUBLIC' || n, decode(sha, 'hex'), decode(sha, 'hex'),
    decode(repeat('00', 32), 'hex'), 1, 1, 0, leaf_id, 'PRIMARY', 'bench', id, now()
FROM new
"""
_PACK = "INSERT INTO packs (digest, object_name, size, documents, stored_at) VALUES (decode(repeat('00', 32), 'hex'), 'bench', 1, 1, now())"


@dataclass(frozen=True)
class Appends:
    """Leaves per second of both sides with so many leaves in a transaction, and the middle of their ratios."""

    leaves_a_transaction: int
    leaves: int
    final_per_second: float
    bare_inserts_per_second: float
    ratio: float
    ratios: list[float]


@dataclass(frozen=True)
class Latency:
    """How long a call takes, in milliseconds from when it was due."""

    call: str
    calls: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("archive")
    def archive(
        appends: Annotated[int, typer.Option(help="leaves a round")] = 20_000,
        rounds: Annotated[int, typer.Option(help="rounds of each side, in turn")] = 3,
        transcripts: Annotated[int, typer.Option(help="transcripts a round that are admitted; 0: leave that out")] = 960,
        leaves: Annotated[int, typer.Option(help="size of the log that is asked for proofs; 0: leave that out")] = 1_000_000,
        rate: Annotated[int, typer.Option(help="calls per second, half of them for a status, half for a proof")] = 100,
        seconds: Annotated[int, typer.Option(help="how long they are made")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Transcripts admitted per second next to bare checks, durable appends next to bare inserts, latencies of status and proof over a large log."""
        result = measure(appends, rounds, transcripts, leaves, rate, seconds, lambda text: None if as_json else typer.secho(text, dim=True, err=True))
        if as_json:
            typer.echo(json.dumps(result))
            return
        if line := result["admission"]:
            typer.echo(f"{'admitted, final/s':>22}{'a core second':>16}{'archive us':>12}{'others us':>12}{'bare checks':>14}{'ratio':>8}")
            typer.echo(
                f"{line['final_per_second']:>22,.0f}{line['per_core_second']:>16,.0f}{line['archive_us']:>12,.0f}"
                f"{line['database_and_witnesses_us']:>12,.0f}{line['bare_checks_per_core_second']:>14,.0f}{line['ratio']:>8.2f}"
            )
        typer.echo(f"{'leaves a transaction':>22}{'final/s':>12}{'bare inserts/s':>16}{'ratio':>8}")
        for line in result["appends"]:
            typer.echo(f"{line['leaves_a_transaction']:>22}{line['final_per_second']:>12,.0f}{line['bare_inserts_per_second']:>16,.0f}{line['ratio']:>8.2f}")
        for line in result["latencies"]:
            typer.echo(f"{line['call']:>22}  p50 {line['p50_ms']:.1f} ms, p99 {line['p99_ms']:.1f} ms, longest {line['max_ms']:.1f} ms ({line['calls']} calls)")


def measure(appends: int, rounds: int, transcripts: int, leaves: int, rate: int, seconds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything in one run, on a PostgreSQL of its own (or the one that HOCBA_DATABASE names) with fsync on."""
    import uvloop

    from services.chassis import migrations
    from services.stack import postgresql
    from services.stack.places import CHECKOUT, Places

    root = CHECKOUT / ".state"
    root.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-archive-", dir=root) as folder, ExitStack() as ending:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user when we are root.
        places = Places.of(Path(folder)).make()
        server = ending.enter_context(postgresql.running(places))
        ending.callback(postgresql.wipe, places)
        ending.callback(server.stop)
        template = server.provide("archive")
        found: dict[str, Any] = {"workers": WORKERS, "witnesses": WITNESSES, "admission": None, "appends": [], "log": {}, "latencies": []}
        if transcripts:
            say(f"{transcripts} transcripts are rendered and signed")
            found["admission"] = asdict(_admission_rounds(server, template.name, migrations, places, transcripts, rounds, say))
        for at_once in (1, CLASS):
            with _database(server, template.name, migrations) as databases:
                say(f"{rounds} rounds of {appends} leaves, {at_once} a transaction")
                found["appends"].append(asdict(uvloop.run(_append_rounds(databases, places, appends, rounds, at_once))))
        if leaves:
            with _database(server, template.name, migrations) as databases:
                say(f"a log of {leaves} leaves is made")
                found["log"], latencies = uvloop.run(_ask(databases, places, leaves, rate, seconds, say))
                found["latencies"] = [asdict(line) for line in latencies]
    return found


@contextmanager
def _database(server: Any, template: str, migrations: Any) -> Iterator[Any]:
    from services.stack.places import CHECKOUT

    name = f"bench_archive_{uuid.uuid4().hex[:8]}"
    databases = server.copy("archive", template, name)
    try:
        migrations.migrate(databases.owner_url, CHECKOUT / "services" / "archive" / "migrations")
        yield databases
    finally:
        server.drop(name)


def _admission_rounds(
    server: Any, template: str, migrations: Any, places: Any, transcripts: int, rounds: int, say: Callable[[str], None]
) -> admission.Admitted:
    """Each round in a database, a store and a log of its own; the first warms up."""
    import uvloop

    from services.stack import pki

    keys, folder = pki.prepare(places), places.state / "admission"
    folder.mkdir()
    classes = admission.Classes(folder, transcripts, say)
    announced = asyncio.run(classes.staged())
    taken: list[admission.Round] = []
    for turn in range(rounds + 1):
        say(f"round {turn} of {rounds}: {transcripts} transcripts are admitted")
        with _database(server, template, migrations) as databases:
            own = {
                "staging_url": classes.staging,
                "store_url": folder / f"store-{turn}",
                "trust_dir": classes.anchors,
                "wrapping_keys_make": "true",
                "log_url": "",
            }
            settings = _named(databases, places, keys, folder) | {name: str(value) for name, value in own.items()}
            settings = {name: value for name, value in settings.items() if name not in ("log_key_file", "log_policy_file")}

            async def run(databases: Any = databases, settings: dict[str, str] = settings) -> admission.Round:
                async with _log(databases, places) as (_, published):
                    return await admission.admit_all(classes, announced, settings, published)

            taken.append(uvloop.run(run()))
    return admission.summed(classes, taken[1:])


async def _append_rounds(databases: Any, places: Any, leaves: int, rounds: int, at_once: int) -> Appends:
    import asyncpg

    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute(_BARE)
    await owner.close()
    pool = await asyncpg.create_pool(databases.url, min_size=WORKERS, max_size=WORKERS)
    final, bare = [], []
    async with _log(databases, places) as (append, published):
        for turn in range(rounds + 1):
            took = await _timed(lambda: _append_all(append, leaves, at_once, published))
            also = await _timed(lambda: _bare_all(pool, leaves, at_once))
            if turn:  # The first round warms up.
                final.append(leaves / took)
                bare.append(leaves / also)
    await pool.close()
    ratios = [round(one / other, 3) for one, other in zip(final, bare, strict=True)]
    return Appends(at_once, leaves, round(statistics.median(final), 1), round(statistics.median(bare), 1), statistics.median(ratios), ratios)


@asynccontextmanager
async def _log(databases: Any, places: Any) -> AsyncIterator[tuple[Callable[[list[bytes]], Awaitable[None]], Callable[[], Awaitable[int]]]]:
    """(append a transaction's statements, how many leaves are final) over a log that is extended in this process and witnessed by others."""
    from services.archive.adapters.admissions import queue_leaves
    from services.archive.adapters.log_state import PostgresLogState, alone
    from services.archive.adapters.note_keys import new_key, read_signer, verifier_of
    from services.archive.adapters.tile_folder import open_folder
    from services.archive.adapters.witness_client import HTTPWitnesses
    from services.archive.application.extend_log import ExtendLog
    from services.archive.application.publish_log import PublishLog
    from services.archive.domain.signed_note import COSIGNATURE_ED25519, ED25519
    from services.archive.domain.witness_policy import read_policy
    from services.archive.entrypoints.log import LogKeeper
    from services.chassis import telemetry
    from services.chassis.clock import SystemClock
    from services.chassis.database import Database

    telemetry.configure("archive", level="error", export="none", otlp_endpoint="", instance="bench")
    folder = places.state / uuid.uuid4().hex
    folder.mkdir()
    names = ("log", *(f"witness-{number}" for number in range(WITNESSES)))
    for name in names:
        (folder / f"{name}.key").write_text(new_key(f"{name}.bench", ED25519 if name == "log" else COSIGNATURE_ED25519))
    signers = {name: read_signer(folder / f"{name}.key") for name in names}
    with ExitStack() as ending:
        urls = {name: ending.enter_context(_witness(folder, name, signers["log"].public.text)) for name in names[1:]}
        lines = [f"log {signers['log'].public.text}", *(f"witness {name} {signers[name].public.text} {url}" for name, url in urls.items())]
        policy = read_policy("\n".join([*lines, f"group all all {' '.join(urls)}", "quorum all"]))
        database = Database(databases.url, name="bench", pool=WORKERS + 2)
        await database.open()
        state, store, clock, stop = PostgresLogState(database), open_folder(folder / "tiles"), SystemClock(), asyncio.Event()
        publish = PublishLog(state, store, policy, verifier_of, HTTPWitnesses(), clock)
        keeper = LogKeeper(ExtendLog(state, store, signers["log"], clock), publish, lambda: alone(database), 0.2)
        keeping = asyncio.create_task(keeper.run(stop))

        async def append(statements: list[bytes]) -> None:
            async with database.transaction() as connection:
                await queue_leaves(connection, statements)

        async def published() -> int:
            if keeping.done():
                await keeping
            return (await state.head()).published

        try:
            yield append, published
        finally:
            stop.set()
            await keeping
            await database.close()


@contextmanager
def _witness(folder: Path, name: str, log: str) -> Iterator[str]:
    """A witness process; yields where it is asked."""
    from services.stack import ports

    port = next(port for port in iter(lambda: Random().randint(20_000, 32_000), 0) if ports.is_free(port))  # noqa: S311
    words = ["witness", f"--key={folder / name}.key", f"--log={log}", f"--state={folder / name}", f"--listen={ports.LOOPBACK}:{port}"]
    with (folder / f"{name}.log").open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "services", *words], stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 30
            while not ports.answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the witness didn't start; its log says:\n{(folder / f'{name}.log').read_text()}")
                time.sleep(0.05)
            yield f"http://{ports.LOOPBACK}:{port}"
        finally:
            process.terminate()
            process.wait(10)


async def _append_all(append: Callable[[list[bytes]], Awaitable[None]], leaves: int, at_once: int, published: Callable[[], Awaitable[int]]) -> None:
    wanted = await published() + leaves
    batches = iter([[_statement() for _ in range(at_once)] for _ in range(leaves // at_once)])

    async def worker() -> None:
        for statements in batches:
            await append(statements)

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    while await published() < wanted:  # noqa: ASYNC110 - what is waited for happens in other processes too
        await asyncio.sleep(0.02)


async def _bare_all(pool: Any, leaves: int, at_once: int) -> None:
    batches = iter([[_statement() for _ in range(at_once)] for _ in range(leaves // at_once)])

    async def worker() -> None:
        async with pool.acquire() as connection:
            for statements in batches:
                await connection.execute(
                    "INSERT INTO bare_leaves (leaf_id, statement) SELECT nextval('leaf_numbers'), s FROM unnest($1::bytea[]) AS s", statements
                )

    await asyncio.gather(*(worker() for _ in range(WORKERS)))


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _statement() -> bytes:
    from services.archive.domain.statement import Kind, Statement

    sha256 = os.urandom(32)
    return Statement(Kind.ISSUE, sha256.hex()[:26], 1, sha256, sha256, None, "5ad6a2e5-0000-4000-8000-000000000001", datetime.now(UTC)).canonical()


# --- latencies ---


async def _ask(databases: Any, places: Any, leaves: int, rate: int, seconds: int, say: Callable[[str], None]) -> tuple[dict[str, Any], list[Latency]]:
    from services.archive.adapters.note_keys import new_key
    from services.archive.domain.signed_note import ED25519
    from services.stack import pki
    from services.stack.places import CHECKOUT

    keys = pki.prepare(places)
    folder = places.state / "large"
    folder.mkdir()
    (folder / "log.key").write_text(new_key("log.bench", ED25519))
    built = await _large_log(databases, folder, leaves)
    say(f"made in {built:.0f} s; {rate} calls/s for {seconds} s")
    environment = _settings(databases, places, keys, folder)
    words = [sys.executable, "-c", "from services.bench.archive import serve_calls; serve_calls()"]
    serving = subprocess.Popen(words, env=os.environ | environment, cwd=CHECKOUT)  # noqa: ASYNC220 - starting it is nothing that is measured
    try:
        return {"leaves": leaves, "built_in_seconds": round(built, 1)}, await _open_loop(keys, environment["HOCBA_ARCHIVE_LISTEN"], leaves, rate, seconds)
    finally:
        serving.terminate()
        await asyncio.to_thread(serving.wait, 30)


async def _large_log(databases: Any, folder: Path, leaves: int) -> float:
    import asyncpg

    from services.archive.adapters.log_state import PostgresLogState
    from services.archive.adapters.note_keys import read_signer, verifier_of
    from services.archive.adapters.tile_folder import open_folder
    from services.archive.adapters.witness_client import HTTPWitnesses
    from services.archive.application.extend_log import ExtendLog
    from services.archive.application.publish_log import PublishLog
    from services.archive.domain.witness_policy import read_policy
    from services.chassis.clock import SystemClock
    from services.chassis.database import Database

    began = time.perf_counter()
    signer = read_signer(folder / "log.key")
    (folder / "policy").write_text(f"log {signer.public.text}\nquorum none\n")
    owner = await asyncpg.connect(databases.url, server_settings={"hocba.scope": "system"})
    await owner.execute(_PACK)
    for first in range(1, leaves + 1, 50_000):
        await owner.execute(_FILL, first, min(leaves, first + 49_999))
    await owner.close()
    database = Database(databases.url, name="bench", pool=2)
    await database.open()
    state, store = PostgresLogState(database), open_folder(folder / "tiles")
    extend = ExtendLog(state, store, signer, SystemClock(), batch=1 << 16)
    epoch = await extend.take_over()
    while await extend(epoch):
        pass
    await PublishLog(state, store, read_policy((folder / "policy").read_text()), verifier_of, HTTPWitnesses(), SystemClock())()
    await database.close()
    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute("VACUUM ANALYZE leaves")
    await owner.execute("VACUUM ANALYZE transcripts")
    await owner.close()
    return time.perf_counter() - began


def _settings(databases: Any, places: Any, keys: Any, folder: Path) -> dict[str, str]:
    return {f"HOCBA_ARCHIVE_{name.upper()}": value for name, value in _named(databases, places, keys, folder).items()}


def _named(databases: Any, places: Any, keys: Any, folder: Path) -> dict[str, str]:
    from services.stack import ports

    chosen, leaf = ports.choose(places, ("archive",)), keys.leaf("archive")
    known = {
        "listen": f"{ports.LOOPBACK}:{chosen['archive']}",
        "database_url": databases.url,
        "kafka_bootstrap": "localhost:1",  # Nobody is asked there: the process serves calls alone.
        "tls_ca_file": keys.ca,
        "tls_certificate_file": leaf.certificate,
        "tls_key_file": leaf.key,
        "token_keys_file": keys.token_keys,
        "envelope_readers_file": keys.envelope_readers,
        "staging_url": folder / "staging",
        "store_url": folder / "store",
        "trust_dir": folder,
        "log_url": str(folder / "tiles"),
        "log_key_file": folder / "log.key",
        "log_policy_file": folder / "policy",
        "log_level": "error",
        "wrapping_keys_dir": folder / "wrapping",
    }
    return {name: str(value) for name, value in known.items()}


def serve_calls() -> None:
    """The service's process, its calls alone, by the settings of the environment."""
    import uvloop

    from services.archive import app

    async def run() -> None:
        await app.build(app.SETTINGS.load()).run(("rpc",))

    uvloop.run(run())


async def _open_loop(keys: Any, address: str, leaves: int, rate: int, seconds: int) -> list[Latency]:
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc
    from services.chassis.rpc_client import open_channel

    leaf, rng = keys.leaf("edge"), Random(1)  # noqa: S311
    channel = open_channel(address, "archive", ca=keys.ca, certificate=leaf.certificate, key=leaf.key, patience_seconds=60)
    stub: Any = archive_pb2_grpc.ArchiveStub(channel)
    metadata = (("authorization", "Bearer " + keys.token("bench", "bench", ("public@nation",))),)
    took: dict[str, list[float]] = {"GetStatus": [], "GetProof": []}

    async def ask(name: str, due: float) -> None:
        public_id = f"PUBLIC{rng.randint(1, leaves)}"
        if name == "GetStatus":
            assert (await stub.GetStatus(archive_pb2.GetStatusRequest(public_id=public_id), metadata=metadata)).status == "valid"
        else:
            assert (await stub.GetProof(archive_pb2.GetProofRequest(public_id=public_id), metadata=metadata)).final
        took[name].append(time.perf_counter() - due)

    for _ in range(20):  # Connections and caches of the first calls.
        await ask("GetProof", 0)
        await ask("GetStatus", 0)
    for times in took.values():
        times.clear()
    began = time.perf_counter()
    running = set()
    for number in range(rate * seconds):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.add(asyncio.create_task(ask(("GetStatus", "GetProof")[number % 2], due)))
    await asyncio.gather(*running)
    await channel.close(None)
    return [_latency(name, times) for name, times in took.items()]


def _latency(call: str, times: list[float]) -> Latency:
    ranked = sorted(1000 * one for one in times)
    return Latency(call, len(ranked), round(statistics.median(ranked), 2), round(ranked[int(0.99 * (len(ranked) - 1))], 2), round(ranked[-1], 2))
