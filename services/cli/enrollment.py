"""What `hocba enrollment` adds: import a roster file through the service's own door."""

import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer

from services.cli.edge import FAILED, ask

REFUSED = 1
"""Exit code of an import in which some rows were not taken."""
_PART_BYTES = 256 * 1024
_DEADLINE_SECONDS = 3600.0
_TRIES = 4
_SPACE = uuid.UUID("2b0c1e0e-6e0f-5b0e-8f0b-5d6d3a1c7a55")
_SHOWN = 20


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    groups["enrollment"].command("import")(import_roster)


@dataclass(frozen=True)
class Order:
    """A file with where it goes; the id follows from all of it, so that the same command after a crash goes on."""

    file: Path
    school_id: str
    year: int
    dry_run: bool
    form_classes: bool
    again: bool

    @property
    def request_id(self) -> str:
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        fresh = uuid.uuid4().hex if self.again else ""
        return str(uuid.uuid5(_SPACE, f"{digest}|{self.school_id}|{self.year}|{self.dry_run}|{self.form_classes}|{fresh}"))


def import_roster(
    file: Annotated[Path, typer.Argument(help="The Ministry's roster: .xlsx, or .csv in UTF-8.", exists=True, dir_okay=False, readable=True)],
    year: Annotated[int, typer.Option(help="School year by its first calendar year: 2025 is 2025-2026.")],
    school: Annotated[str, typer.Option(help="The school's code or id; without it each row names its school in the column 'Mã trường'.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row and tell what would happen; write nothing.")] = False,
    form_classes: Annotated[bool, typer.Option(help="Form classes that the file names and that don't exist yet.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Read a file anew that was imported to its end before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Import a roster file. Rows that can be taken are taken; every other one is told with its cure.

    The same command after a break goes on where it was. Exit code 0: every row was taken or known already;
    1: some rows were not taken; 2: the import could not be made.
    """

    async def question(channel: grpc.aio.Channel, metadata: Any) -> Any:
        school_id = await _school_id(channel, metadata, school) if school else ""
        return await _send(channel, metadata, Order(file, school_id, year, dry_run, form_classes, again), quiet=as_json)

    answer = ask("enrollment", (f"registrar@{f'school:{school}' if _is_id(school) else 'nation'}",), question)
    if as_json:
        typer.echo(json.dumps(_plain(answer, dry_run), ensure_ascii=False, indent=1))
    else:
        _tell(answer, dry_run)
    if answer.rows_refused:
        raise typer.Exit(REFUSED)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


async def _school_id(channel: grpc.aio.Channel, metadata: Any, school: str) -> str:
    from hocba.enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc

    if _is_id(school):
        return school
    stub = enrollment_pb2_grpc.EnrollmentStub(channel)
    found = await stub.ListSchools(enrollment_pb2.ListSchoolsRequest(code=school), metadata=metadata)
    if not found.schools:
        typer.secho(f"Không có trường mang mã {school}: kiểm tra lại mã trường.", err=True, fg="red")
        raise typer.Exit(FAILED)
    return str(found.schools[0].school_id)


async def _send(channel: grpc.aio.Channel, metadata: Any, order: Order, *, quiet: bool) -> Any:
    """Send the file and follow the progress; a broken connection is taken up again under the same request id."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from services.chassis.rpc_client import error_of

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    request_id = order.request_id
    with Progress(*columns, disable=quiet) as progress:
        bar = progress.add_task(f"Nhập {order.file.name}", total=_rows_in(order.file), counts="")
        for attempt in range(1, _TRIES + 1):
            try:
                return await _converse(channel, metadata, order, request_id, lambda a: progress.update(bar, completed=a.rows_read, counts=_counts(a)))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or attempt == _TRIES:
                    raise error_of(error) from error
                time.sleep(attempt)  # noqa: ASYNC251  # Nothing else runs in this program meanwhile.
    raise AssertionError("unreachable")


async def _converse(channel: grpc.aio.Channel, metadata: Any, order: Order, request_id: str, note: Any) -> Any:
    from hocba.enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc

    async def parts() -> AsyncIterator[Any]:
        header = enrollment_pb2.ImportRosterRequest.Header(
            request_id=request_id,
            school_id=order.school_id,
            school_year=order.year,
            file_name=order.file.name,
            dry_run=order.dry_run,
            form_classes=order.form_classes,
        )
        yield enrollment_pb2.ImportRosterRequest(header=header)
        with order.file.open("rb") as source:  # A local file; nothing else runs in this program.
            while part := source.read(_PART_BYTES):
                yield enrollment_pb2.ImportRosterRequest(chunk=part)

    last = None
    call = enrollment_pb2_grpc.EnrollmentStub(channel).ImportRoster(parts(), metadata=metadata, timeout=_DEADLINE_SECONDS)
    async for answer in call:
        note(answer)
        last = answer
    return last


def _rows_in(file: Path) -> int | None:
    """About how many rows a CSV file has; a workbook would have to be read for it."""
    if file.suffix.lower() != ".csv":
        return None
    with file.open("rb") as source:
        return max(1, sum(part.count(b"\n") for part in iter(lambda: source.read(_PART_BYTES), b"")) - 1)


def _counts(answer: Any) -> str:
    return f"{answer.rows_read} dòng, {answer.rows_taken} nhập, {answer.rows_unchanged} không đổi, {answer.rows_refused} lỗi"


def _plain(answer: Any, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "rows_read": answer.rows_read,
        "rows_taken": answer.rows_taken,
        "rows_unchanged": answer.rows_unchanged,
        "rows_refused": answer.rows_refused,
        "rows_resumed": answer.rows_resumed,
        "file_sha256": answer.file_sha256.hex(),
        "faults": [{"row": f.row, "column": f.column, "problem": f.problem, "cure": f.cure, "warning": f.warning} for f in answer.faults],
    }


def _tell(answer: Any, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    typer.echo(
        ("Chạy thử, chưa ghi gì: " if dry_run else "") + _counts(answer) + (f" ({answer.rows_resumed} dòng từ lần trước)" if answer.rows_resumed else "")
    )
    shown = sorted(answer.faults, key=lambda fault: (fault.warning, fault.row))[:_SHOWN]
    if not shown:
        return
    table = Table("Dòng", "Cột", "Vấn đề", "Cách sửa")
    for fault in shown:
        table.add_row(str(fault.row), fault.column, fault.problem, fault.cure, style="yellow" if fault.warning else "red")
    Console().print(table)
    if len(answer.faults) > len(shown):
        typer.echo(f"... và {len(answer.faults) - len(shown)} thông báo nữa; dùng --json để xem tất cả.")
