"""`hocba grading tally`: results of classes that are sealed already, told anew to reporting."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from services.cli.edge import reported, take_local_settings


def attach(_: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    groups["grading"].command("tally")(tally)


def tally(
    year: Annotated[int, typer.Option("--year", help="The school year's first year; 0: every year.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Tell reporting how the results of every sealed class are spread: once after an update, or when reporting has lost what it knew.

    Runs beside the service, with its settings; the service sends what is told. Repeats are harmless.
    """
    from services.chassis.identity import service_actor, set_current_actor
    from services.grading import app as grading

    def say(classes: int) -> None:
        print(f"\r{classes} classes", end="", file=sys.stderr, flush=True)

    async def run() -> int:
        set_current_actor(service_actor("grading"))
        service = grading.build(grading.SETTINGS.load())
        await service.database.open()
        try:
            return await grading.tally_classes(service)(year, say)
        finally:
            await service.database.close()
            print(file=sys.stderr)

    with reported():
        take_local_settings("grading")
        told = asyncio.run(run())
    typer.echo(json.dumps({"classes": told}) if as_json else f"{told} classes told anew")
