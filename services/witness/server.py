"""The doors of a witness: `POST /add-checkpoint`, and a gRPC health check like every process of the stack."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.chassis.telemetry import log
from services.witness.witnessing import Witnessing

_LARGEST = 256 * 1024


@dataclass
class WitnessServer:
    """One question at a time, so that two can't both continue the same checkpoint."""

    witnessing: Witnessing
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, listen: str, health_listen: str, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.post("/add-checkpoint", self.add_checkpoint)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        host, _, port = listen.rpartition(":")
        checks = await _healthy(health_listen) if health_listen else None
        try:
            await web.TCPSite(runner, host, int(port)).start()
            log.info("witnessing", name=self.witnessing.signer.public.name, logs=sorted(self.witnessing.logs), listen=str(runner.addresses[0]))
            await stop.wait()
        finally:
            await runner.cleanup()
            if checks is not None:
                await checks.stop(1)

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._turn:
            # Writes to the disk before it answers; so short that it may hold up the loop, and nobody can cut it off in the middle.
            answer = self.witnessing.add_checkpoint(body)
        if answer.status not in (200, 409):
            log.warning("not cosigned", status=answer.status, why=answer.body.strip())
        return web.Response(status=answer.status, text=answer.body, content_type="text/x.tlog.size" if answer.is_size else "text/plain")


async def _healthy(listen: str) -> grpc.aio.Server:
    server = grpc.aio.server()
    checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
    for name in ("", "readiness", "liveness"):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(listen)
    await server.start()
    return server
