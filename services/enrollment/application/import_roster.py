"""Import a roster file: every row that can be taken is taken, every other one is told with its cure.

The steps, and the README's:
  1. the job is made or found; a done job gives its counts again, another file under the same id is refused;
  2. rows that an earlier run settled are read again only to know what they claimed (repeats inside the file);
  3. rows are taken in chunks that end with a class where they can; a chunk, its facts and the job's progress are one transaction.
A crash anywhere costs at most the chunk that was under way. Taking a row twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.errors import Conflict
from services.enrollment.application.ports import ImportJob, NewIds, RosterRows, Transactions, Work
from services.enrollment.application.take_rows import TakeRows
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.refusals import Denied, Forbidden, Overtaken
from services.enrollment.domain.roster_plan import SeenRows
from services.enrollment.domain.roster_row import RosterEntry, RowFault
from services.enrollment.domain.school_year import SchoolYear

CHUNK_ROWS = 2_000
"""Rows of one transaction: long enough to be fast, short enough that a crash and a lock cost little."""
CHUNK_OVERRUN = 200
"""How many more rows a chunk may take to end where a class ends, so that a class is one message."""
FAULTS_KEPT = 5_000
"""Faults told in full; the counts go on."""


@dataclass(frozen=True, slots=True)
class Command:
    """A file for one school, or (no school) for each school that its rows name."""

    job_id: UUID
    caller: Caller
    school_id: UUID | None
    province_id: str
    school_year: SchoolYear
    dry_run: bool
    form_classes: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it came; the last one has `done` and all faults."""

    rows_read: int
    rows_taken: int
    rows_unchanged: int
    rows_refused: int
    rows_resumed: int
    faults: tuple[RowFault, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class ImportRoster:
    """Import a file chunk by chunk; harmless to repeat, and to resume after a crash with the same job id."""

    transactions: Transactions
    clock: Clock
    new_id: NewIds | Callable[[], UUID]
    chunk_rows: int = CHUNK_ROWS

    async def __call__(self, command: Command, rows: RosterRows) -> AsyncGenerator[Progress, None]:
        """Give progress after each chunk, then the end."""
        now = self.clock.now()
        job = await self._job(command, rows)
        if job.done:
            async with self.transactions() as work:
                told = await work.imports.faults(job.job_id)
            yield _progress(job, job.rows_read, tuple(told), done=True)
            return
        resumed_at, resumed_rows = job.last_row, job.rows_read
        seen, chunk, kept = SeenRows(), _Chunk(self.chunk_rows), _Kept()
        if resumed_at:
            async with self.transactions() as work:
                kept.add(await work.imports.faults(job.job_id))
        # The next chunk is read while the database takes the one before; only one is ever under way.
        settling: asyncio.Task[ImportJob] | None = None
        try:
            async with aclosing(rows.entries(command.school_year, now.date())) as reading:
                async for row, entry, found in reading:
                    repeated = seen.claim(entry) if entry is not None else None
                    if row <= resumed_at:
                        continue
                    if repeated is not None:
                        found, entry = [*found, repeated], None
                    if chunk.is_full_before(entry):
                        if settling is not None:
                            job = await asyncio.shield(settling)
                            yield _progress(job, resumed_rows, (), done=False)
                        settling = asyncio.create_task(self._settle(command, job, chunk, kept))
                        chunk = _Chunk(self.chunk_rows)
                    chunk.add(row, entry, found)
            if settling is not None:
                job = await asyncio.shield(settling)
                yield _progress(job, resumed_rows, (), done=False)
        finally:
            if settling is not None:
                # Waited for and not cancelled: a COMMIT that is cut off would leave its outcome unknown.
                await asyncio.gather(settling, return_exceptions=True)
        job = await self._settle(command, replace(job, done=True), chunk, kept)
        yield _progress(job, resumed_rows, kept.faults, done=True)

    async def _job(self, command: Command, rows: RosterRows) -> ImportJob:
        """Make or find the job after checking that the caller may import there."""
        async with self.transactions() as work:
            province_id = command.province_id
            if command.school_id is not None:
                school = await work.schools.get(command.school_id)
                province_id = school.province_id
                command.caller.require(OFFICE, school.school_id, province_id, "nhập danh sách của trường này")
                if not school.open_on(command.school_year.opens_on) and school.valid_to is not None:
                    raise Forbidden("school_closed", f"Trường {school.name} đã kết thúc trước năm học {command.school_year.label}.")
            elif not command.caller.may(OFFICE, None, province_id):
                raise Denied("school_missing", "Chọn trường cho tệp này; chỉ tài khoản cấp tỉnh nhập được tệp của nhiều trường.")
            now = self.clock.now()
            job = ImportJob(command.job_id, command.school_id, province_id, command.school_year.first, rows.sha256, command.caller.account_id, now)
            if command.dry_run:
                return job
            found = await work.imports.start(job)
            if (found.file_sha256, found.school_id, found.school_year) != (job.file_sha256, job.school_id, job.school_year):
                raise Conflict("Mã yêu cầu này đã dùng cho tệp, trường hoặc năm học khác: dùng mã mới.", code="request_id_reused")
            return found

    async def _settle(self, command: Command, job: ImportJob, chunk: _Chunk, kept: _Kept) -> ImportJob:
        """Take a chunk's rows in one transaction; a race with another writer is settled by doing it once more."""
        for attempt in (1, 2, 3):
            try:
                async with self.transactions() as work:
                    after, faults = await self._take(work, command, job, chunk)
                kept.add(faults)
                return after
            except Overtaken:
                if attempt == 3:
                    raise
        raise AssertionError("unreachable")

    async def _take(self, work: Work, command: Command, job: ImportJob, chunk: _Chunk) -> tuple[ImportJob, Sequence[RowFault]]:
        now = self.clock.now()
        if not command.dry_run:
            standing = await work.imports.start(job)
            if standing.last_row != job.last_row:
                raise Conflict("Tệp này đang được nhập ở một phiên khác: chờ phiên đó xong rồi xem kết quả.", code="import_running")
        take = TakeRows(self.new_id, command.school_year, command.caller, now, command.form_classes, command.school_id)
        taken = await take(work, chunk.entries, write=not command.dry_run)
        faults = sorted((*chunk.faults, *taken.faults), key=lambda fault: (fault.row, fault.warning))
        after = replace(
            job,
            last_row=max(chunk.last_row, job.last_row),
            rows_read=job.rows_read + chunk.rows,
            rows_taken=job.rows_taken + taken.taken,
            rows_unchanged=job.rows_unchanged + taken.unchanged,
            rows_refused=job.rows_refused + chunk.refused + taken.refused,
        )
        if not command.dry_run:
            await work.imports.settle(after, faults, now)
        return after, faults


class _Chunk:
    """Rows of one transaction."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.entries: list[RosterEntry] = []
        self.faults: list[RowFault] = []
        self.rows = self.refused = self.last_row = 0

    def add(self, row: int, entry: RosterEntry | None, faults: Sequence[RowFault]) -> None:
        self.rows += 1
        self.last_row = row
        self.faults.extend(faults)
        if entry is None:
            self.refused += 1
        else:
            self.entries.append(entry)

    def is_full_before(self, entry: RosterEntry | None) -> bool:
        """Tell whether the chunk ends here: full, and another class begins (or the overrun is used up)."""
        if self.rows < self._size:
            return False
        if self.rows >= self._size + CHUNK_OVERRUN or entry is None or not self.entries:
            return True
        last = self.entries[-1]
        return (last.school_code, last.class_name) != (entry.school_code, entry.class_name)


class _Kept:
    """The faults that are told at the end."""

    def __init__(self) -> None:
        self._faults: list[RowFault] = []

    def add(self, faults: Sequence[RowFault]) -> None:
        self._faults.extend(faults[: max(0, FAULTS_KEPT - len(self._faults))])

    @property
    def faults(self) -> tuple[RowFault, ...]:
        return tuple(self._faults)


def _progress(job: ImportJob, resumed_rows: int, faults: tuple[RowFault, ...], *, done: bool) -> Progress:
    return Progress(job.rows_read, job.rows_taken, job.rows_unchanged, job.rows_refused, resumed_rows, faults, done)
