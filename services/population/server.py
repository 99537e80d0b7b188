"""The stand-in's gRPC server: mTLS like every service, health and reflection, and no memory of what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hocba.enrollment.v1 import population_pb2 as pb
from hocba.enrollment.v1 import population_pb2_grpc
from services.chassis.errors import Denied
from services.chassis.rpc import access_table, caller_of
from services.population.people import Answer, People

NAME = "hocba.enrollment.v1.PopulationGateway"
_VERDICTS = {
    Answer.MATCH: pb.CheckPersonResponse.VERDICT_MATCH,
    Answer.SLOW: pb.CheckPersonResponse.VERDICT_MATCH,
    Answer.MISMATCH: pb.CheckPersonResponse.VERDICT_MISMATCH,
    Answer.NOT_FOUND: pb.CheckPersonResponse.VERDICT_NOT_FOUND,
}


@dataclass(frozen=True)
class Gateway(population_pb2_grpc.PopulationGatewayServicer):
    """Answers questions about persons as `people` says."""

    people: People
    slow_seconds: float

    async def CheckPerson(self, request: pb.CheckPersonRequest, context: Any) -> pb.CheckPersonResponse:
        try:
            caller = caller_of(context)
        except Denied:
            caller = ""
        if caller not in access_table(NAME)[f"/{NAME}/CheckPerson"].callers:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only enrollment may ask")
        answer, fields = self.people.answer(request.personal_number)
        if answer is Answer.UNAVAILABLE:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the population database is being maintained")
        if answer is Answer.SLOW:
            await asyncio.sleep(self.slow_seconds)
        return pb.CheckPersonResponse(verdict=_VERDICTS[answer], fields=fields)


@dataclass(frozen=True)
class Files:
    """Our certificate and key, and the CA that signs the callers'."""

    ca: Path
    certificate: Path
    key: Path


async def start(listen: str, health_listen: str, files: Files, gateway: Gateway) -> tuple[grpc.aio.Server, str]:
    """Open the doors; give the server and its address, host:port."""
    server = grpc.aio.server()
    population_pb2_grpc.add_PopulationGatewayServicer_to_server(gateway, server)
    checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
    for name in ("", "readiness", "liveness", NAME):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection((NAME, reflection.SERVICE_NAME), server)
    credentials = grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())], root_certificates=files.ca.read_bytes(), require_client_auth=True
    )
    port = server.add_secure_port(listen, credentials)
    if health_listen:
        # The same server answers health checks without TLS on a second door, as the services do.
        server.add_insecure_port(health_listen)
    await server.start()
    return server, f"{listen.rsplit(':', 1)[0]}:{port}"
