"""`hocba`: run a service, migrate, demo, audit, bench, verify. `python -m services` is the same."""

import importlib
import pkgutil

import typer

import services.cli
from services.cli.service import SERVICES, make


def build() -> typer.Typer:
    """The whole command: one group per service, plus what the modules of services.cli add with `attach(app, groups)`."""
    app = typer.Typer(name="hocba", help="Digital school transcripts (học bạ số): locked, signed, archived, provable.", no_args_is_help=True)
    groups = {name: make(name) for name in SERVICES}
    for name, group in groups.items():
        app.add_typer(group, name=name)
    for found in pkgutil.iter_modules(services.cli.__path__):
        module = importlib.import_module(f"services.cli.{found.name}")
        if hasattr(module, "attach"):
            module.attach(app, groups)
    return app


def main() -> None:
    """Entry point of the `hocba` script."""
    build()()


if __name__ == "__main__":
    main()
