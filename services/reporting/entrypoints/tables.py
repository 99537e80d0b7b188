"""Tables as files: the same rows as CSV, XLSX, JSON or Parquet."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from openpyxl import Workbook

Cell = str | int | None
"""None is told as an empty cell: a count that must not be known, or an item that isn't there."""
FORMATS = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_file(form: str, title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    """The table in one of FORMATS. A text that a spreadsheet would take for a formula is kept a text by an apostrophe before it."""
    rows = [["'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in row] for row in rows]
    if form == "xlsx":
        book = Workbook(write_only=True)
        sheet = book.create_sheet(title)
        for row in (headings, *rows):
            sheet.append(row)
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()
    if form == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([headings, *rows])
        return ("\ufeff" + text.getvalue()).encode()  # The mark lets a spreadsheet read Vietnamese letters.
    return json.dumps([dict(zip(headings, row, strict=True)) for row in rows], ensure_ascii=False).encode()


def parquet_file(columns: Mapping[str, type], rows: Sequence[Sequence[Cell]]) -> bytes:
    """The table as Parquet, texts and 64-bit integers by `columns`; nothing in it is ever run, so that texts stay as they are."""
    # Imported here: only an export needs these libraries, which every command would load otherwise.
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    kinds = {int: DataType.int64(), str: DataType.string()}
    arrays: dict[str, Any] = {name: Array([row[place] for row in rows], type=kinds[kind]) for place, (name, kind) in enumerate(columns.items())}
    stream = io.BytesIO()
    write_parquet(Table.from_pydict(arrays), stream)
    return stream.getvalue()
