"""`hocba preview`: set a form with given or example data, to look at it."""

from pathlib import Path
from typing import Annotated

import typer

_BANNER = "BẢN NHÁP"


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    app.command("preview")(preview)


def preview(
    record: Annotated[
        Path,
        typer.Argument(
            help="A canonical record or class-subject sheet (JSON, schema hocba.record/1 or hocba.sheet/1).", exists=True, dir_okay=False, readable=True
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PDF to write.")] = Path("preview.pdf"),
    form_version: Annotated[str, typer.Option(help="Version of the form.")] = "v1",
    url: Annotated[str, typer.Option(help="What the QR code leads to, before the public id.")] = "https://tracuu.hocba.example/t",
    draft: Annotated[bool, typer.Option(help="Print BẢN NHÁP across the pages.")] = True,
) -> None:
    """Set the form of a record's level, or of a class-subject sheet. Nothing is signed; with --no-draft the page is the one that would be signed.

    Exit code 0: written; 2: the record can't be set, and why.
    """
    # Imported here so that every other command starts without typesetting.
    import json

    from services.signing.adapters.class_sheet_renderer import ClassSheetRenderer
    from services.signing.adapters.renderer import TypstRenderer
    from services.signing.domain.class_sheet import is_class_sheet, read_class_sheet
    from services.signing.domain.record import UnreadableRecord, read_record

    try:
        # People edit records by hand to try a form; only canonical bytes have the digest that the page prints.
        value = json.loads(record.read_text(encoding="utf-8"))
        canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        if is_class_sheet(canonical):
            body = ClassSheetRenderer(url, form_version).render(read_class_sheet(canonical))
        else:
            body = TypstRenderer(url, form_version).render(read_record(canonical), _BANNER if draft else "")
    except (UnreadableRecord, LookupError, ValueError) as error:
        typer.secho(f"{record}: {error}", err=True, fg="red")
        raise typer.Exit(2) from error
    out.write_bytes(body.pdf)
    typer.echo(f"{out}: {body.template_version}, {len(body.pdf)} bytes, SHA-256 {body.digest.hex()}")
