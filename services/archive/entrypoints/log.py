"""The role `log`: one process at a time extends the log and brings it before witnesses. The role `tiles`: its files over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiohttp import web

from services.archive.application.extend_log import ExtendLog
from services.archive.application.log_ports import TileStore
from services.archive.application.publish_log import PublishLog
from services.archive.domain.status_list import NAME as STATUS_NAME
from services.archive.domain.tiles import CHECKPOINT, NAME
from services.chassis.errors import ServiceError
from services.chassis.telemetry import log

RETRY_SECONDS = 2.0
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_NOW = "public, max-age=1, must-revalidate"
_HEADERS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class LogKeeper:
    """Rounds, each a whole way from the queue to the published checkpoint."""

    extend: ExtendLog
    publish: PublishLog
    alone: Callable[[], AbstractAsyncContextManager[bool]]
    interval_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Until asked to stop, whatever database, disk or witnesses do meanwhile."""
        while not stop.is_set():
            try:
                async with self.alone() as mine:
                    if mine:
                        await self._rounds(await self.extend.take_over(), stop)
            except (ServiceError, OSError) as error:
                log.warning("the log waits", error=type(error).__name__, code=getattr(error, "code", ""), reason=str(error)[:300])
            await _wait(stop, RETRY_SECONDS)

    async def _rounds(self, epoch: int, stop: asyncio.Event) -> None:
        log.info("this process extends the log", epoch=epoch)
        trouble: tuple[str, ...] = ()
        while not stop.is_set():
            added = await self.extend(epoch)
            published = await self.publish()
            if published.trouble != trouble:
                trouble = published.trouble
                log.warning("witnesses", published=published.published, trouble=trouble) if trouble else log.info("all witnesses answer")
            if added < self.extend.batch:
                await _wait(stop, self.interval_seconds)


async def no_log(stop: asyncio.Event) -> None:
    """What runs where no log is set: says so once, since nothing that is admitted here becomes provable."""
    log.warning("no transparency log: admissions queue up for one; set HOCBA_ARCHIVE_LOG_URL, HOCBA_ARCHIVE_LOG_KEY_FILE and HOCBA_ARCHIVE_LOG_POLICY_FILE")
    await stop.wait()


@dataclass(frozen=True)
class LogFiles:
    """`GET /checkpoint`, `GET /tile/...` (C2SP tlog-tiles) and `GET /status/...`: static files, so that anything that serves files can take this over."""

    store: TileStore

    async def run(self, listen: str, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host, int(port)).start()
            await stop.wait()
        finally:
            await runner.cleanup()

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=1024)
        app.add_routes([web.get("/{name:.+}", self.file)])
        return app

    async def file(self, request: web.Request) -> web.Response:
        """One file; what has no such name isn't looked for."""
        name = request.match_info["name"]
        data = await self.store.read(name) if name == CHECKPOINT or NAME.fullmatch(name) or STATUS_NAME.fullmatch(name) else None
        if data is None:
            return web.Response(status=404, headers=_HEADERS | {"Cache-Control": "no-store"})
        if name == CHECKPOINT:
            return web.Response(body=data, content_type="text/plain", charset="utf-8", headers=_HEADERS | {"Cache-Control": _FOR_NOW})
        return web.Response(body=data, content_type="application/octet-stream", headers=_HEADERS | {"Cache-Control": _FOR_EVER})


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
