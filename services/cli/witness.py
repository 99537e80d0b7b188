"""`hocba witness`: cosign the checkpoints of transparency logs; and what makes the keys for it."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.edge import FAILED


class KeyType(StrEnum):
    """What a key is for."""

    LOG = "log"
    WITNESS = "witness"
    WITNESS_ML_DSA = "witness-ml-dsa-44"


def attach(app: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    app.command("witness")(witness)
    app.command("log-key")(log_key)


def witness(
    key: Annotated[Path, typer.Option(help="The witness's private key, as `hocba log-key` writes it.", exists=True, dir_okay=False)],
    state: Annotated[Path, typer.Option(help="Folder that remembers what was cosigned. Losing it means to begin with a new key.", file_okay=False)],
    log: Annotated[list[str] | None, typer.Option(help="Public key of a log to follow (<origin>+<id>+<key>); may be given more than once.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file of a log to follow, instead of its key.", exists=True, dir_okay=False)] = None,
    listen: Annotated[str, typer.Option(help="host:port of the HTTP server.")] = "127.0.0.1:0",
    health_listen: Annotated[str, typer.Option(help="host:port for health checks; empty: none.")] = "",
) -> None:
    """Run a witness: cosign a log's checkpoint only if it continues the one before (C2SP tlog-witness)."""
    # Imported here so that every other command starts without an HTTP server.
    from services.archive.adapters.note_keys import read_signer
    from services.archive.domain.signed_note import KeyText, NoteError
    from services.archive.domain.witness_policy import read_policy
    from services.chassis import telemetry
    from services.witness.ledger import Ledger
    from services.witness.server import WitnessServer
    from services.witness.witnessing import Witnessing

    async def run(server: WitnessServer) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await server.run(listen, health_listen, stop)

    telemetry.configure("witness", level="info", export="none", otlp_endpoint="", instance="witness")
    try:
        signer, logs = read_signer(key), [KeyText.read(text) for text in log or ()]
        if policy is not None:
            logs.append(read_policy(policy.read_text(encoding="utf-8")).log)
        if not logs:
            raise NoteError("a witness follows a log: give its --log or its --policy")
        ledger = Ledger.open(state)
    except NoteError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(FAILED) from error
    except BlockingIOError as error:
        typer.secho(f"another witness works in {state}; each needs a folder and a key of its own", err=True, fg="red")
        raise typer.Exit(FAILED) from error
    try:
        asyncio.run(run(WitnessServer(Witnessing({one.name: one for one in logs}, signer, ledger, lambda: datetime.now(UTC)))))
    finally:
        ledger.close()


def log_key(
    name: Annotated[str, typer.Argument(help="The key's name: for a log its origin, such as hocba.example/archive/2026.")],
    out: Annotated[Path, typer.Option(help="Where the private key goes; a file that is there already is left as it is.")],
    kind: Annotated[KeyType, typer.Option("--type", help="What the key is for.")] = KeyType.LOG,
) -> None:
    """Make a key of a log or a witness; prints the public key, for policies and for who follows the log."""
    from services.archive.adapters.note_keys import new_key, read_signer
    from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519, NoteError

    number = {KeyType.LOG: ED25519, KeyType.WITNESS: COSIGNATURE_ED25519, KeyType.WITNESS_ML_DSA: COSIGNATURE_ML_DSA_44}[kind]
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(new_key(name, number) + "\n")
        typer.echo(read_signer(out).public.text)
    except (OSError, NoteError) as error:
        typer.secho(f"{out}: {error}", err=True, fg="red")
        raise typer.Exit(FAILED) from error
