"""`hocba archive evidence` and `renew-evidence`, and what `hocba verify --evidence` says of a record (RFC 4998)."""

import asyncio
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import ask, reported, take_local_settings

PENDING = 1
"""Exit code of a question for evidence that isn't there yet."""
_DAYS_OF_A_MONTH = 30.44
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    groups["archive"].command("evidence")(evidence)
    groups["archive"].command("renew-evidence")(renew_evidence)


def evidence(
    document_id: Annotated[
        uuid.UUID, typer.Argument(help="The transcript's id, with --sheet a class-subject sheet's, with --copy a copy's or an extract's.", metavar="ID")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the evidence record (DER): a file, or a folder.")],
    sheet: Annotated[bool, typer.Option("--sheet", help="The id is that of a class-subject sheet.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="The id is that of a certified copy or an extract.")] = False,
    version: Annotated[int, typer.Option(help="The version; 0 is the latest.")] = 0,
    as_json: Json = False,
) -> None:
    """Fetch a document's evidence record: since when it is proven to exist, checked by `hocba verify FILE --evidence RECORD`.

    Exit code 1 while its batch has no time stamp yet.
    """
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    if sheet and copy:
        raise typer.BadParameter("an id is a sheet's or a copy's")
    named = {"sheet_id" if sheet else "copy_id" if copy else "transcript_id": str(document_id)}

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetEvidenceResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetEvidenceResponse = await stub.GetEvidence(archive_pb2.GetEvidenceRequest(version=version, **named), metadata=metadata)
        return answer

    answer = ask("archive", ("registrar@nation",), question)
    told: dict[str, Any] = {"version": answer.version, "sha256": answer.sha256.hex(), "state": "proven" if answer.record else "pending"}
    if answer.record:
        path = out / f"{document_id}-v{answer.version}.er" if out.is_dir() else out
        with reported():
            path.write_bytes(answer.record)
        stamped_at = [at.ToJsonString() for at in answer.stamped_at]
        told |= {"file": str(path), "stamped_at": stamped_at, "good_until": answer.good_until.ToJsonString()}
        words = f"{path}: version {answer.version}, time-stamped {', '.join(stamped_at)}, to be renewed before {told['good_until']}"
    else:
        words = f"version {answer.version} waits for its time stamp; ask again later"
    typer.echo(json.dumps(told) if as_json else words)
    if not answer.record:
        raise typer.Exit(PENDING)


def renew_evidence(
    months: Annotated[int, typer.Option(min=0, help="Renew time stamps whose authority ends within so many months.")] = 12,
    algorithm: Annotated[
        str, typer.Option(help="Renew hash trees by this digest algorithm (such as sha512) instead: reads every document again.", metavar="NAME")
    ] = "",
    as_json: Json = False,
) -> None:
    """Renew evidence before what it rests on ends. Runs beside the service, with its settings; may be stopped and begun again."""
    from rich.console import Console
    from rich.progress import Progress

    from services.archive import app as archive
    from services.archive.application.renew_evidence import Renewed
    from services.chassis.clock import SystemClock
    from services.chassis.errors import Malformed

    async def run() -> Renewed:
        settings = archive.SETTINGS.load()
        now = SystemClock().now()
        if algorithm and not archive.tokens(settings.trust_dir).policy().digest_good(algorithm, now):
            raise Malformed(f"{algorithm} is no digest algorithm that is accepted now; see algorithms.toml", code="algorithm")
        service = archive.build(settings)
        await service.database.open()
        try:
            stamps, trees = archive.renewals(settings, service)
            with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
                task = progress.add_task("documents" if algorithm else "batches", total=None)

                def told(done: int, total: int) -> None:
                    progress.update(task, completed=done, total=total)

                return await (trees(algorithm, told) if algorithm else stamps(now + timedelta(days=round(months * _DAYS_OF_A_MONTH)), told))
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        done = asyncio.run(run())
    words = f"{done.batches} batches renewed, {done.time_stamps} time stamps got"
    typer.echo(json.dumps({"batches": done.batches, "time_stamps": done.time_stamps}) if as_json else words)


def plain(proof: Any) -> dict[str, Any]:
    """What a record proves, as plain data."""
    return {
        "whole": proof.whole,
        "proven_since": proof.since.isoformat() if proof.since else None,
        "time_stamps": [at.isoformat() for at in proof.stamps],
        "findings": [{"reason": one.reason.value, "chain": one.chain, "time_stamp": one.stamp, "detail": one.detail} for one in proof.findings],
    }


_WORDS = {
    "proven": ("Bằng chứng lưu trữ: tài liệu được chứng minh đã tồn tại từ", "Evidence: the document is proven to have existed since"),
    "lapsed": (
        "Bằng chứng lưu trữ không còn nguyên vẹn: chỉ chứng minh được tài liệu đã tồn tại từ",
        "Evidence has a gap: the document is proven to have existed only since",
    ),
    "nothing": ("Bằng chứng lưu trữ không chứng minh được điều gì về tài liệu này", "The evidence proves nothing about this document"),
    "stamps": ("Các dấu thời gian", "Time stamps"),
    "where": ("dấu thời gian {stamp} của chuỗi {chain}", "time stamp {stamp} of chain {chain}"),
}


def tell(told: dict[str, Any], at: int) -> None:
    """A judgement in words; `at`: 0 Vietnamese, 1 English."""
    from services.archive.domain.evidence import REASON_WORDS, Reason

    since = told["proven_since"]
    state = "proven" if told["whole"] else "lapsed" if since else "nothing"
    sign, colour = ("✓", "green") if told["whole"] else ("✗", "red")
    typer.secho(f"  {sign} {_WORDS[state][at]}{f' {since}' if since else ''}", fg=colour)
    for one in told["findings"]:
        where = f" ({_WORDS['where'][at].format(stamp=one['time_stamp'], chain=one['chain'])})" if one["chain"] else ""
        typer.secho(f"      {REASON_WORDS[Reason(one['reason'])][at]}{where} [{one['reason']}] {one['detail']}", fg="red")
    if told["time_stamps"]:
        typer.echo(f"  {_WORDS['stamps'][at]}: {', '.join(told['time_stamps'])}")
