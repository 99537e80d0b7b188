"""`hocba stack`: PostgreSQL, Kafka, the services and the signing workers on this machine."""

import asyncio
import json
import subprocess
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.stack.places import Places

app = typer.Typer(help="The local stack: PostgreSQL, Kafka, services and workers on this machine.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
_COLOURS = {"ready": "green", "given": "green", "starting": "yellow", "not ready": "yellow", "stopped": "yellow", "ended": "red"}


def attach(whole: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add this group to the whole command."""
    whole.add_typer(app, name="stack")


@app.command()
def up(
    workers: Annotated[int, typer.Option(min=0, max=16, help="Signing workers.")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="This service and no other; may be repeated.")] = None,
    fresh: Annotated[bool, typer.Option(help="Start from empty databases, topics and stores.")] = False,
    remote_signing: Annotated[bool, typer.Option("--remote-signing", help="With the stand-in of a remote signing provider.")] = False,
) -> None:
    """Start the stack in the background and wait until every part is ready. Safe to repeat."""
    from services.stack import supervisor
    from services.stack.places import Places, StackError

    try:
        supervisor.up(Places.of(), workers=workers, only=only or (), fresh=fresh, remote_signing=remote_signing, say=lambda line: typer.echo(f"  {line}"))
    except StackError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.secho("interrupted; nothing was left running", err=True, fg="yellow")
        raise typer.Exit(130) from None
    _show(Places.of())


@app.command()
def down(wipe: Annotated[bool, typer.Option(help="Remove databases, topics, stores and logs too; keys stay.")] = False) -> None:
    """Stop the stack. Data stays unless --wipe is given."""
    from services.stack import supervisor
    from services.stack.places import StackError

    try:
        ran = supervisor.down(supervisor.meant(), wipe=wipe)
    except StackError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    typer.echo("stopped" if ran else "nothing was running")


@app.command()
def status(as_json: AsJson = False) -> None:
    """What runs, where, and whether it is ready. Exit status 3 when no stack runs, 1 when a part of it isn't ready."""
    from services.stack import supervisor

    places = supervisor.meant()
    states = asyncio.run(supervisor.status(places))
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states], indent=1))
    elif states:
        _show(places)
    else:
        typer.echo(f"no stack runs in {_short(places.state)}; `make up` starts one")
    if not states:
        raise typer.Exit(3)
    if any(state.state not in ("ready", "given") for state in states):
        raise typer.Exit(1)


@app.command()
def logs(
    names: Annotated[list[str] | None, typer.Argument(help="Processes by name, such as grading or signing-worker-1; all when left out.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on with what is written from now on, until Ctrl-C.")] = True,
    lines: Annotated[int, typer.Option(min=0, help="Lines of each log to begin with.")] = 20,
) -> None:
    """Show the logs of the stack's processes."""
    from services.stack import supervisor

    places = supervisor.meant()
    files = [places.logs / f"{name}.log" for name in names] if names else sorted(places.logs.glob("*.log"))
    missing = [file.stem for file in files if not file.exists()]
    if missing or not files:
        known = ", ".join(sorted(file.stem for file in places.logs.glob("*.log"))) or "none yet"
        typer.secho(f"no log of {', '.join(missing) or 'any process'}; there are: {known}", err=True, fg="red")
        raise typer.Exit(2)
    command = ["tail", f"--lines={lines}", *(["--follow=name", "--retry"] if follow else []), "--", *map(str, files)]
    with suppress(KeyboardInterrupt):
        raise typer.Exit(subprocess.call(command))


def _show(places: "Places") -> None:
    """The stack as a table."""
    from rich.console import Console
    from rich.table import Table

    from services.stack import supervisor
    from services.stack.deployment import Deployment
    from services.stack.places import StackError

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("process", "state", "pid", "address", "since", "restarts"):
        table.add_column(column, justify="right" if column in ("pid", "restarts") else "left")
    for state in asyncio.run(supervisor.status(places)):
        colour = _COLOURS.get(state.state, "white")
        since = datetime.fromisoformat(state.since).astimezone().strftime("%H:%M:%S") if state.since else ""
        table.add_row(state.name, f"[{colour}]{state.state}[/]", str(state.pid or ""), state.address, since, str(state.restarts or ""))
    console = Console()
    console.print(table)
    with suppress(StackError):
        if page := Deployment.read(places).page:
            console.print(f"public page: {page}/", soft_wrap=True)
        if dashboard := Deployment.read(places).dashboard:
            console.print(f"dashboard:   {dashboard}/ (hocba reporting dashboard prints an address that signs in)", soft_wrap=True)
    console.print(f"[dim]state and logs: {_short(places.state)}[/]", soft_wrap=True)


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
