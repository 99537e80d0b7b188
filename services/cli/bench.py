"""`hocba bench ...`: one command per module of services.bench."""

import importlib
import pkgutil

import typer

import services.bench


def attach(app: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add the group with whatever the bench modules offer."""
    group = typer.Typer(help="Benchmarks, each next to its baseline in one run.", no_args_is_help=True)
    for found in pkgutil.iter_modules(services.bench.__path__):
        module = importlib.import_module(f"services.bench.{found.name}")
        if hasattr(module, "attach"):
            module.attach(group)
    app.add_typer(group, name="bench")
