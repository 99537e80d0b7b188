"""`python -m services.population`: run the stand-in of the population database until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from services.population.people import People, Shares
from services.population.server import Files, Gateway, start

File = Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True)]


def serve(
    ca: File,
    certificate: File,
    key: File,
    listen: Annotated[str, typer.Option(help="host:port of the mTLS server; port 0 takes a free one")] = "127.0.0.1:0",
    health_listen: Annotated[str, typer.Option(help="host:port for health checks without TLS; empty: none")] = "",
    seed: Annotated[int, typer.Option(help="the same seed gives the same answers")] = 0,
    mismatch: Annotated[int, typer.Option(help="answers out of 1000 that differ in some field")] = 30,
    not_found: Annotated[int, typer.Option(help="out of 1000")] = 15,
    slow: Annotated[int, typer.Option(help="out of 1000")] = 3,
    unavailable: Annotated[int, typer.Option(help="out of 1000")] = 2,
    slow_seconds: Annotated[float, typer.Option(help="how long a slow answer takes")] = 10.0,
) -> None:
    """Stand in for the population database: answers by seed, keeps nothing, knows nobody."""
    gateway = Gateway(People(seed, Shares(mismatch, not_found, slow, unavailable)), slow_seconds)
    asyncio.run(_serve(listen, health_listen, Files(ca, certificate, key), gateway))


async def _serve(listen: str, health_listen: str, files: Files, gateway: Gateway) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server, address = await start(listen, health_listen, files, gateway)
    typer.echo(f"population: listening on {address}")
    await stop.wait()
    await server.stop(2)


if __name__ == "__main__":
    typer.run(serve)
