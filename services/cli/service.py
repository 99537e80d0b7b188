"""`hocba <service> ...`: the same sub-commands for every service, made from what its app.py names."""

import asyncio
import importlib
import json
from types import ModuleType
from typing import Annotated

import typer
import uvloop

from services.chassis import migrations, telemetry
from services.chassis.app import Service
from services.chassis.errors import ServiceError

SERVICES = ("enrollment", "grading", "locking", "signing", "archive", "reporting")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"services.{name}.app")


def _build(module: ModuleType) -> Service:
    built: Service = module.build(module.SETTINGS.load())
    return built


def _fail(error: ServiceError) -> typer.Exit:
    typer.secho(error.message, err=True, fg="red")
    return typer.Exit(2)


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
        except ServiceError as error:
            raise _fail(error) from error

    @app.command()
    def migrate() -> None:
        """Bring the database, the topics and the group's offsets up to date. Safe to repeat."""
        module = _module(name)

        async def run() -> tuple[list[str], list[str]]:
            service = _build(module)
            ran = migrations.migrate(service.settings.owner_dsn, module.MIGRATIONS)
            return ran, await service.provision()

        try:
            ran, made = asyncio.run(run())
        except ServiceError as error:
            raise _fail(error) from error
        typer.echo(f"{name}: {len(ran)} migrations, {len(made)} topics")

    @app.command("check-config")
    def check_config() -> None:
        """Read the settings and say what is wrong with them, before anything runs."""
        try:
            settings = _module(name).SETTINGS.load()
        except ServiceError as error:
            raise _fail(error) from error
        typer.echo(f"{name}: {len(settings.model_fields_set)} settings given, none unknown")

    @app.command()
    def parked(
        replay: Annotated[bool, typer.Option(help="Hand the parked records to their handlers again.")] = False,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """List the records that could not be handled, with reasons; or replay them after the cause is mended."""
        service = _build(_module(name))
        telemetry.configure(name, level="warning", export="none", otlp_endpoint="", instance="cli")
        rows = asyncio.run(_parked(service, replay))
        typer.echo(json.dumps(rows, ensure_ascii=False, default=str) if as_json else "\n".join(map(str, rows)) or "nothing parked")

    return app


async def _parked(service: Service, replay: bool) -> list[dict[str, object]]:
    from services.chassis.outbox import QUERIES

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
