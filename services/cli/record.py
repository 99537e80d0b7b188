"""`hocba record`: what a signed transcript carries inside, for other programs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli.edge import FAILED


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    group = typer.Typer(help="The record that a transcript carries inside.", no_args_is_help=True)
    group.callback()(_group)
    group.command("xml")(xml)
    app.add_typer(group, name="record")


def _group() -> None:
    """So that `xml` stays a command of its own."""


def xml(
    file: Annotated[Path, typer.Argument(help="A transcript (PDF), or a canonical record (JSON).", exists=True, dir_okay=False, readable=True)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The XML file to write; else standard output.")] = None,
) -> None:
    """Write the embedded record as XML, by the table in the contract (protos/hocba/record_xml). What the signatures are worth, `hocba verify` says.

    Exit code 0: written; 2: there is no record that can be written, and why.
    """
    # Imported here so that every other command starts without readers of PDF.
    from services.archive.domain.document import TRANSCRIPT
    from services.archive.domain.examine import examine
    from services.signing.adapters.record_tables import record_table
    from services.signing.domain.record_xml import Unmapped, to_xml

    content: bytes | None = file.read_bytes()
    assert content is not None
    try:
        if content.startswith(b"%PDF-"):
            content = examine(content, TRANSCRIPT).record
            if content is None:
                raise ValueError(f"there is no {TRANSCRIPT.attachment} in it, so it is no transcript; `hocba verify` says what it is")
        record = json.loads(content)
        if not isinstance(record, dict):
            raise ValueError("not a record: a JSON object is expected")  # noqa: TRY004  # One kind of message for all that can't be written.
        made = to_xml(record, record_table())
    except (ValueError, Unmapped) as error:
        typer.secho(f"{file}: {error}", err=True, fg="red")
        raise typer.Exit(FAILED) from error
    if out:
        out.write_bytes(made)
    else:
        typer.echo(made.decode(), nl=False)
