"""`hocba archive accesses`: who read personal data in the archive, for those who answer for a school or a province."""

import json
import uuid
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import typer

from services.cli.edge import ask

_VIETNAM = timezone(timedelta(hours=7))
_DAY = ["%Y-%m-%d"]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    groups["archive"].command("accesses")(accesses)


def accesses(
    school: Annotated[uuid.UUID | None, typer.Option(help="Of documents of this school only.")] = None,
    document: Annotated[uuid.UUID | None, typer.Option(help="Of this transcript or class-subject sheet only.")] = None,
    account: Annotated[str, typer.Option(help="By this account only.")] = "",
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="On this day or later, by Viet Nam's calendar.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="Before this day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of words.")] = False,
) -> None:
    """Ai đã xem dữ liệu cá nhân, khi nào (who read personal data, and when): the newest first.

    A principal sees the own school's lines, a province's officer those of the province.
    """
    from google.protobuf.json_format import MessageToDict

    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    request = archive_pb2.ListAccessesRequest(school_id=str(school or ""), document_id=str(document or ""), account_id=account)
    for name, day in (("since", since), ("until", until)):
        if day:
            getattr(request, name).FromDatetime(day.replace(tzinfo=_VIETNAM))

    async def question(channel: Any, metadata: Any) -> list[archive_pb2.AccessEntry]:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        found: list[archive_pb2.AccessEntry] = []
        while True:
            answer = await stub.ListAccesses(request, metadata=metadata)
            found += answer.entries
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found

    found = ask("archive", ("doet_officer@nation",), question)
    if as_json:
        rows = [MessageToDict(entry, preserving_proto_field_name=True, always_print_fields_with_no_presence=True) for entry in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for entry in found:
        what = f"{entry.document_id} v{entry.version}" if entry.document_id else f"{entry.entries} × {entry.sought}"
        at = entry.at.ToDatetime(_VIETNAM).isoformat(timespec="seconds")
        typer.echo(f"{at}  {entry.account_id} ({', '.join(entry.roles)})  {entry.action} {what}  {entry.purpose or '-'}")
    if not found:
        typer.echo("none")
