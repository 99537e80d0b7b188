"""Tables as files, read back by programs that had no part in writing them: DuckDB for Parquet and CSV, calamine for XLSX."""

import io
import json
from pathlib import Path

import duckdb
import pytest
from python_calamine import CalamineWorkbook

from services.reporting.entrypoints.tables import Cell, parquet_file, table_file

COLUMNS: dict[str, type] = {"name": str, "pupils": int}
ROWS: list[list[Cell]] = [["Trường Hoa Mẫu", 30], ["=HYPERLINK(1)", None], ["@cmd", 0], ["-2", 3_000_000_000], ['a "b",\nc', 1]]


def test_parquet_keeps_texts_types_and_what_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    file.write_bytes(parquet_file(COLUMNS, ROWS))
    found = duckdb.read_parquet(str(file))
    assert [*zip(found.columns, map(str, found.types), strict=True)] == [("name", "VARCHAR"), ("pupils", "BIGINT")]
    assert found.fetchall() == [tuple(row) for row in ROWS]


def test_parquet_without_rows_has_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    file.write_bytes(parquet_file(COLUMNS, []))
    found = duckdb.read_parquet(str(file))
    assert (found.columns, found.fetchall()) == (["name", "pupils"], [])


def test_csv_is_read_as_it_was_meant_and_runs_no_formula(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(table_file("csv", "t", list(COLUMNS), ROWS))
    found = duckdb.read_csv(str(file), all_varchar=True, header=True, quotechar='"', escapechar='"').fetchall()
    assert found == [("Trường Hoa Mẫu", "30"), ("'=HYPERLINK(1)", None), ("'@cmd", "0"), ("'-2", "3000000000"), ('a "b",\nc', "1")]


def test_xlsx_is_read_as_it_was_meant_and_runs_no_formula() -> None:
    content = table_file("xlsx", "t", list(COLUMNS), ROWS)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name("t")
    assert sheet.to_python() == [["name", "pupils"], ["Trường Hoa Mẫu", 30], ["'=HYPERLINK(1)", ""], ["'@cmd", 0], ["'-2", 3_000_000_000], ['a "b",\nc', 1]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_beginning_that_a_spreadsheet_runs_is_kept_a_text(start: str) -> None:
    (row,) = json.loads(table_file("json", "t", ["name"], [[start + "1"]]))
    assert row["name"] == f"'{start}1"
