"""`python -m services.trust_services`: run the stand-in of the certificate authority's services until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from services.trust_services.authority import Authority
from services.trust_services.server import TrustServices, start


def serve(
    authority: Annotated[Path, typer.Option(exists=True, file_okay=False, help="folder `authority` of the test PKI")],
    listen: Annotated[str, typer.Option(help="host:port of the HTTP server; port 0 takes a free one")] = "127.0.0.1:0",
    health_listen: Annotated[str, typer.Option(help="host:port for health checks; empty: none")] = "",
    obey_tests: Annotated[bool, typer.Option("--obey-tests", help="misbehave as `PUT /behaviour` says")] = False,
) -> None:
    """Stand in for a certificate authority: OCSP, revocation lists and RFC 3161 time stamps for the test PKI."""
    asyncio.run(_serve(TrustServices(Authority.from_folder(authority), obey_tests), listen, health_listen))


async def _serve(services: TrustServices, listen: str, health_listen: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = await start(services, listen, health_listen)
    typer.echo(f"trust services: listening on {running.address}")
    await stop.wait()
    await running.stop()


if __name__ == "__main__":
    typer.run(serve)
