"""Roster files as rows: .xlsx by openpyxl in read-only mode, .csv in UTF-8 (with or without BOM) or UTF-16.

Rows are read and checked in a thread, a batch at a time, so that a big file blocks neither the event loop nor memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import itertools
import tempfile
import warnings
import zipfile
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from datetime import date
from typing import IO, Self

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from services.enrollment.domain.refusals import Invalid
from services.enrollment.domain.roster_columns import Headings, read_headings
from services.enrollment.domain.roster_row import RosterEntry, RowFault, RowReader
from services.enrollment.domain.school_year import SchoolYear

_TITLE_ROWS = 20
"""Rows in which the headings must be found."""
_BATCH = 500
_MEMORY_BYTES = 4 << 20

Read = tuple[int, RosterEntry | None, list[RowFault]]


class ReceivedFile:
    """A file as it arrives, in memory while small, else in an unnamed temporary file; gone when closed."""

    def __init__(self, file_name: str, most_bytes: int) -> None:
        self._name, self._most, self._size = file_name, most_bytes, 0
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115  # Closed by close().
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def add(self, part: bytes) -> None:
        """Append a part; refuse a file that is too big."""
        self._size += len(part)
        if self._size > self._most:
            raise Invalid("file_too_big", f"Tệp lớn hơn {self._most >> 20} MB: chia thành nhiều tệp.")
        self._digest.update(part)
        self._file.write(part)

    @property
    def sha256(self) -> bytes:
        """Digest of what has arrived."""
        return self._digest.digest()

    async def entries(self, year: SchoolYear, today: date) -> AsyncGenerator[Read, None]:
        """Give row number, entry and faults of each row that holds anything."""
        self._file.seek(0)
        with contextlib.closing(self._read(year, today)) as reading:
            while batch := await _in_thread(lambda: list(itertools.islice(reading, _BATCH))):
                for read in batch:
                    yield read

    def _read(self, year: SchoolYear, today: date) -> Generator[Read, None, None]:
        with contextlib.closing(self._rows()) as found:
            rows = enumerate(found, start=1)
            reader = RowReader(_headings(itertools.islice(rows, _TITLE_ROWS), self._name), year, today)
            for number, cells in rows:
                if any(cell is not None and cell != "" for cell in cells):
                    yield (number, *reader.read(number, cells))

    def _rows(self) -> Generator[Sequence[object], None, None]:
        suffix = self._name.lower().rsplit(".", 1)[-1]
        if suffix == "xlsx":
            return _sheet_rows(self._file)
        if suffix == "csv":
            return _csv_rows(self._file)
        raise Invalid("file_kind", f"Tệp '{self._name[-60:]}' không phải .xlsx hay .csv: mở bằng Excel rồi lưu lại dạng .xlsx.")


async def _in_thread(work: Callable[[], list[Read]]) -> list[Read]:
    """Run in a thread; when the call is cancelled, wait for the thread all the same: the file must outlive it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _headings(rows: Iterable[tuple[int, Sequence[object]]], name: str) -> Headings:
    """Find the row of headings; it is consumed, the rows below are data."""
    for _, cells in rows:
        headings = read_headings(cells)
        if headings is not None:
            if headings.missing:
                lacking = ", ".join(f"'{column.value}'" for column in headings.missing)
                raise Invalid("columns_missing", f"Tệp thiếu cột {lacking}: thêm cột vào dòng tiêu đề rồi nhập lại.")
            return headings
    raise Invalid("headings_missing", f"Không thấy dòng tiêu đề trong {_TITLE_ROWS} dòng đầu của '{name[-60:]}': cần các cột 'Họ tên', 'Ngày sinh', 'Lớp học'.")


def _sheet_rows(file: IO[bytes]) -> Generator[Sequence[object], None, None]:
    try:
        with warnings.catch_warnings():
            # Exports carry styles that openpyxl doesn't know; they say nothing about the cells.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise Invalid("file_broken", "Không mở được tệp Excel: mở bằng Excel rồi lưu lại dạng .xlsx.") from error
    try:
        sheet = book.worksheets[0]
        # Some exporters write a wrong dimension, which would cut rows off.
        sheet.reset_dimensions()
        yield from sheet.iter_rows(values_only=True)
    finally:
        book.close()


def _csv_rows(file: IO[bytes]) -> Generator[Sequence[object], None, None]:
    start = file.read(4096)
    file.seek(0)
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        sample = text.readline()
        text.seek(0)
        # Titles above the headings may hold no separator at all; the commonest sign of the first lines decides.
        lines = sample if any(sign in sample for sign in ",;\t") else start.decode(encoding, errors="ignore")
        separator = max(",;\t", key=lines.count)
        yield from csv.reader(text, delimiter=separator)
    except UnicodeDecodeError as error:
        raise Invalid("encoding", "Tệp CSV không phải UTF-8: trong Excel chọn 'CSV UTF-8 (Comma delimited)' khi lưu.") from error
    except csv.Error as error:
        raise Invalid("file_broken", f"Tệp CSV hỏng ở gần dòng đang đọc ({error}): lưu lại từ Excel dạng .xlsx.") from error
    finally:
        text.detach()  # The wrapper must not close the file: a second reading needs it.
