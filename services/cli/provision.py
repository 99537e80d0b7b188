"""`hocba stack provision`: what docker compose runs before the services."""

from typing import Annotated, Literal

import typer

from services.cli.stack import app


def attach(_: typer.Typer, __: dict[str, typer.Typer]) -> None:
    """The command is added to the stack's group when this module is imported."""


@app.command()
def provision(step: Annotated[Literal["keys", "rest"], typer.Argument(help="keys first; rest once PostgreSQL and Kafka are up.")]) -> None:
    """Prepare a PostgreSQL and a Kafka that somebody else runs (HOCBA_DATABASE, HOCBA_KAFKA), with keys in HOCBA_STATE. Safe to repeat."""
    from services.stack import provision as steps
    from services.stack.places import Places, StackError

    try:
        if step == "keys":
            steps.keys(Places.of())
        else:
            steps.rest(Places.of())
    except StackError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    typer.echo(f"{step}: done")
