"""`hocba audit reconcile`: locked = intended = signed = archived = leaves of the log = reported, across the stores."""

import asyncio
import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.edge import reported, running, take_local_settings

if TYPE_CHECKING:
    from services.audit.reconcile import Comparison, Range

DIFFERS = 1
"""Exit code when something is lost or parked, so that somebody must act."""
_SHOWN = 20
_COLUMNS = {
    "locked": "Khóa",
    "sealed": "Niêm phong",
    "intended": "Lệnh ký",
    "signed": "Ký xong",
    "archived": "Lưu trữ",
    "in_log": "Nhật ký",
    "current": "Bản hiện hành",
    "reported": "Thống kê",
    "waiting": "Chờ ký",
}


def reconcile(
    province: Annotated[str, typer.Option(help='Of this province, such as "2025-79".')] = "",
    school: Annotated[str, typer.Option(help="Of this school (UUID).")] = "",
    minutes: Annotated[float, typer.Option(min=0, help="What is younger is on its way.")] = 15.0,
    databases: Annotated[
        Path | None, typer.Option(envvar="HOCBA_AUDIT_DATABASES_FILE", exists=True, dir_okay=False, help="JSON: service -> URL; else the local stack's.")
    ] = None,
    keep: Annotated[bool, typer.Option(help="Hand the result to reporting, for the dashboard and the alert.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Compare what locking, grading, signing, archive, log and reporting hold, version by version, and name every pupil on which they differ.

    Runs beside reporting with its settings and those --databases, else with the local stack's.
    Exit code 0 when nothing differs but what is on its way, 1 when something is lost or parked, 2 when it could not be found out.
    """
    from services.audit.reconcile import Range
    from services.reporting.domain.reconciliation import State

    with reported():
        take_local_settings("reporting")
        found = asyncio.run(_run(Range(province, school), timedelta(minutes=minutes), _urls(databases), keep=keep, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(_plain(found), ensure_ascii=False, default=str))
    else:
        _show(found)
    if found.numbers(State.LOST) or found.numbers(State.PARKED):
        raise typer.Exit(DIFFERS)


async def _run(wanted: "Range", grace: timedelta, urls: dict[str, str], *, keep: bool, quiet: bool) -> "Comparison":
    from rich.console import Console

    from services.audit.reconcile import reconcile
    from services.audit.stores import Stores
    from services.chassis.clock import SystemClock
    from services.chassis.kafka import connection_options
    from services.reporting import app as reporting

    settings = reporting.SETTINGS.load()
    with Console(stderr=True, quiet=quiet).status("Đối soát (reconciling)") as status:
        async with Stores.at(urls, connection_options(settings), settings.topic_prefix) as stores:
            found = await reconcile(stores, wanted, SystemClock(), grace=grace, say=lambda what: status.update(f"Đối soát (reconciling): {what}"))
        if keep:
            service = reporting.build(settings)
            await service.database.open()
            try:
                await reporting.keep_reconciliation(service)(found.result)
            finally:
                await service.database.close()
    return found


def _urls(file: Path | None) -> dict[str, str]:
    from services.chassis.errors import Malformed

    if file is None:
        return dict(running().databases)
    wanted = ("locking", "grading", "signing", "archive", "reporting")
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        return {service: str(given[service]) for service in wanted}
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"{file}: a JSON object with the database URL of each of {', '.join(wanted)}; it lacks {error}") from error


def _plain(found: "Comparison") -> dict[str, Any]:
    from services.reporting.domain.reconciliation import State

    result = asdict(found.result)
    schools = [{"province_id": province, "school_id": school, **counts} for (province, school), counts in sorted(found.by_school.items())]
    numbers = {str(state): dict(sorted(found.numbers(state).items())) for state in State}
    return result | {"numbers": numbers, "total": dict(found.total), "schools": schools, "lag_known": found.lag_known}


def _show(found: "Comparison") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console, result = Console(), found.result
    table = Table(title=f"Đối soát {result.versions} bản học bạ trong {result.seconds:.1f} s", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Trường")
    for words in _COLUMNS.values():
        table.add_column(words, justify="right")
    differing = {(one.province_id, one.school_id) for one in result.discrepancies}
    for (province, school), counts in sorted(found.by_school.items()):
        # All schools of a province or a small place; of a nation those that differ alone.
        if len(found.by_school) <= _SHOWN or (province, school) in differing:
            table.add_row(school, *(str(counts[column]) for column in _COLUMNS))
    table.add_section()
    table.add_row("Cộng", *(str(found.total[column]) for column in _COLUMNS), style="bold")
    console.print(table)
    if not found.lag_known:
        typer.secho("Kafka không trả lời: chưa biết bản ghi nào còn chờ đọc (the broker gave no answer, so lag explains nothing here).", fg="yellow")
    if not result.discrepancies:
        typer.secho("Các kho khớp nhau: không có chênh lệch.", fg="green")
        return
    table = Table("Trạng thái", "Chênh lệch", "Trường", "Lớp", "Học sinh", "Năm", "Bản", "Từ", "Vì", title="Chênh lệch", title_justify="left", box=SIMPLE_HEAD)
    for one in result.discrepancies[:_SHOWN]:
        since = one.since.isoformat(" ", "minutes") if one.since else ""
        table.add_row(one.state, one.name, one.school_id, one.class_id, one.pupil_id, str(one.school_year), str(one.version), since, one.why)
    console.print(table)
    if (more := len(result.discrepancies) - _SHOWN) > 0:
        typer.echo(f"và {more} chênh lệch nữa: --json liệt kê tất cả (and {more} more; --json lists all)")
