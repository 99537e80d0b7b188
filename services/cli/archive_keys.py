"""`hocba archive keys`: the wrapping keys under which the archive is encrypted. Runs beside the service, with its settings."""

import asyncio
import json
import os
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import reported, take_local_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
KeyId = Annotated[str, typer.Argument(help="Id of the key: <province>/<number>.", metavar="KEY")]
ProvinceId = Annotated[str, typer.Argument(help="Id of the province, such as 2025-79.", metavar="PROVINCE")]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the group."""
    keys = typer.Typer(help="Wrapping keys: make, renew, and bring back from shares.", no_args_is_help=True)
    keys.command("new")(new)
    keys.command("rewrap")(rewrap)
    keys.command("recover")(recover)
    groups["archive"].add_typer(keys, name="keys")


def new(
    province_id: ProvinceId,
    shares: Annotated[
        Path, typer.Option(help="Folder for the five shares, of which any three bring the key back. Give each to another person, then empty it.")
    ],
    as_json: Json = False,
) -> None:
    """Make a province's next wrapping key; it wraps from now on. Then: hocba archive keys rewrap."""
    from services.archive import app as archive
    from services.archive.adapters.key_shares import NEEDED, shares_of
    from services.archive.adapters.wrapping_keys import KEY_BYTES
    from services.chassis.errors import Unavailable

    with reported():
        take_local_settings("archive")
        home = archive.wrapping_keys(archive.SETTINGS.load(wrapping_keys_make=False))
        try:
            number = int(home.current(province_id).rpartition("/")[2]) + 1
        except Unavailable as error:
            if error.code != "no_wrapping_key":
                raise
            number = 1
        key_id, key = f"{province_id}/{number}", secrets.token_bytes(KEY_BYTES)
        # The shares first: a key that wraps and was never shared is the one to be lost.
        files = _written(shares, key_id, shares_of(key))
        home.put(key_id, key)
    told = {"key": key_id, "shares": [str(file) for file in files], "needed": NEEDED}
    words = f"{key_id} wraps from now on. {len(files)} shares in {shares}, any {NEEDED} bring it back: give each to another person, then empty the folder."
    typer.echo(json.dumps(told) if as_json else words)


def rewrap(province_id: ProvinceId, as_json: Json = False) -> None:
    """Wrap a province's data keys anew under its latest wrapping key. Documents stay as they are; may be stopped and repeated."""
    from rich.console import Console
    from rich.progress import Progress

    from services.archive import app as archive

    async def run() -> dict[str, Any]:
        settings = archive.SETTINGS.load(wrapping_keys_make=False)
        service = archive.build(settings)
        await service.database.open()
        try:
            with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
                task = progress.add_task("data keys", total=None)
                return asdict(await archive.rewrap(settings, service)(province_id, lambda done, left: progress.update(task, completed=done, total=done + left)))
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        told = asyncio.run(run())
    words = f"{told['data_keys']} data keys wrapped anew; all of {province_id} are under {told['wrapping_key']} now."
    typer.echo(json.dumps(told) if as_json else words)


def recover(
    key_id: KeyId,
    shares: Annotated[
        list[Path], typer.Argument(help="Files with shares of this key, one each.", exists=True, dir_okay=False, readable=True, metavar="SHARE...")
    ],
    as_json: Json = False,
) -> None:
    """Bring a lost wrapping key back from shares."""
    from services.archive import app as archive
    from services.archive.adapters.key_shares import key_of

    with reported():
        take_local_settings("archive")
        home = archive.wrapping_keys(archive.SETTINGS.load(wrapping_keys_make=False))
        home.put(key_id, key_of([share.read_text(encoding="utf-8") for share in shares]))
    typer.echo(json.dumps({"key": key_id}) if as_json else f"{key_id} is back.")


def _written(folder: Path, key_id: str, shares: list[str]) -> list[Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = [folder / f"{key_id.replace('/', '.')}.share-{number}.txt" for number in range(1, len(shares) + 1)]
    for file, share in zip(files, shares, strict=True):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(share + "\n")
            out.flush()
            os.fsync(out.fileno())
    return files
