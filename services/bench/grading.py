"""`hocba bench grading`: sheets of marks through the real application, next to plain COPY of the same rows.

Both sides write the same cells of the same pupils in the same batches (one sheet of 40 pupils) with one commit each,
into tables of the same definition (keys, indexes, partitions) on the same server, with as many connections. The
application's side starts at the bytes of the request and ends at the bytes of the answer: decoding, assignment,
window and seal checks under locks, reading what is there, judging each cell, marks and history, counts, the event in
the outbox, the kept answer. COPY's side gets its rows ready-made, as text, and checks nothing.
"""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

PUPILS = 40
GRADE = 8
YEAR = 2025
SUBJECTS = ("ngu_van", "toan", "ngoai_ngu_1", "gdcd", "lich_su_va_dia_li", "khtn", "cong_nghe", "tin_hoc")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
COPY_TABLES = """
CREATE TABLE copy_marks (LIKE marks INCLUDING ALL) PARTITION BY RANGE (school_year);
CREATE TABLE copy_marks_2025 PARTITION OF copy_marks FOR VALUES FROM (2025) TO (2026);
CREATE TABLE copy_history (LIKE mark_history INCLUDING ALL) PARTITION BY RANGE (school_year);
CREATE TABLE copy_history_2025 PARTITION OF copy_history FOR VALUES FROM (2025) TO (2026);
GRANT SELECT, INSERT ON copy_marks, copy_history TO hocba_grading;
"""


@dataclass(frozen=True)
class Sheet:
    """One sheet, as the request that enters it and as the rows that COPY takes."""

    request: bytes
    marks: bytes
    history: bytes
    cells: int


