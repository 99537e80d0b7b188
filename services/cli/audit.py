"""`hocba audit`: recompute the invariants from the stores of a running stack."""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.edge import reported, running

if TYPE_CHECKING:
    from services.audit.checks import Finding


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    audit = typer.Typer(help="Recompute the invariants from the stores; exit status 1 when one does not hold.", invoke_without_command=True)
    app.add_typer(audit, name="audit")

    @audit.callback()
    def check(context: typer.Context, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        """Check every invariant. The local stack must be up; exit status 2 when it isn't."""
        if context.invoked_subcommand:
            return
        from rich.console import Console
        from rich.table import Table

        with reported():
            findings = asyncio.run(_findings())
        if as_json:
            typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
        else:
            table = Table("invariant", "", "checked", "verdict", title="hocba audit")
            for finding in findings:
                verdict = "[green]holds[/]" if not finding.problems else "[red]" + "\n".join(finding.problems[:10]) + "[/]"
                table.add_row(finding.invariant, finding.title, str(finding.checked), "\n".join([verdict, *finding.notes]))
            Console().print(table)
        if any(finding.problems for finding in findings):
            raise typer.Exit(1)

    @audit.command()
    def fingerprint() -> None:
        """A digest per table: equal before and after a replay of every topic (I10)."""
        with reported():
            found = asyncio.run(_fingerprint())
        typer.echo(json.dumps(found, indent=1))


async def _findings() -> "list[Finding]":
    from services.audit.checks import run_all
    from services.audit.stores import Stores

    async with Stores.of(running()) as stores:
        return await run_all(stores)


async def _fingerprint() -> dict[str, str]:
    from services.audit.stores import Stores

    async with Stores.of(running()) as stores:
        return await stores.fingerprint()
