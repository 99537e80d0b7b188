"""`hocba surge`: a term-end load against a local stack. The load tests are no part of an installation, only of a checkout."""

import os
import sys

import typer

from services.stack.places import CHECKOUT


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command; its options are those of `python -m loadtests.surge`."""

    @app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
    def surge(context: typer.Context) -> None:
        """Load a fresh local stack as on a term's last evening, and judge it; `surge --help` lists the options."""
        if not (CHECKOUT / "loadtests").is_dir():
            typer.secho("surge needs a checkout: the load tests are not part of an installation", err=True, fg="red")
            raise typer.Exit(2)
        os.chdir(CHECKOUT)
        # Children are started by exec alone; without this gRPC says so at each of them.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        os.execv(sys.executable, [sys.executable, "-m", "loadtests.surge", *context.args])  # noqa: S606 - no shell is wanted
