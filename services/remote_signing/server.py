"""The stand-in's HTTP server: info, OAuth 2 client credentials, credentials/*, signatures/signHash and signPolling.

It remembers what it was asked for as long as it runs, as a provider does for its clients. Activation data is bound to
credential and hashes, lives for a while, and is good for one signHash.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.remote_signing.behaviour import Behaviour
from services.remote_signing.credentials import Credential, Credentials

_TOKEN_SECONDS = 300
_SHA256 = "2.16.840.1.101.3.4.2.1"
_METHODS = ("credentials/list", "credentials/info", "credentials/authorize", "credentials/authorizeCheck", "signatures/signHash", "signatures/signPolling")


@dataclass(frozen=True)
class Rules:
    """How this provider works: confirmation is `none`, `manual`, or after some seconds; limits are its own."""

    confirmation: str = "none"
    window_seconds: float = 300.0
    hashes_per_call: int = 100
    calls_per_second: float = 0.0
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    notices_token: str = field(default="", repr=False)
    control: bool = False


@dataclass
class Confirmation:
    """One question to a signer's phone."""

    credential: str
    hashes: tuple[bytes, ...]
    client_data: str
    asked_at: float
    answer: bool | None = None
    sad: str = ""


@dataclass
class Signature:
    """One asynchronous signHash."""

    values: list[bytes]
    ready_at: float
    client_data: str


def refused(code: str, description: str = "", status: int = 400) -> web.Response:
    """An error as the API gives it."""
    return web.json_response({"error": code, "error_description": description}, status=status)


