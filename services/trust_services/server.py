"""The doors of the stand-in: HTTP as RFC 6960 and RFC 3161 describe it, and a gRPC health check like every process of the stack."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from aiohttp import web
from cryptography.x509 import ocsp
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.trust_services.authority import Authority, Identity
from services.trust_services.behaviour import Answering, Behaviour, Stamping
from services.trust_services.forgeries import stamping, stranger
from services.trust_services.revocation import Revocations, unsuccessful
from services.trust_services.time_stamps import Question, TimeStamper, Unstampable, rejection

_OCSP, _TSA, _CRL, _CERTIFICATE = "application/ocsp-response", "application/timestamp-reply", "application/pkix-crl", "application/pkix-cert"
_LIST_KEPT = timedelta(seconds=5)
_OTHER_POLICY = "1.3.6.1.4.1.32473.1.1"


@dataclass
class TrustServices:
    """Answers for one authority. `obeys` says whether tests may tell it to misbehave."""

    authority: Authority
    obeys: bool = False
    behaviour: Behaviour = field(default_factory=Behaviour)
    asked: dict[str, int] = field(default_factory=lambda: {"tsa": 0, "ocsp": 0, "crl": 0})
    """How often each service was asked."""

    def __post_init__(self) -> None:
        at, ours = self.now(), self.authority
        self._stampers: dict[Stamping, TimeStamper] = {}
        chain = (ours.issuing.der,)
        self._stamper = TimeStamper(ours.time_stamps, chain)
        self._revocations = Revocations(ours, stranger(ours.responder, at))
        self._lists: dict[str, tuple[datetime, tuple[int, int], bytes]] = {}
        if self.obeys:
            day = timedelta(days=1)
            self._stampers = {
                Stamping.EXPIRED: TimeStamper(stamping(ours.issuing, at - 9 * day, at - day), chain),
                Stamping.WRONG_USAGE: TimeStamper(stamping(ours.issuing, at - day, at + day, usage=False), chain),
                Stamping.STRANGER: TimeStamper(stranger(ours.time_stamps, at)),
                Stamping.WRONG_POLICY: TimeStamper(ours.time_stamps, chain, _OTHER_POLICY),
            }

    def now(self) -> datetime:
        """The time that is told."""
        return self.behaviour.at or datetime.now(UTC)

    def application(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=65536)
        app.router.add_post("/tsa", self._tsa)
        app.router.add_post("/ocsp", self._ocsp)
        app.router.add_get("/ocsp/{request:.+}", self._ocsp)
        app.router.add_get("/crl/{name:root|issuing}.crl", self._crl)
        app.router.add_get("/ca/{name:root|issuing}.cer", self._certificate)
        app.router.add_get("/asked", self._counts)
        if self.obeys:
            app.router.add_put("/behaviour", self._behave)
        return app

    async def _tsa(self, request: web.Request) -> web.Response:
        self.asked["tsa"] += 1
        body, how = await request.read(), self.behaviour.tsa
        if how is Stamping.DOWN:
            return web.Response(status=503)
        if how is Stamping.SLOW:
            await asyncio.sleep(self.behaviour.seconds)
        if how is Stamping.GARBAGE:
            return web.Response(body=b"<html>maintenance</html>", content_type=_TSA)
        return web.Response(body=self._stamped(body, how), content_type=_TSA)

    def _stamped(self, body: bytes, how: Stamping) -> bytes:
        if how is Stamping.REJECTS:
            return rejection("the authority is closed today")
        try:
            question = Question.of(body)
        except Unstampable as error:
            return rejection(str(error))
        at, stamper = self.now(), self._stampers.get(how, self._stamper)
        if how is Stamping.EARLY:
            at -= timedelta(hours=1)
        if how is Stamping.WRONG_IMPRINT:
            question = Question(question.imprint[:-1] + bytes([question.imprint[-1] ^ 1]), question.nonce, question.certificates)
        if how is Stamping.WRONG_NONCE and question.nonce:
            question = Question(question.imprint, question.nonce[:-1] + bytes([question.nonce[-1] ^ 1]), question.certificates)
        if how is Stamping.NO_NONCE:
            question = Question(question.imprint, b"", question.certificates)
        if how is Stamping.WRONG_SIGNATURE:
            answer = stamper.answer(question, at)
            return answer[:-1] + bytes([answer[-1] ^ 1])
        return stamper.answer(question, at)

    async def _ocsp(self, request: web.Request) -> web.Response:
        self.asked["ocsp"] += 1
        how = self.behaviour.ocsp
        if how is Answering.DOWN:
            return web.Response(status=503)
        if how is Answering.SLOW:
            await asyncio.sleep(self.behaviour.seconds)
        if how is Answering.GARBAGE:
            return web.Response(body=b"<html>maintenance</html>", content_type=_OCSP)
        if how is Answering.TRY_LATER:
            return web.Response(body=unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER), content_type=_OCSP)
        try:
            body = await request.read() if request.method == "POST" else base64.b64decode(request.match_info["request"], validate=True)
        except binascii.Error:
            body = b""
        return web.Response(body=self._revocations.answer(body, self.now(), how), content_type=_OCSP)

    async def _crl(self, request: web.Request) -> web.Response:
        self.asked["crl"] += 1
        how, name = self.behaviour.crl, request.match_info["name"]
        if how is Answering.DOWN:
            return web.Response(status=503)
        if how is Answering.SLOW:
            await asyncio.sleep(self.behaviour.seconds)
        if how is Answering.GARBAGE:
            return web.Response(body=b"<html>maintenance</html>", content_type=_CRL)
        if how is not Answering.NORMAL:
            return web.Response(body=self._revocations.listed(name, self.now(), how), content_type=_CRL)
        made_at, state, made = self._lists.get(name, (datetime.min.replace(tzinfo=UTC), (0, 0), b""))
        if not timedelta() <= self.now() - made_at <= _LIST_KEPT or state != self.authority.state:
            made = self._revocations.listed(name, self.now())
            self._lists[name] = (self.now(), self.authority.state, made)
        return web.Response(body=made, content_type=_CRL)

    async def _certificate(self, request: web.Request) -> web.Response:
        identity: Identity = getattr(self.authority, request.match_info["name"])
        return web.Response(body=identity.der, content_type=_CERTIFICATE)

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(self.asked)

    async def _behave(self, request: web.Request) -> web.Response:
        try:
            self.behaviour = Behaviour.of(await request.json())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)


@dataclass
class Running:
    """Open doors; `address` is host:port of the HTTP one."""

    address: str
    _runner: web.AppRunner
    _health: grpc.aio.Server | None

    async def stop(self) -> None:
        """Close them."""
        await self._runner.cleanup()
        if self._health is not None:
            await self._health.stop(1)


async def start(services: TrustServices, listen: str, health_listen: str = "") -> Running:
    """Open the doors."""
    host, port = listen.rsplit(":", 1)
    runner = web.AppRunner(services.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, int(port))
    await site.start()
    server = await _healthy(health_listen) if health_listen else None
    return Running(f"{host}:{runner.addresses[0][1]}", runner, server)


async def _healthy(listen: str) -> grpc.aio.Server:
    server = grpc.aio.server()
    checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
    for name in ("", "readiness", "liveness"):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(listen)
    await server.start()
    return server
