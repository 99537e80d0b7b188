"""`python -m services.remote_signing`: run the stand-in of a remote signing provider until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path
from typing import Annotated

import typer

from services.remote_signing.credentials import Credentials
from services.remote_signing.server import Rules, start

File = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True)]


def serve(
    keys: Annotated[Path, typer.Option(exists=True, file_okay=False, help="folder of PKCS#12 files; a file's name is the credential's id")],
    password_file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="their password")],
    listen: Annotated[str, typer.Option(help="host:port on this machine; port 0 takes a free one")] = "127.0.0.1:0",
    health_listen: Annotated[str, typer.Option(help="host:port for health checks; empty: none")] = "",
    confirmation: Annotated[str, typer.Option(help="none; manual (/phone/confirm, needs --control); or seconds until the signer confirms")] = "none",
    window_seconds: Annotated[float, typer.Option(help="time that the signer has")] = 300.0,
    hashes_per_call: Annotated[int, typer.Option(min=1)] = 100,
    calls_per_second: Annotated[float, typer.Option(help="further calls get 429; 0: no limit")] = 0.0,
    client_id: Annotated[str, typer.Option(help="the one client; empty: anybody")] = "",
    client_secret_file: File = None,
    notices_token_file: File = None,
    control: Annotated[bool, typer.Option(help="open /control and /phone, for tests")] = False,
) -> None:
    """Stand in for a remote signing provider: signs hashes with test keys after a confirmation that nobody gives."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    secret, token = (file.read_text().strip() if file else "" for file in (client_secret_file, notices_token_file))
    rules = Rules(confirmation, window_seconds, hashes_per_call, calls_per_second, client_id, secret, token, control)
    asyncio.run(_serve(listen, health_listen, Credentials(keys, password_file), rules))


async def _serve(listen: str, health_listen: str, credentials: Credentials, rules: Rules) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = await start(listen, health_listen, credentials, rules)
    typer.echo(f"remote signing: listening on {running.address}")
    await stop.wait()
    await running.stop()


if __name__ == "__main__":
    typer.run(serve)
