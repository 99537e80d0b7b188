"""The register's parts, named and joined."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.archive.adapters.note_keys import NoteSigner, read_signer, verifier_of
from services.archive.adapters.trust_store import TrustDirectory
from services.archive.domain.signed_note import SignedNote
from services.archive.domain.submission import RegisterReceipt
from services.chassis.clock import Clock, SystemClock
from services.chassis.database import Database
from services.chassis.telemetry import log
from services.register.adapters.detached_cms import DetachedCms
from services.register.adapters.store import PostgresRegister, PupilKeys
from services.register.adapters.uploads import UploadFolder
from services.register.application.find_pupil import FindPupil
from services.register.application.submit import Submit
from services.register.entrypoints.http import RegisterHTTP
from services.register.settings import RegisterSettings

MIGRATIONS = Path(__file__).with_name("migrations")
SCHEMA = Path(str(files("hocba") / "register" / "v1" / "submission.schema.json"))


@dataclass(frozen=True)
class NoteReceipts:
    """Fulfils the port ReceiptKey: Ed25519, so the same receipt always gets the same signature."""

    signer: NoteSigner

    def signed(self, receipt: RegisterReceipt) -> bytes:
        """The receipt as a signed note."""
        return SignedNote(receipt.text, (self.signer.sign(receipt.text),)).encoded()


@asynccontextmanager
async def register_of(database_url: str, pupil_key: bytes = b"") -> AsyncIterator[PostgresRegister]:
    """The tables; the operator's commands, which touch no pupil, need no key."""
    database = Database(database_url, name="hocba-register", pool=10)
    await database.open()
    try:
        yield PostgresRegister(database, PupilKeys(pupil_key))
    finally:
        await database.close()


def doors(settings: RegisterSettings, register: PostgresRegister, clock: Clock) -> RegisterHTTP:
    """The doors over these tables."""
    signer = read_signer(settings.key)
    submit = Submit(register, DetachedCms(TrustDirectory(settings.trust)), NoteReceipts(signer), signer.public.name, clock, verifier_of)
    return RegisterHTTP(submit, FindPupil(register, clock), register, UploadFolder(settings.state / "uploads"), signer.public.text, SCHEMA)


@asynccontextmanager
async def serving(settings: RegisterSettings, listen: str, clock: Clock | None = None) -> AsyncIterator[str]:
    """The register over HTTPS for the length of the block; gives its host:port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    async with register_of(settings.database_url, settings.pupil_key()) as register:
        runner = web.AppRunner(doors(settings, register, clock or SystemClock()).application(), access_log=None, shutdown_timeout=5)
        await runner.setup()
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host, int(port), ssl_context=context).start()
            address = f"{host}:{runner.addresses[0][1]}"
            log.info("register", name=read_signer(settings.key).public.name, listen=address)
            yield address
        finally:
            await runner.cleanup()


async def serve(settings: RegisterSettings, listen: str, health_listen: str, stop: asyncio.Event) -> None:
    """Serve until asked to stop."""
    async with serving(settings, listen), healthy(health_listen):
        await stop.wait()


@asynccontextmanager
async def healthy(listen: str) -> AsyncIterator[None]:
    """A gRPC health check, like every process of the stack has one; none without an address."""
    if not listen:
        yield
        return
    server = grpc.aio.server()
    checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
    for name in ("", "readiness", "liveness"):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(listen)
    await server.start()
    try:
        yield
    finally:
        await server.stop(1)
