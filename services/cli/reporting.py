"""What `hocba reporting` adds: coverage, quality, history, missing, class, reconcile, results, projection, rebuild."""

import asyncio
import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from services.cli.edge import ask, reported, running, take_local_settings
from services.reporting.domain.quality import FLAWS
from services.reporting.entrypoints.dashboard_look import TEXTS
from services.reporting.entrypoints.dashboard_results import item_name

DIFFERS = 1
"""Exit code of a reconciliation that found differences."""
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
Year = Annotated[int, typer.Option("--year", help="The school year's first year: 2025 is 2025-2026. 0: the latest that is counted.")]
_AS_SEER = ("ministry_officer@nation", "system_operator@nation")
_STEPS = (
    ("enrolled", "Học sinh"),
    ("ready", "Đủ điểm"),
    ("sealed", "Đã khóa"),
    ("signed_homeroom", "GVCN"),
    ("signed_principal", "HT"),
    ("signed_seal", "Dấu"),
    ("archived", "Lưu trữ"),
    ("rejected", "Lỗi"),
)
_LATER = (("identity_verified", "Đã xác thực"), ("submitted", "Đã nộp"), ("acknowledged", "Kho nhận"))
"""Steps that have a column only where there is somebody to count."""
REASONS, WHO = TEXTS["vi"]["reasons"], TEXTS["vi"]["who"]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    reporting = groups["reporting"]
    reporting.command("coverage")(coverage)
    reporting.command("quality")(quality)
    reporting.command("history")(history)
    reporting.command("missing")(missing)
    reporting.command("class")(class_status)
    reporting.command("reconcile")(reconcile)
    reporting.command("results")(results)
    reporting.command("projection")(projection)
    reporting.command("rebuild")(rebuild)
    reporting.command("dashboard")(dashboard)


def coverage(
    year: Year = 0,
    province: Annotated[str, typer.Option(help='Of this province, such as "2025-79"; without it, of the nation.')] = "",
    school: Annotated[str, typer.Option(help="Of this school.")] = "",
    by_class: Annotated[bool, typer.Option("--by-class", help="One line per class instead of per school.")] = False,
    by_grade: Annotated[bool, typer.Option("--by-grade", help="One line per grade.")] = False,
    by_province: Annotated[bool, typer.Option("--by-province", help="One line per province.")] = False,
    as_json: Json = False,
) -> None:
    """How many transcripts have come how far, what keeps the others, and who must act."""
    from hocba.reporting.v1 import reporting_pb2

    other, fine = by_grade or by_province, by_class or bool(school)
    parts = {"by_grade": by_grade, "by_province": by_province, "by_school": not (other or fine), "by_class": fine and not other}
    answer = _ask("GetCoverage", reporting_pb2.GetCoverageRequest(school_year=year, province_id=province, school_id=school, **parts))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    _print_coverage(answer, f"Học bạ số năm học {answer.school_year}-{answer.school_year + 1}")


def quality(
    year: Year = 0,
    province: Annotated[str, typer.Option(help="Of this province's schools; without it, of the provinces.")] = "",
    school: Annotated[str, typer.Option(help="Of this school's classes.")] = "",
    as_json: Json = False,
) -> None:
    """How good the data are on which transcripts rest: identities that are unverified or contradictory, fields that are missing, each with its cure."""
    from hocba.reporting.v1 import reporting_pb2

    parts = {"by_class": bool(school), "by_school": bool(province) and not school, "by_province": not province and not school}
    answer = _ask("GetCoverage", reporting_pb2.GetCoverageRequest(school_year=year, province_id=province, school_id=school, **parts))

    def told(part: Any) -> dict[str, Any]:
        ids = {key: getattr(part, key) for key in ("province_id", "school_id", "class_id", "name", "enrolled", "identity_verified")}
        return ids | {flaw.code: flaw.pupils for flaw in part.flaws}

    if as_json:
        cures = {code: flaw.cure_vi for code, flaw in FLAWS.items()}
        typer.echo(json.dumps({"total": told(answer.total), "parts": [told(part) for part in answer.parts], "cures": cures}, ensure_ascii=False))
        return
    found = [flaw.code for flaw in answer.total.flaws]
    table = _table("Chất lượng dữ liệu", "", "Học sinh", "Đã xác thực", *(FLAWS[code].vi for code in found))
    for part in (*answer.parts, answer.total):
        counts = told(part)
        name = part.name or part.class_id or part.school_id or "Cộng"
        table.add_row(name, str(part.enrolled), str(part.identity_verified), *(str(counts.get(code, 0)) for code in found))
    _show(table)
    for flaw in answer.total.flaws:
        typer.echo(f"{flaw.pupils} học sinh {FLAWS[flaw.code].vi}: {flaw.cure}")


