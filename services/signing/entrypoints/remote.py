"""The role `remote`: asks providers what became of requests, and takes their notices over HTTP."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.signing.application.advance_requests import AdvanceRequests, TakeNotice

IDLE_SECONDS = 0.5
RETRY_SECONDS = 2.0
_LARGEST_NOTICE = 4 * 1024 * 1024


@dataclass(frozen=True)
class RemotePoller:
    """Rounds over due requests, by one process at a time, so that a provider's limit is kept by one."""

    advance: AdvanceRequests
    alone: Callable[[], AbstractAsyncContextManager[bool]]
    close: Callable[[], Awaitable[None]]

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop, whatever the database does meanwhile."""
        try:
            while not stop.is_set():
                try:
                    async with self.alone() as mine:
                        while mine and not stop.is_set():
                            if not await self.advance():
                                await _wait(stop, IDLE_SECONDS)
                except (ServiceError, OSError) as error:
                    log.warning("remote requests wait", error=type(error).__name__)
                await _wait(stop, RETRY_SECONDS)
        finally:
            await self.close()


@dataclass(frozen=True)
class Notices:
    """`POST /notices/<provider>` with a bearer token and the answer of signPolling, our request id in `clientData`."""

    take: TakeNotice
    tokens: Mapping[str, str]
    values_of: Callable[[Mapping[str, Any]], tuple[bytes, ...]]

    async def run(self, listen: str, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        app = web.Application(client_max_size=_LARGEST_NOTICE)
        app.add_routes([web.post("/notices/{provider}", self.notice)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host, int(port)).start()
            await stop.wait()
        finally:
            await runner.cleanup()

    async def notice(self, request: web.Request) -> web.Response:
        provider = request.match_info["provider"]
        wanted = self.tokens.get(provider, "")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
            return web.json_response({"error": "invalid_token"}, status=401)
        try:
            body = await request.json()
            await self.take(provider, str(body["clientData"]), self.values_of(body))
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "invalid_request"}, status=400)
        except ServiceError as error:
            # Whether to send it again is the provider's decision; we ask by ourselves anyway.
            return web.json_response({"error": error.code}, status=409)
        return web.json_response({})


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
