"""`hocba archive retention`: delete what has had its time, or tell what would go."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.edge import reported, take_local_settings

if TYPE_CHECKING:
    from services.archive.application.apply_retention import Applied

_WORDS = {"access_lines": "dòng nhật ký truy cập (lines of the access log)", "staged_packs": "gói tạm (packs in staging)"}


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    groups["archive"].command("retention")(retention)


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing; tell what would go.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Xoá những gì đã hết thời hạn lưu (delete what has had its time), by the archive's settings; learning records are kept for ever.

    Runs beside the service, with its settings; may be stopped and begun again. The service does the same at intervals.
    """
    from rich.console import Console
    from rich.progress import Progress

    from services.archive import app as archive
    from services.archive.domain.retention import Kind

    async def run() -> "Applied":
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        apply = archive.retention(settings, service, archive.recording(service))
        await service.database.open()
        try:
            with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
                bars = {kind: progress.add_task(_WORDS[kind], total=None) for kind in apply.periods}

                def told(kind: Kind, done: int, total: int | None) -> None:
                    progress.update(bars[kind], completed=done, total=total)

                return await apply(told, dry_run=dry_run)
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        applied = asyncio.run(run())
    unknown = sorted(applied.holds.unknown)
    if as_json:
        kinds = {one.kind: {"before": one.before.isoformat(), "deleted": one.deleted, "held": one.held, "needed": one.needed} for one in applied.outcomes}
        typer.echo(json.dumps({"dry_run": dry_run, "kinds": kinds, "held_schools": sorted(applied.holds.schools), "unknown_holds": unknown}))
        return
    for one in applied.outcomes:
        verb = "sẽ xoá (would delete)" if dry_run else "đã xoá (deleted)"
        needed = f", còn cần (still needed) {one.needed}" if one.needed else ""
        typer.echo(
            f"{_WORDS[one.kind]} trước (before) {one.before.isoformat(timespec='seconds')}: {verb} {one.deleted}, giữ theo lệnh (held) {one.held}{needed}"
        )
    if not applied.outcomes:
        typer.echo("Chưa đặt thời hạn nào (no period is set): HOCBA_ARCHIVE_RETENTION_ACCESS_DAYS, HOCBA_ARCHIVE_RETENTION_STAGING_DAYS")
    for one_id in unknown:
        typer.secho(f"Kho không có gì của (the archive has nothing of) {one_id}; xem lại danh sách (look at the list of holds)", fg="yellow", err=True)