def history(
    year: Year = 0,
    province: Annotated[str, typer.Option(help="Of this province; without it, of the nation.")] = "",
    school: Annotated[str, typer.Option(help="Of this school.")] = "",
    since: Annotated[datetime | None, typer.Option(help="From this time on (UTC); without it, from the first point.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Up to this time (UTC); with --since the same time: how it stood then.")] = None,
    as_json: Json = False,
) -> None:
    """How coverage stood: a line for each hour (a school: each day) in which it moved. Each line holds until the next."""
    from hocba.reporting.v1 import reporting_pb2

    request = reporting_pb2.GetHistoryRequest(school_year=year, province_id=province, school_id=school)
    if since:
        request.since.FromDatetime(since)
    if until:
        request.until.FromDatetime(until)
    answer = _ask("GetHistory", request)
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    table = _table("Tiến độ theo thời gian", "", *(words for _, words in _STEPS), "%")
    for point in answer.points:
        table.add_row(point.taken_at.ToDatetime().isoformat(" ", "minutes"), *_figures(point.coverage))
    _show(table)


def missing(
    year: Year = 0,
    school: Annotated[str, typer.Option(help="Of this school.")] = "",
    class_id: Annotated[str, typer.Option("--class", help="Of this class.")] = "",
    as_json: Json = False,
) -> None:
    """Whose transcripts are missing, by pupil id, with the reason and who must act."""
    from hocba.reporting.v1 import reporting_pb2

    answer = _ask("ListMissing", reporting_pb2.ListMissingRequest(school_year=year, school_id=school, class_id=class_id))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    table = _table("Học bạ còn thiếu", "Lớp", "Học sinh", "Lý do", "Người xử lý", "Từ")
    for item in answer.pupils:
        since = item.since.ToJsonString() if item.HasField("since") else ""
        table.add_row(item.class_id, item.pupil_id, REASONS.get(item.reason, item.reason), WHO.get(item.who_acts, item.who_acts), since)
    _show(table)


def class_status(class_id: Annotated[str, typer.Argument(help="The class's id.")], as_json: Json = False) -> None:
    """One class: coverage, how far each sheet is filled, unlocks under way."""
    from hocba.reporting.v1 import reporting_pb2

    answer = _ask("GetClassStatus", reporting_pb2.GetClassStatusRequest(class_id=class_id))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    _print_coverage(reporting_pb2.GetCoverageResponse(total=answer.coverage), f"Lớp {answer.coverage.name}")
    table = _table("Sổ điểm", "Môn", "Học kì", "Đã nhập", "Phải nhập")
    for sheet in answer.sheets:
        table.add_row(sheet.subject or "chủ nhiệm", str(sheet.term), str(sheet.filled), str(sheet.expected))
    _show(table)
    for unlock in answer.unlocks:
        typer.echo(f"Mở khóa {unlock.unlock_id}: {unlock.state}")


def reconcile(
    year: Year = 0,
    province: Annotated[str, typer.Option(help="Of this province; without it, of the nation.")] = "",
    as_json: Json = False,
) -> None:
    """Prove that the numbers add up: classes to schools to provinces to the nation. Exit code 1 when they don't."""
    from hocba.reporting.v1 import reporting_pb2

    answer = _ask("Reconcile", reporting_pb2.ReconcileRequest(school_year=year, province_id=province))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
    elif not answer.differences:
        typer.secho("Số liệu khớp: không có chênh lệch.", fg="green")
    else:
        table = _table("Chênh lệch", "Phép kiểm", "Trái", "Phải", "Ở đâu")
        for item in answer.differences:
            table.add_row(item.check, str(item.left), str(item.right), item.detail)
        _show(table)
    if answer.differences:
        raise typer.Exit(DIFFERS)


def results(
    year: Year = 0,
    province: Annotated[str, typer.Option(help="Of this province; without it, of the nation.")] = "",
    item: Annotated[str, typer.Option(help="learning, conduct, result, promotion or subject:<code>, such as subject:toan; without it, all.")] = "",
    by_province: Annotated[bool, typer.Option("--by-province", help="Each province beside the nation.")] = False,
    as_json: Json = False,
) -> None:
    """How results are spread by level, item and grade. Small counts, and those from which one could be computed, are hidden (–)."""
    from hocba.reporting.v1 import reporting_pb2

    answer = _ask("GetResults", reporting_pb2.GetResultsRequest(school_year=year, province_id=province, item=item, by_province=by_province))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    texts = TEXTS["vi"]
    if not answer.distributions:
        typer.echo(texts["nothing"])
        return
    levels = texts["results"]["levels"]
    table = _table(f"Kết quả theo mức, năm học {answer.school_year}-{answer.school_year + 1}", "", "Nội dung", "Khối", "Học sinh", "Mức")
    for one in answer.distributions:
        told = ", ".join(f"{levels.get(of.level, of.level)} {'–' if of.hidden else of.pupils}" for of in one.levels)
        where = one.name or one.province_id or "Toàn quốc"
        table.add_row(where, item_name(one.item, texts), str(one.grade or "tất cả"), str(one.pupils), told)
    _show(table)
    typer.echo(texts["results"]["why_hidden"].format(minimum=answer.minimum))