class Provider:
    """The server's state and its answers."""

    def __init__(self, credentials: Credentials, rules: Rules) -> None:
        self.credentials, self.rules, self.behaviour = credentials, rules, Behaviour()
        self.calls: Counter[str] = Counter()
        self.signed: Counter[str] = Counter()
        """Digests that keys were used for, by client data."""
        self._tokens: dict[str, float] = {}
        self._confirmations: dict[str, Confirmation] = {}
        self._signatures: dict[str, Signature] = {}
        self._level, self._at = 1.0, time.monotonic()
        self._notices: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """The application with all its doors."""
        app = web.Application(middlewares=[self._door], client_max_size=16 * 1024 * 1024)
        base = "/csc/v2"
        app.add_routes(
            [
                web.post(f"{base}/info", self.info),
                web.post(f"{base}/oauth2/token", self.token),
                web.post(f"{base}/credentials/list", self.credentials_list),
                web.post(f"{base}/credentials/info", self.credentials_info),
                web.post(f"{base}/credentials/authorize", self.authorize),
                web.post(f"{base}/credentials/authorizeCheck", self.authorize_check),
                web.post(f"{base}/signatures/signHash", self.sign_hash),
                web.post(f"{base}/signatures/signPolling", self.sign_polling),
            ]
        )
        if self.rules.control:
            app.add_routes([web.get("/control", self.seen), web.post("/control", self.control), web.post("/phone/{answer}", self.phone)])
        return app

    @web.middleware
    async def _door(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        if not request.path.startswith("/csc/"):
            return await handler(request)
        name = request.path.removeprefix("/csc/v2/")
        self.calls[name] += 1
        if self.behaviour.slow_seconds:
            await asyncio.sleep(self.behaviour.slow_seconds)
        if self.behaviour.spoils("busy") or not self._within_limit():
            self.calls["refused as too many"] += 1
            return refused("slow_down", "too many requests", 429)
        if self.behaviour.spoils("unavailable"):
            return refused("temporarily_unavailable", "maintenance", 503)
        if self.rules.client_id and name not in ("info", "oauth2/token"):
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self._tokens.get(given, 0.0) < time.monotonic():
                return refused("invalid_token", "ask for a new token", 401)
        return await handler(request)

    def _within_limit(self) -> bool:
        rate = self.rules.calls_per_second
        if not rate:
            return True
        now = time.monotonic()
        self._level, self._at = min(max(1.0, rate), self._level + (now - self._at) * rate), now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    async def info(self, _: web.Request) -> web.Response:
        said = {"specs": "2.0.0.2", "name": "hocba's stand-in", "logo": "", "region": "VN", "lang": "vi-VN", "description": "signs for tests only"}
        return web.json_response({**said, "authType": ["oauth2client"], "methods": _METHODS, "asynchronousOperationMode": True})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        right = hmac.compare_digest(str(form.get("client_secret", "")).encode(), self.rules.client_secret.encode())
        if form.get("grant_type") != "client_credentials" or form.get("client_id") != self.rules.client_id or not right:
            return refused("invalid_client", status=401)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + _TOKEN_SECONDS
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": _TOKEN_SECONDS})

    async def credentials_list(self, _: web.Request) -> web.Response:
        return web.json_response({"credentialIDs": self.credentials.ids})

    async def credentials_info(self, request: web.Request) -> web.Response:
        found = self.credentials.get(str((await request.json()).get("credentialID", "")))
        if found is None:
            return refused("invalid_request", "credentialID is unknown")
        said = {"authMode": "explicit", "SCAL": "2", "multisign": self.rules.hashes_per_call, **found.described()}
        return web.json_response(said)

    async def authorize(self, request: web.Request) -> web.Response:
        body = await request.json()
        credential, hashes = str(body.get("credentialID", "")), _hashes(body)
        if self.credentials.get(credential) is None:
            return refused("invalid_request", "credentialID is unknown")
        if not hashes or body.get("numSignatures") != len(hashes) or len(hashes) > self.rules.hashes_per_call:
            return refused("invalid_request", f"name 1 to {self.rules.hashes_per_call} hashes, and as many as numSignatures")
        client_data = str(body.get("clientData", ""))
        # The same question twice rings the phone once.
        handle = next((h for h, c in self._confirmations.items() if client_data and c.client_data == client_data and not c.sad), secrets.token_urlsafe(16))
        asked = self._confirmations.setdefault(handle, Confirmation(credential, hashes, client_data, time.monotonic()))
        return self._answer(handle, asked)

    async def authorize_check(self, request: web.Request) -> web.Response:
        handle = str((await request.json()).get("handle", ""))
        asked = self._confirmations.get(handle)
        return refused("invalid_request", "handle is unknown") if asked is None else self._answer(handle, asked)

    def _answer(self, handle: str, asked: Confirmation) -> web.Response:
        waited, way = time.monotonic() - asked.asked_at, self.rules.confirmation
        if asked.answer is False or self.behaviour.decline:
            return refused("access_denied", "the signer declined")
        if waited > self.rules.window_seconds:
            return refused("authorization_expired", "the signer didn't confirm in time")
        if asked.answer is None and way != "none" and (way == "manual" or waited < float(way)):
            return web.json_response({"handle": handle}, status=202)
        asked.sad = asked.sad or secrets.token_urlsafe(32)
        return web.json_response({"SAD": asked.sad, "expiresIn": int(self.rules.window_seconds)})

    async def sign_hash(self, request: web.Request) -> web.Response:
        body = await request.json()
        credential, hashes, sad = str(body.get("credentialID", "")), _hashes(body), str(body.get("SAD", ""))
        found = self.credentials.get(credential)
        handle = next((h for h, c in self._confirmations.items() if sad and c.sad == sad), None)
        if found is None or handle is None:
            return refused("invalid_request", "SAD is unknown or used")
        asked = self._confirmations[handle]
        if asked.credential != credential or not hashes or not set(hashes) <= set(asked.hashes):
            return refused("invalid_request", "SAD isn't for this credential and these hashes")
        if body.get("hashAlgorithmOID") != _SHA256 or body.get("signAlgo") != found.algorithm:
            return refused("invalid_request", f"use SHA-256 and {found.algorithm}")
        if self.behaviour.spoils("drop_before_signing"):
            return self._drop(request)
        del self._confirmations[handle]
        client_data = str(body.get("clientData", ""))
        response_id = self._sign(found, hashes, client_data)
        if self.behaviour.spoils("drop_after_signing"):
            return self._drop(request)
        if body.get("operationMode") == "A":
            if body.get("response_uri") and self.behaviour.notify:
                task = asyncio.create_task(self._notify(str(body["response_uri"]), response_id))
                self._notices.add(task)
                task.add_done_callback(self._notices.discard)
            return web.json_response({"responseID": response_id})
        return web.json_response({"signatures": _texts(self._signatures[response_id].values)})

    def _sign(self, credential: Credential, hashes: tuple[bytes, ...], client_data: str) -> str:
        self.signed[client_data] += len(hashes)
        if self.behaviour.spoils("other_hash"):
            hashes = tuple(hashlib.sha256(digest).digest() for digest in hashes)
        response_id = secrets.token_urlsafe(16)
        self._signatures[response_id] = Signature(credential.sign(hashes), time.monotonic() + self.behaviour.ready_seconds, client_data)
        return response_id

    async def sign_polling(self, request: web.Request) -> web.Response:
        body = await request.json()
        found = self._signatures.get(str(body.get("responseID", "")))
        if found is None and body.get("clientData"):
            # As Vietnamese providers do: the client's own transaction id will do.
            found = next((s for s in self._signatures.values() if s.client_data == body["clientData"]), None)
        if found is None or self.behaviour.forget:
            return refused("invalid_request", "responseID is unknown")
        if time.monotonic() < found.ready_at:
            return web.json_response({}, status=202)
        return web.json_response({"signatures": _texts(found.values)})

    async def _notify(self, address: str, response_id: str) -> None:
        signature = self._signatures[response_id]
        await asyncio.sleep(max(0.0, signature.ready_at - time.monotonic()))
        body = {"responseID": response_id, "clientData": signature.client_data, "signatures": _texts(signature.values)}
        headers = {"Authorization": f"Bearer {self.rules.notices_token}"}
        try:
            async with aiohttp.ClientSession() as session, session.post(address, json=body, headers=headers) as answer:
                self.calls[f"notice answered {answer.status}"] += 1
        except (aiohttp.ClientError, OSError):
            self.calls["notice not delivered"] += 1

    @staticmethod
    def _drop(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def control(self, request: web.Request) -> web.Response:
        try:
            self.behaviour.change(await request.json())
        except ValueError as error:
            return refused("invalid_request", str(error))
        return web.json_response(asdict(self.behaviour))

    async def seen(self, _: web.Request) -> web.Response:
        waiting = sum(1 for c in self._confirmations.values() if c.answer is None and not c.sad)
        return web.json_response({"calls": self.calls, "signed": self.signed, "waiting": waiting})

    async def phone(self, request: web.Request) -> web.Response:
        answer = request.match_info["answer"] == "confirm"
        waiting = [c for c in self._confirmations.values() if c.answer is None and not c.sad]
        for one in waiting:
            one.answer = answer
        return web.json_response({"answered": len(waiting)})


def _hashes(body: dict[str, Any]) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(text, validate=True) for text in body.get("hashes", ()))
    except (ValueError, TypeError):
        return ()


def _texts(values: list[bytes]) -> list[str]:
    return [base64.b64encode(value).decode() for value in values]


@dataclass
class Running:
    """Open doors; `address` is the base address of the HTTP one."""

    address: str
    _runner: web.AppRunner
    _health: grpc.aio.Server | None

    async def stop(self) -> None:
        """Close them."""
        await self._runner.cleanup()
        if self._health is not None:
            await self._health.stop(1)


async def start(listen: str, health_listen: str, credentials: Credentials, rules: Rules) -> Running:
    """Open the doors."""
    runner = web.AppRunner(Provider(credentials, rules).app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    health_server = await _healthy(health_listen) if health_listen else None
    return Running(f"http://{host}:{runner.addresses[0][1]}", runner, health_server)


async def _healthy(listen: str) -> grpc.aio.Server:
    """A gRPC health check, which every process of the stack has."""
    server = grpc.aio.server()
    checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
    for name in ("", "readiness", "liveness"):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(listen)
    await server.start()
    return server
