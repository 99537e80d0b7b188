"""`hocba signing progress` and `failures`: how far a run is, and what doesn't go on, with its cure."""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from services.cli.edge import ask

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table: one object a line, one for each look.")]
Province = Annotated[str, typer.Option(help='Only this province, such as "2025-79".')]
School = Annotated[str, typer.Option("--school", help="Only this school (UUID).")]
OfClass = Annotated[str, typer.Option("--class", help="Only this class (UUID).")]
_AS = ("system_operator@nation",)
_ROLES = {4: "GVBM", 1: "GVCN", 2: "HT", 3: "Dấu"}
_BAR = 10


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    signing = groups["signing"]
    signing.command("progress")(progress)
    signing.command("failures")(failures)


def progress(
    by: Annotated[str, typer.Option(help="province, school or class; else the next below what is named.")] = "",
    province: Province = "",
    school: School = "",
    class_id: OfClass = "",
    year: Annotated[int, typer.Option("--year", help="The school year's first year; 0: the latest that was sealed.")] = 0,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """How far a run is, by province, school or class and by role: bars of what is signed, and why the rest doesn't go on."""
    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    part = by or ("class" if school or class_id else "school" if province else "province")
    request = signing_pb2.GetRunProgressRequest(by=part, school_year=year, province_id=province, school_id=school, class_id=class_id)

    async def question(channel: Any, metadata: Any) -> Any:
        return await signing_pb2_grpc.SigningStub(channel).GetRunProgress(request, metadata=metadata, timeout=30)

    def look() -> Any:
        return ask("signing", _AS, question)

    if as_json:
        for answer in _looks(look, watch):
            typer.echo(json.dumps(_plain(answer), ensure_ascii=False))
        return
    from rich.console import Console, Group
    from rich.live import Live

    console = Console()
    if not watch:
        console.print(Group(*_tables(look())))
        return
    with Live(console=console, auto_refresh=False) as live:
        for answer in _looks(look, watch):
            live.update(Group(*_tables(answer)), refresh=True)


def failures(province: Province = "", school: School = "", class_id: OfClass = "", as_json: Json = False) -> None:
    """Every document that doesn't go on, with its reason and cure. Mend the cause, then `hocba signing retry CLASS`."""
    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    def page(after: str) -> Any:
        async def question(channel: Any, metadata: Any) -> Any:
            request = signing_pb2.ListFailuresRequest(province_id=province, school_id=school, class_id=class_id, after=after)
            return await signing_pb2_grpc.SigningStub(channel).ListFailures(request, metadata=metadata, timeout=30)

        return ask("signing", _AS, question)

    after, found = "", 0
    while (answer := page(after)).documents:
        after = answer.next
        found += len(answer.documents)
        for one in answer.documents:
            if as_json:
                typer.echo(json.dumps(_plain(one), ensure_ascii=False))
                continue
            typer.secho(f"{one.class_id} {one.transcript_id} v{one.version} {one.sheet_subject}".rstrip(), bold=True)
            typer.secho(f"  {one.reason}", fg="yellow" if one.waiting else "red")
            typer.echo(f"  → {one.cure} ({one.cure_en})")
    if not found and not as_json:
        typer.secho("Không có lỗi: nothing failed, and nothing waits for somebody outside.", fg="green")


def _looks(look: Any, watch: bool) -> Iterator[Any]:
    """One answer, or one every two seconds until somebody interrupts."""
    try:
        yield look()
        while watch:
            time.sleep(2)
            yield look()
    except KeyboardInterrupt:
        return


def _plain(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _tables(answer: Any) -> list[Any]:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    year = f"{answer.school_year}-{answer.school_year + 1}"
    counts = Table(title=f"Ký học bạ số năm học {year}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    counts.add_column("")
    for heading in ("Lớp", "Học bạ", "Có trang"):
        counts.add_column(heading, justify="right")
    for heading in (*_ROLES.values(), "Hoàn tất"):
        counts.add_column(heading, no_wrap=True)
    for heading in ("Đang chạy", "Chờ duyệt", "Tự chờ", "Lỗi"):
        counts.add_column(heading, justify="right")
    for part in answer.parts:
        by_role = {role.role: role for role in part.roles}
        bars = [_bar(by_role[number].signed, by_role[number].needed) if number in by_role else "" for number in _ROLES]
        stuck = [sum(reason.documents for reason in part.reasons if reason.waiting is waiting) for waiting in (True, False)]
        counts.add_row(
            part.class_id or part.school_name or part.school_id or part.province_id,
            str(part.classes),
            str(part.transcripts),
            str(part.prepared),
            *bars,
            _bar(part.completed, part.transcripts),
            str(sum(role.ordered for role in part.roles)),
            str(sum(role.awaiting for role in part.roles)),
            str(stuck[0] or ""),
            f"[red]{stuck[1]}[/]" if stuck[1] else "",
        )
    tables: list[Any] = [counts]
    reasons: dict[tuple[str, bool, str, str], int] = {}
    for part in answer.parts:
        for reason in part.reasons:
            key = reason.code, reason.waiting, reason.cure, reason.cure_en
            reasons[key] = reasons.get(key, 0) + reason.documents
    if reasons:
        why = Table("Lý do", "Số", "Cách xử lý", title="Chưa ký được vì", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for (code, waiting, cure, cure_en), documents in sorted(reasons.items(), key=lambda item: -item[1]):
            why.add_row(code, str(documents), f"{cure} ({cure_en})", style="" if waiting else "red")
        tables.append(why)
    return tables


def _bar(done: int, of: int) -> str:
    filled = _BAR * done // of if of else 0
    return f"{'█' * filled}{'░' * (_BAR - filled)} {done}/{of}"
