"""`hocba archive health`: how each of the archive's duties stands."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.edge import FAILED, reported, take_local_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.archive.domain.duties import Standing

OVERDUE = 1
"""Exit code when a duty is overdue."""
_LOOKS = {"kept": ("✓", "green", "ổn"), "soon": ("!", "yellow", "sắp quá hạn"), "unknown": ("?", "yellow", "không rõ"), "overdue": ("✗", "red", "QUÁ HẠN")}


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    groups["archive"].command("health")(health)


def health(as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False) -> None:
    """Việc của kho có gì quá hạn không (is anything overdue): evidence and its renewal, final checkpoints, witnesses, parked and refused records, checks.

    Runs beside the service, with its settings, and tells what the service tells as metrics. Exit code 0: nothing is overdue; 1: something is; 2: it
    could not be found out.
    """
    from services.archive import app as archive
    from services.archive.domain.duties import State, worst

    async def run() -> "Sequence[Standing]":
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        await service.database.open()
        try:
            return await archive.duties(settings, service)()
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        standings = asyncio.run(run())
    state = worst(standings)
    if as_json:
        typer.echo(json.dumps({"state": state, "duties": [_plain(one) for one in standings]}, indent=1))
    else:
        for one in standings:
            _tell(one)
    if state in (State.OVERDUE, State.UNKNOWN):
        raise typer.Exit(OVERDUE if state is State.OVERDUE else FAILED)


def _plain(one: "Standing") -> dict[str, object]:
    return {
        "duty": one.duty,
        "of": one.of,
        "state": one.state,
        "since": one.since.isoformat() if one.since else None,
        "left_seconds": None if one.left is None else round(one.left.total_seconds()),
        "count": one.count,
        "detail": one.detail,
    }


def _tell(one: "Standing") -> None:
    from services.archive.domain.duties import DUTY_WORDS, Duty

    sign, colour, word = _LOOKS[one.state]
    vietnamese, english = DUTY_WORDS[one.duty]
    typer.secho(f"{sign} {vietnamese} ({english}){f' {one.of}' if one.of else ''}: {word} ({one.state})", fg=colour)
    facts = [f"{one.count}"] if one.count else []
    if one.since:
        facts.append(f"{'hết hạn (ends)' if one.duty is Duty.RENEWAL else 'từ (since)'} {one.since.isoformat(timespec='seconds')}")
    if facts or one.detail:
        typer.echo(f"    {', '.join([*facts, *([one.detail] if one.detail else [])])}")
