"""`hocba demo`: a whole term end on one machine."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from services.cli.edge import reported


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""

    @app.command()
    def demo(
        pupils: Annotated[int, typer.Option(min=400, help="At least so many pupils, in at least twelve classes.")] = 400,
        seed: Annotated[int, typer.Option(help="Another seed, other names and marks.")] = 1,
        keep: Annotated[bool, typer.Option(help="Leave the stack up at the end.")] = False,
        picture: Annotated[Path | None, typer.Option(help="Also save the last screen as an SVG.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON and nothing else on standard output.")] = False,
    ) -> None:
        """Play a whole term end: roster, marks, seal, a correction, three signatures each, archive, coverage."""
        from rich.console import Console

        from services.rehearsal import run, summary

        try:
            with reported():
                outcome = run.on_a_fresh_stack(pupils, seed, keep=keep, quiet=as_json)
        except KeyboardInterrupt:
            typer.secho("interrupted; nothing was left running", err=True, fg="yellow")
            raise typer.Exit(130) from None
        if as_json:
            typer.echo(json.dumps(outcome.as_dict(), ensure_ascii=False))
        else:
            console = Console(record=picture is not None, width=110 if picture else None)
            summary.show(outcome, console)
            if picture:
                # Without the font that it would fetch from elsewhere; any monospaced one will do.
                picture.write_text(re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="make demo"), flags=re.DOTALL), encoding="utf-8")
        if not outcome.reconciled:
            raise typer.Exit(1)
