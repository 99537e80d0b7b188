"""What `hocba signing` adds: progress, retry, check-keys."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import ask, reported

BROKEN = 1
"""Exit code of a check that found something wrong."""
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    signing = groups["signing"]
    signing.command("progress")(progress)
    signing.command("retry")(retry)
    signing.command("check-keys")(check_keys)


def progress(
    class_id: Annotated[str, typer.Option("--class", help="Only this class (UUID).")] = "",
    school_id: Annotated[str, typer.Option("--school", help="Only this school (UUID).")] = "",
    as_json: Json = False,
) -> None:
    """How far each class is, and what failed with its reason."""
    from google.protobuf.json_format import MessageToDict

    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        request = signing_pb2.GetProgressRequest(school_id=school_id, class_id=class_id)
        return await signing_pb2_grpc.SigningStub(channel).GetProgress(request, metadata=metadata, timeout=30)

    answer = ask("signing", ("system_operator@nation",), question)
    if as_json:
        typer.echo(json.dumps(MessageToDict(answer, preserving_proto_field_name=True), ensure_ascii=False, indent=1))
        return
    for one in answer.classes:
        typer.echo(
            f"{one.class_id}: {one.sheets_signed} of {one.sheets} class-subject sheets signed; {one.transcripts} transcripts, {one.prepared} prepared,"
            f" signed {one.homeroom}/{one.principal}/{one.seal}; {one.failed} failed"
        )
        for failure in one.failures:
            typer.secho(f"  {failure}", fg="red")


def retry(class_id: Annotated[str, typer.Argument(help="The class (UUID).")]) -> None:
    """Order anew what failed in a class, after its cause is mended."""
    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        request = signing_pb2.RetryFailedRequest(request_id=str(uuid.uuid4()), class_id=class_id)
        return await signing_pb2_grpc.SigningStub(channel).RetryFailed(request, metadata=metadata, timeout=30)

    answer = ask("signing", ("system_operator@nation",), question)
    typer.echo(f"{answer.retried} pupils ordered again")


def check_keys(
    journals: Annotated[Path, typer.Option(help="Folder of the workers' key journals; else the setting.", file_okay=False)] = Path(),
    as_json: Json = False,
) -> None:
    """Compare what the keys did with what was intended. Run it with the signing service's own settings.

    Exit code 0: every use of a key stands in an intent; 1: at least one doesn't; 2: the check could not be made.
    """
    with reported():
        report = asyncio.run(_check_keys(journals))
    if as_json:
        typer.echo(json.dumps({"uses": report.uses, "intents": report.intents, "problems": report.problems}, indent=1))
    else:
        typer.echo(f"{report.uses} uses of keys for {report.intents} intents, {len(report.problems)} problems")
        for problem in report.problems:
            typer.secho(f"  {problem}", fg="red")
    if report.problems:
        raise typer.Exit(BROKEN)


async def _check_keys(journals: Path) -> Any:
    from services.chassis.errors import Malformed
    from services.signing import app

    settings = app.SETTINGS.load()
    folder = journals if journals != Path() else settings.key_journal_dir
    if folder is None:
        raise Malformed("say where the journals are: --journals or HOCBA_SIGNING_KEY_JOURNAL_DIR")
    service = app.build(settings)
    await service.database.open()
    try:
        return await app.key_use(service, folder)()
    finally:
        await service.database.close()
