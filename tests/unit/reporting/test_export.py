"""What `hocba reporting export` makes of answers: every row fits its columns, and what must not be told is an empty cell."""

from typing import Any

import duckdb
import pytest

from hocba.reporting.v1 import reporting_pb2
from services.cli.reporting_export import Asked, By, What, _tables
from services.reporting.entrypoints.tables import parquet_file

COVERAGE = reporting_pb2.Coverage(province_id="2025-01", name="Hà Nội", enrolled=30, archived=28, reasons=[reporting_pb2.Reason(code="not_sealed", pupils=2)])
LEVELS = [reporting_pb2.LevelCount(level="good", pupils=40), reporting_pb2.LevelCount(level="fail", hidden=True)]
YEAR = reporting_pb2.Enrolment(school_year=2025, grade=6, pupils=100)
NEXT = reporting_pb2.Enrolment(school_year=2026, grade=7, pupils=98, low=95, high=101, has_interval=True)
ANSWERS: dict[What, Any] = {
    What.COVERAGE: reporting_pb2.GetCoverageResponse(school_year=2025, parts=[COVERAGE]),
    What.REASONS: reporting_pb2.GetCoverageResponse(school_year=2025, parts=[COVERAGE]),
    What.HISTORY: reporting_pb2.GetHistoryResponse(school_year=2025, points=[reporting_pb2.HistoryPoint(coverage=COVERAGE)]),
    What.RESULTS: reporting_pb2.GetResultsResponse(
        school_year=2025, distributions=[reporting_pb2.Distribution(grade=8, item="learning", pupils=43, levels=LEVELS)]
    ),
    What.PROJECTION: reporting_pb2.GetProjectionResponse(known=[YEAR], projected=[NEXT]),
}


@pytest.mark.parametrize("what", list(What))
def test_rows_fit_their_columns(what: What, tmp_path: Any) -> None:
    table = _tables()[what]
    rows = list(table.rows(ANSWERS[what]))
    assert rows
    file = tmp_path / "table.parquet"
    file.write_bytes(parquet_file(table.columns, rows))
    found = duckdb.read_parquet(str(file))
    assert found.columns == list(table.columns)
    assert [list(row) for row in found.fetchall()] == rows


def test_a_hidden_count_and_a_bound_that_is_not_known_are_empty() -> None:
    tables = _tables()
    assert [row[-2:] for row in tables[What.RESULTS].rows(ANSWERS[What.RESULTS])] == [[40, 43], [None, 43]]
    assert [row[-3:] for row in tables[What.PROJECTION].rows(ANSWERS[What.PROJECTION])] == [[100, None, None], [98, 95, 101]]


def test_schools_of_the_nation_are_asked_for_province_by_province() -> None:
    requests = list(_tables()[What.COVERAGE].requests(Asked(2025, "", "", By.SCHOOL), ["2025-01", "2025-79"]))
    assert [(request.province_id, request.by_school) for request in requests] == [("2025-01", True), ("2025-79", True)]
