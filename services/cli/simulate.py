"""`hocba simulate --nation`: fills the read side of a stack with a synthetic nation."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from services.cli.edge import reported, take_local_settings


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""

    @app.command()
    def simulate(
        nation: Annotated[bool, typer.Option("--nation", help="A nation; there is nothing else to simulate yet.")] = False,
        pupils: Annotated[int, typer.Option(min=1, help="How many; schools and classes in proportion.")] = 18_000_000,
        seed: Annotated[int, typer.Option(help="The same seed gives the same nation.")] = 1,
        events: Annotated[bool, typer.Option("--events", help="Hand each event to reporting's consumers, in place of COPY: for small nations.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ) -> None:
        """Fill an empty read side (reporting) with schools, classes and pupils that are nobody, and with how far their transcripts are."""
        if not nation:
            raise typer.BadParameter("say --nation")
        with reported():
            take_local_settings("reporting")
            result = _fill(pupils, seed, events, quiet=as_json)
        if as_json:
            typer.echo(json.dumps(result))
            return
        typer.echo(f"{result['pupils']:,} pupils in {result['seconds']:,.1f} s; the database has {result['bytes'] / 1e6:,.0f} MB ({result['way']})")


def _fill(pupils: int, seed: int, events: bool, *, quiet: bool) -> dict[str, Any]:
    import psycopg
    from rich.console import Console
    from rich.progress import Progress

    from services.reporting.settings import ReportingSettings
    from services.simulate.fill import in_bulk
    from services.simulate.nation import nation

    settings = ReportingSettings.load()
    begun = time.monotonic()
    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("pupils", total=pupils)
        if events:
            asyncio.run(_told(settings.dsn, pupils, seed, lambda done: progress.update(task, completed=done)))
        else:
            in_bulk(settings.owner_dsn, nation(pupils, seed), lambda done: progress.update(task, completed=done))
    seconds = time.monotonic() - begun
    with psycopg.connect(settings.owner_dsn) as connection:
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    way = "by events" if events else "in bulk"
    return {"pupils": pupils, "seed": seed, "way": way, "seconds": round(seconds, 3), "bytes": size[0] if size else 0}


async def _told(dsn: str, pupils: int, seed: int, say: Callable[[int], None]) -> None:
    from services.chassis.database import Database
    from services.simulate.fill import by_events
    from services.simulate.nation import nation

    database = Database(dsn, name="hocba-simulate", pool=2)
    await database.open()
    try:
        await by_events(database, nation(pupils, seed), say)
    finally:
        await database.close()
