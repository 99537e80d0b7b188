"""`hocba reporting staff` and `unlocks`: what reporting counts beside the pupils."""

import json
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from services.cli.edge import ask
from services.reporting.entrypoints.dashboard_look import TEXTS

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
Province = Annotated[str, typer.Option(help='Of this province, such as "2025-79", and its schools; without it, of the nation and its provinces.')]
School = Annotated[str, typer.Option(help="Of this school (UUID).")]
_AS_SEER = ("ministry_officer@nation", "system_operator@nation")
_OFFICES, _STAFF = TEXTS["vi"]["offices"], TEXTS["vi"]["staff"]
_UNLOCKED, _REASONS = TEXTS["vi"]["unlocked"], TEXTS["vi"]["unlock_reasons"]
_COUNTS = ("signers", "holding", "expiring", "expired", "revoked", "without")


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    groups["reporting"].command("staff")(staff)
    groups["reporting"].command("unlocks")(unlocks)


def staff(province: Province = "", school: School = "", as_json: Json = False) -> None:
    """Who of those who sign holds a valid certificate, by office; whose ends soon, has ended or was revoked, and who has none."""
    from hocba.reporting.v1 import reporting_pb2

    by_school, by_province = bool(province) and not school, not province and not school
    request = reporting_pb2.GetStaffReadinessRequest(province_id=province, school_id=school, by_school=by_school, by_province=by_province)
    answer = _ask("GetStaffReadiness", request)
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    headings = [_STAFF[count].format(days=answer.expiring_days) for count in _COUNTS]
    table = _table(_STAFF["title"], _STAFF["office"], *headings, "%")
    for office in answer.total.offices:
        table.add_row(_OFFICES.get(office.office, office.office), *_line(office))
    _show(table)
    if answer.parts:
        parts = _table(_OFFICES["staff"], "", *headings, "%")
        for part in answer.parts:
            for office in part.offices[:1]:
                parts.add_row(part.name or part.school_id or part.province_id, *_line(office))
        _show(parts)


def unlocks(
    province: Province = "",
    school: School = "",
    since: Annotated[str, typer.Option(help="From this month of request on, such as 2026-05; without it, the last twelve.")] = "",
    until: Annotated[str, typer.Option(help="Up to this month.")] = "",
    as_json: Json = False,
) -> None:
    """How many unlocks were asked for and why, what became of them, and how long classes stood open."""
    from hocba.reporting.v1 import reporting_pb2

    by_school, by_province = bool(province) and not school, not province and not school
    request = reporting_pb2.GetUnlockStatisticsRequest(
        province_id=province, school_id=school, by_school=by_school, by_province=by_province, since_month=since, until_month=until
    )
    answer = _ask("GetUnlockStatistics", request)
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    headings = [_UNLOCKED[name] for name in ("requested", "pending", "open", "closing", "sealed", "stopped", "mean", "longer")]
    table = _table(f"{_UNLOCKED['title']}: {answer.since_month} – {answer.until_month}", _UNLOCKED["month"], "Lý do", *headings)
    for counts in answer.total.counts:
        table.add_row(counts.month, _REASONS.get(counts.reason, counts.reason), *_unlock_line(counts))
    _show(table)
    if answer.parts:
        parts = _table(_UNLOCKED["title"], "", "Lý do", *headings)
        for part in answer.parts:
            for counts in part.counts:
                parts.add_row(part.name or part.school_id or part.province_id, _REASONS.get(counts.reason, counts.reason), *_unlock_line(counts))
        _show(parts)


def _unlock_line(counts: Any) -> list[str]:
    stopped = counts.refused + counts.cancelled + counts.lapsed
    mean = f"{counts.open_seconds / counts.closed / 60:.0f}" if counts.closed else ""
    return [*(str(getattr(counts, name)) for name in ("requested", "pending", "open", "closing", "sealed")), str(stopped), mean, str(counts.longer)]


def _line(office: Any) -> list[str]:
    return [*(str(getattr(office, count)) for count in _COUNTS), f"{100 * office.holding / office.signers:.1f}"]


def _ask(method: str, request: Any) -> Any:
    from hocba.reporting.v1 import reporting_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        return await getattr(reporting_pb2_grpc.ReportingStub(channel), method)(request, metadata=metadata)

    return ask("reporting", _AS_SEER, question)


def _plain(answer: Any) -> dict[str, Any]:
    return MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _table(title: str, *headings: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _show(table: Any) -> None:
    from rich.console import Console

    Console().print(table)