@dataclass(frozen=True)
class Result:
    """Cells per second of both sides, round by round, and the middle of their ratios."""

    sheets: int
    cells: int
    workers: int
    application_cells_per_second: float
    copy_cells_per_second: float
    ratio: float
    ratios: list[float]


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("grading")
    def grading(
        classes: Annotated[int, typer.Option(help="classes of 40 pupils a round; each has 8 subjects and 2 terms")] = 8,
        rounds: Annotated[int, typer.Option(help="rounds of each side, in turn")] = 5,
        workers: Annotated[int, typer.Option(help="connections at once, on both sides")] = 4,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Mark cells per second by the application and by plain COPY."""
        result = measure(classes, rounds, workers)
        if as_json:
            typer.echo(json.dumps(result.__dict__))
            return
        typer.echo(f"application  {result.application_cells_per_second:>10,.0f} cells/s   ({result.sheets} sheets, {result.cells} cells)")
        typer.echo(f"plain COPY   {result.copy_cells_per_second:>10,.0f} cells/s")
        typer.echo(f"ratio        {result.ratio:>10.2f}           (rounds: {', '.join(f'{r:.2f}' for r in result.ratios)})")


def measure(classes: int, rounds: int, workers: int) -> Result:
    """Run both sides in turn on a server of their own, or on the one that HOCBA_DATABASE names."""
    import uvloop

    from services.chassis import migrations
    from services.stack import pki, postgresql
    from services.stack.places import CHECKOUT, Places

    root = CHECKOUT / ".state"
    root.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-grading-", dir=root) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user when we are root.
        places = Places.of(Path(folder)).make()
        with postgresql.running(places) as server:
            template = server.provide("grading")
            name = f"bench_grading_{uuid.uuid4().hex[:8]}"
            databases = server.copy("grading", template.name, name)
            try:
                migrations.migrate(databases.owner_url, CHECKOUT / "services" / "grading" / "migrations")
                return uvloop.run(_both(databases, pki.prepare(places), classes, rounds, workers))
            finally:
                server.drop(name)
                server.stop()
                postgresql.wipe(places)


async def _both(databases: Any, keys: Any, classes: int, rounds: int, workers: int) -> Result:
    import asyncpg

    from services.chassis.database import Database
    from services.chassis.envelope import Envelope
    from services.chassis.identity import Role, service_actor, set_current_actor
    from services.grading.adapters.store import PostgresTransactions

    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute(COPY_TABLES)
    await owner.close()
    database = Database(databases.url, name="bench", pool=workers)
    await database.open()
    transactions = PostgresTransactions(database, Envelope(keys.envelope_readers, None, "grading"))
    set_current_actor(service_actor("bench"))
    school = str(uuid.UUID(int=1))
    batches = [[await _class(transactions, school, f"{n}/{i}") for i in range(classes)] for n in range(rounds + 1)]
    teacher = service_actor("bench").__class__("teacher", "teacher", (Role("subject_teacher", f"school:{school}"),))
    pool = await asyncpg.create_pool(databases.url, min_size=workers, max_size=workers)
    enter = _application(transactions, teacher)
    speeds: list[tuple[float, float]] = []
    sheets = cells = 0
    for number, batch in enumerate(batches):
        work = [sheet for class_ids in batch for sheet in _sheets(school, *class_ids, seed=number)]
        ours = await _timed(work, enter, workers)
        theirs = await _timed(work, _copy(pool), workers)
        if number == 0:
            continue  # The first round warms up both sides.
        sheets, cells = sheets + len(work), cells + sum(sheet.cells for sheet in work)
        speeds.append((sum(s.cells for s in work) / ours, sum(s.cells for s in work) / theirs))
    await _compare(pool)
    await pool.close()
    await database.close()
    ratios = [ours / theirs for ours, theirs in speeds]
    application, copy = (statistics.median(column) for column in zip(*speeds, strict=True))
    return Result(sheets, cells, workers, round(application), round(copy), round(statistics.median(ratios), 3), [round(r, 3) for r in ratios])


async def _class(transactions: Any, school: str, name: str) -> tuple[str, list[str]]:
    """A class with pupils, a teacher for everything, and open windows."""
    from services.grading.application.ports import Enrolment, FormedClass, Lease, Staff, Teaching
    from services.grading.domain.terms import TEACHING_TERMS

    class_id, staff = str(uuid.uuid5(uuid.UUID(int=3), name)), str(uuid.UUID(int=2))
    pupils = [str(uuid.uuid5(uuid.UUID(int=4), f"{name}/{n}")) for n in range(PUPILS)]
    async with transactions() as work:
        await work.roster.put_staff([Staff(staff, school, 1, "teacher", "Nguyễn Thị An", ("subject_teacher",))])
        await work.roster.put_classes([FormedClass(class_id, school, "2025-79", 1, YEAR, GRADE, "8A1", staff)])
        await work.roster.put_teaching(Teaching(class_id, 1, tuple((subject, staff, True) for subject in SUBJECTS)))
        await work.roster.enrol([Enrolment(p, YEAR, 1, school, class_id, n, "Trần Minh Hà", True, False) for n, p in enumerate(pupils, 1)])
        for term in TEACHING_TERMS:
            window = str(uuid.UUID(int=10 + term))
            await work.put_window(Lease(window, 1, "", "", 0, "", YEAR, term, NOW - timedelta(days=365), NOW + timedelta(days=3650), False))
    return class_id, pupils


def _sheets(school: str, class_id: str, pupils: list[str], *, seed: int) -> Iterator[Sheet]:
    from hocba.grading.v1 import grading_pb2
    from services.grading.domain.rulesets import rule_set_for
    from services.grading.domain.sheets import Kind, layout
    from services.grading.domain.terms import TEACHING_TERMS

    dice = Random(seed)  # noqa: S311  # Reproducible sample data.
    for subject in SUBJECTS:
        for term in TEACHING_TERMS:
            columns = [c.code for c in layout(rule_set_for(GRADE, YEAR), GRADE, subject, term) if c.kind is Kind.MARK]
            rows = [(pupil, column, f"{dice.randint(0, 100) / 10:.1f}") for pupil in pupils for column in columns]
            request = grading_pb2.EnterSheetRequest(
                request_id=str(uuid.uuid4()),
                class_id=class_id,
                subject=subject,
                term=int(term),  # type: ignore[arg-type]
                cells=[grading_pb2.Cell(pupil_id=p, column=c, value=v) for p, c, v in rows],
            )
            place = f"{YEAR}\t{subject}\t{int(term)}"
            marks = "".join(f"{p}\t{place}\t{c}\t{v}\t\t{school}\n" for p, c, v in rows)
            history = "".join(f"{p}\t{place}\t{c}\t\t{v}\t\tf\tteacher\t\t\t{school}\t{NOW.isoformat()}\n" for p, c, v in rows)
            yield Sheet(request.SerializeToString(), marks.encode(), history.encode(), len(rows))


def _application(transactions: Any, teacher: Any) -> Callable[[Sheet], Awaitable[None]]:
    from hocba.grading.v1 import grading_pb2
    from services.chassis.clock import SystemClock
    from services.chassis.identity import set_current_actor
    from services.grading.application.enter_sheet import EnterSheet
    from services.grading.contracts import answers, commands
    from services.grading.domain.rulesets import rule_set_for

    use_case = EnterSheet(transactions, SystemClock(), rule_set_for)

    async def enter(sheet: Sheet) -> None:
        set_current_actor(teacher)
        request = grading_pb2.EnterSheetRequest.FromString(sheet.request)
        answer = answers.sheet_saved_response(await use_case(commands.enter_sheet_command(request, teacher)))
        if answer.changed != sheet.cells or not answer.SerializeToString():
            raise AssertionError(f"{answer.changed} of {sheet.cells} cells were taken: {answer.faults[:1]}")

    return enter


def _copy(pool: Any) -> Callable[[Sheet], Awaitable[None]]:
    async def copy(sheet: Sheet) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.copy_to_table("copy_marks", source=io.BytesIO(sheet.marks))
            await connection.copy_to_table("copy_history", source=io.BytesIO(sheet.history))

    return copy


async def _timed(work: list[Sheet], act: Callable[[Sheet], Awaitable[None]], workers: int) -> float:
    """Seconds that it takes to do everything with so many at once."""
    left = iter(work)

    async def run() -> None:
        for sheet in left:
            await act(sheet)

    started = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(workers)))
    return time.perf_counter() - started


async def _compare(pool: Any) -> None:
    """Both sides must have written the same cells, or the figures mean nothing."""
    async with pool.acquire() as connection:
        await connection.execute("BEGIN; SET LOCAL hocba.scope = 'system'")
        for ours, theirs in (("marks", "copy_marks"), ("mark_history", "copy_history")):
            value = "value" if ours == "marks" else "new_value"
            cells = f"SELECT pupil_id, school_year, subject, term, col, {value} FROM"  # Names from the line above.
            different = await connection.fetchval(f"SELECT count(*) FROM (({cells} {ours}) EXCEPT ALL ({cells} {theirs})) x")  # noqa: S608
            rows = await connection.fetchval(f"SELECT (SELECT count(*) FROM {ours}) - (SELECT count(*) FROM {theirs})")  # noqa: S608
            if different or rows:
                raise AssertionError(f"{ours}: {different} cells differ, {rows} rows more than COPY wrote")
        await connection.execute("ROLLBACK")
