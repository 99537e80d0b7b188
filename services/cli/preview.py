"""`hocba preview`: set a form with given or sample data, to look at it."""

from pathlib import Path
from typing import Annotated

import typer

_DOTS_PER_INCH = "110"


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    app.command("preview")(preview)


def preview(
    record: Annotated[Path | None, typer.Argument(help="A canonical record or class-subject sheet (JSON).", exists=True, dir_okay=False, readable=True)] = None,
    sample: Annotated[str, typer.Option(help="Instead of a record: sample data of this form, such as primary or class_subject.")] = "",
    size: Annotated[str, typer.Option(help="How much text the sample has: short, long or overfull.")] = "short",
    every: Annotated[bool, typer.Option("--all", help="Every form with every sample; --out is then a folder.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The PDF to write (preview.pdf); with --all the folder (previews).")] = None,
    png: Annotated[Path | None, typer.Option(help="Also write each page as a picture into this folder.")] = None,
    form_version: Annotated[str, typer.Option(help="Version of the form.")] = "v1",
    url: Annotated[str, typer.Option(help="What the QR code leads to, before the public id.")] = "https://tracuu.hocba.example/t",
    draft: Annotated[bool, typer.Option(help="Print BẢN NHÁP on the pages.")] = True,
) -> None:
    """Set forms with a record, with sample data, or all of them. Nothing is signed; with --no-draft the page is the one that would be signed.

    Exit code 0: written; 2: it can't be set or drawn, and why.
    """
    # Imported here so that every other command starts without typesetting.
    import json

    from services.signing.adapters import samples
    from services.signing.adapters.renderer import FormRenderer
    from services.signing.domain.class_sheet import is_class_sheet, read_class_sheet
    from services.signing.domain.record import UnreadableRecord, read_record

    if sum((record is not None, bool(sample), every)) != 1:
        raise typer.BadParameter("give a record, or --sample FORM, or --all")
    try:
        if record:
            # People edit records by hand to try a form.
            contents = {out or Path("preview.pdf"): samples.canonical(json.loads(record.read_text(encoding="utf-8")))}
        elif sample:
            contents = {out or Path("preview.pdf"): samples.canonical(samples.sample(sample, size))}
        else:
            folder = out or Path("previews")
            folder.mkdir(parents=True, exist_ok=True)
            contents = {folder / f"{form}-{each}.pdf": samples.canonical(samples.sample(form, each)) for form in samples.forms() for each in samples.SIZES}
        renderer = FormRenderer(url, form_version)
        for target, content in contents.items():
            document = read_class_sheet(content) if is_class_sheet(content) else read_record(content)
            body = renderer.render(document, draft=draft)
            target.write_bytes(body.pdf)
            typer.echo(f"{target}: {body.template_version}, {len(body.pdf)} bytes, SHA-256 {body.digest.hex()}")
            if png:
                for picture in _draw(target, png):
                    typer.echo(f"  {picture}")
    except (UnreadableRecord, LookupError, ValueError, RuntimeError) as error:
        typer.secho(f"{record or 'preview'}: {error}", err=True, fg="red")
        raise typer.Exit(2) from error


def _draw(pdf: Path, folder: Path) -> list[Path]:
    """Every page as a PNG file, drawn by poppler."""
    import shutil
    import subprocess

    program = shutil.which("pdftoppm")
    if program is None:
        raise RuntimeError("--png needs pdftoppm: install poppler-utils (apt-get install poppler-utils, brew install poppler)")
    folder.mkdir(parents=True, exist_ok=True)
    for older in folder.glob(f"{pdf.stem}-[0-9]*.png"):  # Of a preview that had more pages.
        older.unlink()
    run = subprocess.run([program, "-r", _DOTS_PER_INCH, "-png", str(pdf), str(folder / pdf.stem)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"pdftoppm can't draw {pdf}: {run.stderr.strip()[-300:]}")
    return sorted(folder.glob(f"{pdf.stem}-[0-9]*.png"))
