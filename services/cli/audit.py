"""`hocba audit`: recompute the invariants from the stores of a running stack; `--deep` judges archived documents again from their bytes."""

import asyncio
import json
import os
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.audit_reconcile import reconcile
from services.cli.edge import FAILED, reported, running, take_local_settings

if TYPE_CHECKING:
    from services.audit.checks import Finding
    from services.audit.deep import Range, Report

_VIETNAM = timezone(timedelta(hours=7))
_DAY = ["%Y-%m-%d"]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    audit = typer.Typer(help="Recompute the invariants from the stores; exit status 1 when one does not hold.", invoke_without_command=True)
    app.add_typer(audit, name="audit")

    @audit.callback()
    def check(
        context: typer.Context,
        deep: Annotated[bool, typer.Option("--deep", help="Judge archived documents again from their bytes: the archive's check and pyHanko's.")] = False,
        province: Annotated[str, typer.Option(help="Deep: of this province.")] = "",
        school: Annotated[str, typer.Option(help="Deep: of this school (UUID).")] = "",
        class_id: Annotated[str, typer.Option("--class", help="Deep: of this class (UUID).")] = "",
        since: Annotated[datetime | None, typer.Option(formats=_DAY, help="Deep: admitted on this day or later, by Viet Nam's calendar.")] = None,
        until: Annotated[datetime | None, typer.Option(formats=_DAY, help="Deep: admitted before this day.")] = None,
        sample: Annotated[float, typer.Option(min=0, max=1, help="The share of stored objects, or with --deep of the range, drawn by their digests.")] = 1.0,
        seed: Annotated[str, typer.Option(help="Another word draws another sample.")] = "",
        processes: Annotated[int, typer.Option(min=1, help="Deep: how many processes share the work.")] = len(os.sched_getaffinity(0)),
        resume: Annotated[Path | None, typer.Option(dir_okay=False, help="Deep: a file that keeps what is done; give it again to go on.")] = None,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Check every invariant. The local stack must be up; exit status 2 when it isn't.

        --deep runs beside the archive with its settings, else with the local stack's: exit status 0 when every document of the range
        is valid, 1 when at least one isn't, 2 when it could not be found out.
        """
        if context.invoked_subcommand:
            return
        if deep:
            from services.audit.deep import Range

            wanted = Range(province, school, class_id, _day(since), _day(until), sample, seed)
            with reported():
                take_local_settings("archive")
                report = asyncio.run(_deep(wanted, processes, resume, quiet=as_json))
            _tell(wanted, report, as_json=as_json)
            raise typer.Exit(1 if report.faulty else FAILED if report.unread else 0)
        from rich.console import Console
        from rich.table import Table

        with reported():
            findings = asyncio.run(_findings(sample, seed, quiet=as_json))
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

    audit.command()(reconcile)

    @audit.command()
    def fingerprint() -> None:
        """A digest per table: equal before and after a replay of every topic (I10)."""
        with reported():
            found = asyncio.run(_fingerprint())
        typer.echo(json.dumps(found, indent=1))


def _day(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=_VIETNAM) if day else None


async def _deep(wanted: "Range", processes: int, resume: Path | None, *, quiet: bool) -> "Report":
    from services.archive import app as archive
    from services.audit import deep
    from services.rehearsal.progress import Stage

    settings = archive.SETTINGS.load()
    service = archive.build(settings)
    database, vault = service.database, archive.vault(settings, service)
    await database.open()
    try:
        total = await deep.count(database, wanted)
        with Stage(quiet=quiet).act("Kiểm tra lại tài liệu lưu trữ (archived documents)", total) as step:
            return await deep.audit(
                database, vault, deep.Law(settings.trust_dir, archive.orders_of(settings.role_orders)), wanted, processes, resume, step.advance
            )
    finally:
        await database.close()


def _tell(wanted: "Range", report: "Report", *, as_json: bool) -> None:
    told: dict[str, Any] = {"range": wanted.told(), "checked": report.checked, "faulty": report.faulty, "by_finding": report.by_finding}
    if as_json:
        documents = [{"document": verdict.document, "findings": verdict.findings} for verdict in report.listed]
        unread = [{"document": verdict.document, "reason": verdict.unread} for verdict in report.unread.values()]
        typer.echo(json.dumps(told | {"documents": documents, "unread": unread}, ensure_ascii=False))
        return
    typer.echo(f"{report.checked} documents checked, {report.faulty} with findings, {len(report.unread)} could not be read")
    for code, number in report.by_finding.most_common():
        typer.secho(f"  {code}: {number}", fg="red")
    for verdict in report.listed:
        typer.echo("\n".join([verdict.document, *(f"  {code}: {detail}" for code, detail in verdict.findings)]))
    for verdict in report.unread.values():
        typer.secho(f"{verdict.document}: {verdict.unread}", fg="yellow")


async def _findings(sample: float, seed: str, *, quiet: bool) -> "list[Finding]":
    from services.audit.checks import run_all
    from services.audit.stores import Stores

    async with Stores.of(running()) as stores:
        findings = await run_all(stores)
    return [*findings, *await _files(sample, seed, quiet=quiet)]


async def _files(sample: float, seed: str, *, quiet: bool) -> "list[Finding]":
    """What the archive's files say beside the tables."""
    from rich.console import Console
    from rich.progress import Progress

    from services.archive import app as archive
    from services.audit.archive import Outsider, files_hold, outsiders_agree

    take_local_settings("archive")
    settings = archive.SETTINGS.load()
    service = archive.build(settings)
    words = {"leaves": "Nhật ký (leaves of the log)", "documents": "Tệp đã lưu (stored documents)"}
    await service.database.open()
    try:
        with Progress(console=Console(stderr=True), disable=quiet, transient=True) as progress:
            bars = {what: progress.add_task(title, total=None) for what, title in words.items()}
            check = archive.check_log(settings, service)
            findings = [*await files_hold(check, sample, seed, lambda what, done, total: progress.update(bars[what], completed=done, total=total))]
        if settings.log_policy_file is not None:
            outsider = Outsider(settings.trust_dir, settings.log_policy_file, archive.orders_of(settings.role_orders))
            vault, proofs = archive.vault(settings, service), archive.proofs(settings, service)
            findings.append(await outsiders_agree(service.database, vault, proofs, outsider, seed))
        return findings
    finally:
        await service.database.close()


async def _fingerprint() -> dict[str, str]:
    from services.audit.stores import Stores

    async with Stores.of(running()) as stores:
        return await stores.fingerprint()