def projection(
    province: Annotated[str, typer.Option(help="Of this province; without it, of the nation.")] = "",
    years: Annotated[int, typer.Option(min=1, max=12, help="How many years to look ahead.")] = 5,
    as_json: Json = False,
) -> None:
    """Enrolment of coming years by grade, by mean grade progression ratios, with 95 % intervals. Needs two school years, three for intervals."""
    from hocba.reporting.v1 import reporting_pb2

    answer = _ask("GetProjection", reporting_pb2.GetProjectionRequest(province_id=province, years_ahead=years))
    if as_json:
        typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    words = TEXTS["vi"]["projection"]
    if not answer.projected:
        typer.echo(words["too_few"])
        return
    table = _table(words["title"], "Năm học", "Khối", "Học sinh", words["low"], words["high"])
    for one in answer.projected:
        bounds = (str(one.low), str(one.high)) if one.has_interval else ("", "")
        table.add_row(f"{one.school_year}-{one.school_year + 1}", str(one.grade), str(one.pupils), *bounds)
    _show(table)
    typer.echo(words["method"])


def rebuild(
    from_facts: Annotated[
        bool, typer.Option("--from-facts", help="Count anew from the facts instead; writers wait meanwhile. For when a topic's retention is over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Replay every topic into fresh tables and put them in place. Runs beside the service, with its settings and the owner's; the service goes on.

    A topic that no longer begins at its first record is refused (exit code 2). Cut off, it has changed nothing: start it again.
    """
    with reported():
        take_local_settings("reporting", as_owner=True)
        told = asyncio.run(_from_facts() if from_facts else _replay(quiet=as_json))
    typer.echo(json.dumps(told) if as_json else ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in told.items()))
    if told.get("records_parked"):
        typer.secho(
            "Bản ghi không áp dụng được: xem hocba reporting parked (what could not be applied is among the service's parked records too)",
            fg="yellow",
            err=True,
        )


async def _from_facts() -> dict[str, float]:
    from services.reporting import app as reporting

    settings = reporting.SETTINGS.load()
    service = reporting.build(settings)
    await service.database.open()
    try:
        things = [await one.rebuild() for one in reporting.rebuild_tallies(service, settings)]
        return {"pupils_counted_anew": await reporting.rebuild_counters(service)(), "things_counted_anew": sum(things)}
    finally:
        await service.database.close()


async def _replay(*, quiet: bool) -> dict[str, float]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from services.reporting import app as reporting

    begun = time.perf_counter()
    columns = ("Đọc lại các chủ đề (replaying topics)", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with reporting.replaying(reporting.SETTINGS.load()) as replay:
        with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:
            task = progress.add_task("", total=None)
            done = await replay(lambda read, whole: progress.update(task, completed=read, total=whole))
    return {"records_replayed": done.records, "records_parked": done.parked, "seconds": round(time.perf_counter() - begun, 2)}


def dashboard(
    role: Annotated[str, typer.Option("--as", help="Whose pages: ministry_officer@nation, doet_officer@province:2025-79, principal@school:<id>.")] = "",
    as_json: Json = False,
) -> None:
    """An address of the local stack's dashboard that signs in by itself. Whoever has it has the role, for eight hours."""
    with reported():
        deployment = running()
        token = deployment.token("cli", "cli", (role,) if role else _AS_SEER)
        address = f"{deployment.dashboard}/sign-in#{token}"
    typer.echo(json.dumps({"address": address}) if as_json else address)


def _ask(method: str, request: Any) -> Any:
    from hocba.reporting.v1 import reporting_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        return await getattr(reporting_pb2_grpc.ReportingStub(channel), method)(request, metadata=metadata)

    return ask("reporting", _AS_SEER, question)


def _plain(answer: Any) -> dict[str, Any]:
    """The answer as JSON data: names as in the contract, counts of zero said."""
    return MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _table(title: str, *headings: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading)
    return table


def _show(table: Any) -> None:
    from rich.console import Console

    Console().print(table)


def _print_coverage(answer: Any, title: str) -> None:
    later = [(step, words) for step, words in _LATER if getattr(answer.total, step)]
    table = _table(title, "", *(words for _, words in _STEPS), "%", *(words for _, words in later))
    table.columns[0].min_width = 9
    for column in table.columns[1:]:
        column.justify = "right"
    for part in answer.parts:
        table.add_row(part.name or part.class_id or part.school_id, *_figures(part), *(str(getattr(part, step)) for step, _ in later))
    table.add_section()
    table.add_row("Cộng", *_figures(answer.total), *(str(getattr(answer.total, step)) for step, _ in later), style="bold")
    _show(table)
    if answer.total.reasons:
        reasons = _table("Chưa lưu trữ vì", "Lý do", "Học sinh", "Người xử lý", "Sớm nhất từ", "Một nửa từ")
        for reason in answer.total.reasons:
            who = WHO.get(reason.who_acts, reason.who_acts)
            reasons.add_row(REASONS.get(reason.code, reason.code), str(reason.pupils), who, reason.oldest_since, reason.median_since)
        _show(reasons)


def _figures(part: Any) -> list[str]:
    """The counts of one line, and which share of those enrolled is archived."""
    share = f"{100 * part.archived / part.enrolled:.1f}" if part.enrolled else ""
    return [*(str(getattr(part, step)) for step, _ in _STEPS), share]
