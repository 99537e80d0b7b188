"""`hocba reporting export`: every statistic as a table, for other people's programs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import FieldDescriptor

from services.cli.edge import ask, reported
from services.reporting.entrypoints.tables import Cell, parquet_file, table_file
from services.stack.places import write_atomically

_AS_SEER = ("ministry_officer@nation", "system_operator@nation")
_PLACE: Mapping[str, type] = {"school_year": int, "province_id": str, "school_id": str, "class_id": str, "name": str, "grade": int}
Row = list[Cell]


class What(StrEnum):
    """The tables that there are."""

    COVERAGE = "coverage"
    REASONS = "reasons"
    HISTORY = "history"
    RESULTS = "results"
    PROJECTION = "projection"


class Form(StrEnum):
    """How a table is written."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


class By(StrEnum):
    """The parts of a scope."""

    PROVINCE = "province"
    SCHOOL = "school"
    CLASS = "class"
    GRADE = "grade"


@dataclass(frozen=True, slots=True)
class Asked:
    """Of what a table is wanted."""

    year: int
    province: str
    school: str
    by: By


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name and type, and how their rows are fetched: requests are sent one after the other, and each answer makes rows."""

    columns: Mapping[str, type]
    method: str
    requests: Callable[[Asked, list[str]], Iterable[Any]]
    rows: Callable[[Any], Iterator[Row]]


def attach(_: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    groups["reporting"].command("export")(export)


def export(
    what: Annotated[What, typer.Option(help="Which table; codes and columns are those of the contract.")],
    to: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    form: Annotated[Form, typer.Option("--format", help="Text that a spreadsheet would take for a formula gets an apostrophe in CSV and XLSX.")] = Form.CSV,
    year: Annotated[int, typer.Option("--year", help="The school year's first year. 0: the latest that is counted.")] = 0,
    province: Annotated[str, typer.Option(help="Of this province; without it, of the nation.")] = "",
    school: Annotated[str, typer.Option(help="Of this school.")] = "",
    by: Annotated[By | None, typer.Option(help="One row for each of these parts; without it, the next smaller ones.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was written as one JSON object.")] = False,
) -> None:
    """Write a statistic as CSV, XLSX or Parquet. Counts that must not be told are empty cells."""
    from hocba.reporting.v1 import reporting_pb2_grpc

    asked = Asked(year, province, school, by or (By.CLASS if school else By.SCHOOL if province else By.PROVINCE))
    table = _tables()[what]

    async def question(channel: Any, metadata: Any) -> list[Row]:
        stub: Any = reporting_pb2_grpc.ReportingStub(channel)
        provinces = await _provinces(stub, metadata, asked)
        found: list[Row] = []
        requests = list(table.requests(asked, provinces))
        for number, request in enumerate(requests, start=1):
            found += table.rows(await getattr(stub, table.method)(request, metadata=metadata))
            if len(requests) > 1:
                print(f"\r{number}/{len(requests)} provinces, {len(found)} rows", end="" if number < len(requests) else "\n", file=sys.stderr, flush=True)
        return found

    rows = ask("reporting", _AS_SEER, question)
    with reported():
        content = parquet_file(table.columns, rows) if form is Form.PARQUET else table_file(form, what, list(table.columns), rows)
        write_atomically(to, content)
    typer.echo(json.dumps({"file": str(to), "rows": len(rows), "bytes": len(content)}) if as_json else f"{to}: {len(rows)} rows")


async def _provinces(stub: Any, metadata: Any, asked: Asked) -> list[str]:
    """A nation's schools and classes are asked for province by province: an answer for them all would be too big a message."""
    from hocba.reporting.v1 import reporting_pb2

    if asked.province or asked.school or asked.by not in (By.SCHOOL, By.CLASS):
        return [asked.province]
    answer = await stub.GetCoverage(reporting_pb2.GetCoverageRequest(school_year=asked.year, by_province=True), metadata=metadata)
    return [part.province_id for part in answer.parts]


def _tables() -> Mapping[What, Table]:
    from hocba.reporting.v1 import reporting_pb2

    counts = [field.name for field in reporting_pb2.Coverage.DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_INT32 and field.name not in _PLACE]

    def place(year: int, part: Any) -> Row:
        return [year, *(getattr(part, name) for name in list(_PLACE)[1:])]

    def coverage_requests(asked: Asked, provinces: list[str]) -> Iterator[Any]:
        parts = {f"by_{asked.by}": True}
        for province in provinces:
            yield reporting_pb2.GetCoverageRequest(school_year=asked.year, province_id=province, school_id=asked.school, **parts)

    def coverage_rows(answer: Any) -> Iterator[Row]:
        for part in answer.parts:
            yield [*place(answer.school_year, part), *(getattr(part, name) for name in counts)]

    def reason_rows(answer: Any) -> Iterator[Row]:
        for part in answer.parts:
            for reason in part.reasons:
                yield [*place(answer.school_year, part), reason.code, reason.who_acts, reason.pupils]

    def history_requests(asked: Asked, _: list[str]) -> Iterator[Any]:
        yield reporting_pb2.GetHistoryRequest(school_year=asked.year, province_id=asked.province, school_id=asked.school)

    def history_rows(answer: Any) -> Iterator[Row]:
        for point in answer.points:
            yield [point.taken_at.ToJsonString(), *place(answer.school_year, point.coverage), *(getattr(point.coverage, name) for name in counts)]

    def result_requests(asked: Asked, _: list[str]) -> Iterator[Any]:
        yield reporting_pb2.GetResultsRequest(school_year=asked.year, province_id=asked.province, by_province=not asked.province)

    def result_rows(answer: Any) -> Iterator[Row]:
        for one in answer.distributions:
            for of in one.levels:
                yield [answer.school_year, one.province_id, one.name, one.grade, one.item, of.level, None if of.hidden else of.pupils, one.pupils]

    def projection_requests(asked: Asked, _: list[str]) -> Iterator[Any]:
        yield reporting_pb2.GetProjectionRequest(province_id=asked.province)

    def projection_rows(answer: Any) -> Iterator[Row]:
        for kind in ("known", "projected"):
            for one in getattr(answer, kind):
                bounds = (one.low, one.high) if one.has_interval else (None, None)
                yield [answer.province_id, one.school_year, one.grade, kind, one.pupils, *bounds]

    integers = dict.fromkeys(counts, int)
    result_columns = {"school_year": int, "province_id": str, "name": str, "grade": int, "item": str, "level": str, "pupils": int, "of_pupils": int}
    return {
        What.COVERAGE: Table({**_PLACE, **integers}, "GetCoverage", coverage_requests, coverage_rows),
        What.REASONS: Table({**_PLACE, "reason": str, "who_acts": str, "pupils": int}, "GetCoverage", coverage_requests, reason_rows),
        What.HISTORY: Table({"taken_at": str, **_PLACE, **integers}, "GetHistory", history_requests, history_rows),
        What.PROJECTION: Table(
            {"province_id": str, "school_year": int, "grade": int, "kind": str, "pupils": int, "low": int, "high": int},
            "GetProjection",
            projection_requests,
            projection_rows,
        ),
        What.RESULTS: Table(result_columns, "GetResults", result_requests, result_rows),
    }
