"""`hocba <service> ...`: the same sub-commands for every service, made from what its app.py names."""

import asyncio
import importlib
import json
import os
from types import ModuleType
from typing import Annotated

import typer
import uvloop

from services.chassis import migrations, telemetry
from services.chassis.app import Service
from services.chassis.errors import ServiceError
from services.chassis.settings import ServiceSettings
from services.cli.edge import FAILED, OPERATOR, reported, take_local_settings
from services.stack.deployment import refuse_misspelt
from services.stack.places import StackError

SERVICES = ("enrollment", "grading", "locking", "signing", "archive", "reporting")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"services.{name}.app")


def _settings(module: ModuleType) -> ServiceSettings:
    refuse_misspelt(os.environ)
    loaded: ServiceSettings = module.SETTINGS.load()
    return loaded


def _build(module: ModuleType) -> Service:
    built: Service = module.build(_settings(module))
    return built


def make(name: str) -> typer.Typer:
    """The sub-commands of one service. Its module is imported only when one of them runs, so that help stays fast."""
    app = typer.Typer(help=f"The {name} service.", no_args_is_help=True)

    @app.command()
    def serve() -> None:
        """Run the service: RPC, consumers, relay."""
        _run("serve")

    if name == "signing":

        @app.command()
        def work() -> None:
            """Run a signing worker; start as many as there are partitions."""
            _run("work")

    def _run(command: str) -> None:
        module = _module(name)

        async def run() -> None:
            # Built inside the loop that it runs in: a channel to another service belongs to a loop from its first moment.
            await _build(module).run(module.ROLES[command])

        try:
            uvloop.run(run())
        except (ServiceError, StackError) as error:  # Anything else is a bug, and its place belongs in the log.
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(FAILED) from error

    @app.command()
    def migrate() -> None:
        """Bring the database, the topics and the group's offsets up to date. Safe to repeat."""
        module = _module(name)

        async def run() -> tuple[list[str], list[str]]:
            service = _build(module)
            ran = migrations.migrate(service.settings.owner_dsn, module.MIGRATIONS)
            return ran, await service.provision()

        with reported():
            ran, made = asyncio.run(run())
        typer.echo(f"{name}: {len(ran)} migrations, {len(made)} topics")

    @app.command("check-config")
    def check_config() -> None:
        """Read the settings and say what is wrong with them, before anything runs."""
        with reported():
            settings = _settings(_module(name))
        typer.echo(f"{name}: {len(settings.model_fields_set)} settings given, none unknown")

    @app.command()
    def parked(
        replay: Annotated[bool, typer.Option(help="Hand the parked records to their handlers again.")] = False,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """List the records that could not be handled, with reasons; or replay them after the cause is mended.

        Runs beside the service, with its settings. Exit code 1 when a replayed record still can't be applied.
        """
        with reported():
            take_local_settings(name, OPERATOR)
            telemetry.configure(name, level="warning", export="none", otlp_endpoint="", instance=OPERATOR)
            rows = asyncio.run(_parked(_module(name), replay))
        if as_json:
            typer.echo(json.dumps(rows, ensure_ascii=False, default=str))
        else:
            typer.echo("\n".join((_REPLAYED if replay else _PARKED).format_map(row) for row in rows) or "nothing parked")
        if any(row.get("still_parked") for row in rows):
            raise typer.Exit(1)

    return app


_PARKED = "{parked_at:%Y-%m-%d %H:%M:%S} {consumer} {topic}[{partition}]@{offset} key={key} {type}: {reason}"
_REPLAYED = "{group}: {applied} applied, {still_parked} still parked"


async def _parked(module: ModuleType, replay: bool) -> list[dict[str, object]]:
    from services.chassis.outbox import QUERIES

    service = _build(module)
    await service.database.open()
    try:
        if replay:
            results = [(subscription.group, *await subscription.replay()) for subscription, _ in service.subscriptions()]
            return [{"group": group, "applied": applied, "still_parked": failed} for group, applied, failed in results]
        async with service.database.transaction() as connection:
            rows = await connection.fetch(QUERIES["list_parked"], 1000)
        # The payload may hold sealed personal data and says nothing to a reader.
        return [{k: v for k, v in dict(row).items() if k not in ("payload", "headers")} for row in rows]
    finally:
        await service.database.close()
