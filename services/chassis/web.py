"""Pages for people over HTTP: served, guarded, measured, and set in the reader's language, in one way for all services."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from services.chassis.telemetry import metrics

LANGUAGES = ("vi", "en")
OUTCOME = web.RequestKey("outcome", str)
"""What a handler notes for the metrics, beside route and status."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8})[-A-Za-z0-9]*\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
_FOR_EVER = "public, max-age=31536000, immutable"
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Server": "hocba",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
_SECURE = {"Strict-Transport-Security": "max-age=31536000"}


async def serve(application: web.Application, listen: str, stop: asyncio.Event) -> None:
    """Serve at host:port until asked to stop."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host, int(port)).start()
        await stop.wait()
    finally:
        await runner.cleanup()


async def nothing(stop: asyncio.Event) -> None:
    """What a role does where no address is set."""
    await stop.wait()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a page; `address` holds a digest of it, so that it may be kept for ever."""

    address: str
    data: bytes
    media_type: str

    @classmethod
    def of(cls, name: str, data: bytes) -> Asset:
        """The file under an address of its own."""
        stem, _, suffix = name.rpartition(".")
        return cls(f"/assets/{stem}.{hashlib.sha256(data).hexdigest()[:16]}.{suffix}", data, _TYPES[suffix])


def read_assets(folder: Path, names: Sequence[str]) -> dict[str, Asset]:
    """Files by name, each behind those that it names: a module's `"./other.js"` becomes the other's address."""
    found: dict[str, Asset] = {}
    for name in names:
        data = (folder / name).read_bytes()
        for other, asset in found.items():
            data = data.replace(b'"./%s"' % other.encode(), b'"%s"' % asset.address.encode())
        found[Path(name).name] = Asset.of(Path(name).name, data)
    return found


def add_assets(application: web.Application, assets: Mapping[str, Asset]) -> None:
    """The route of the files; what isn't there is not found."""
    by_address = {asset.address: asset for asset in assets.values()}

    async def handed_out(request: web.Request) -> web.Response:
        asset = by_address.get(request.path)
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.data, content_type=asset.media_type, charset="utf-8", headers={"Cache-Control": _FOR_EVER})

    application.router.add_get("/assets/{name}", handed_out)


def guard(application: web.Application, *, trusts_proxy: bool, policy: str = "") -> None:
    """Put the headers on every answer, errors of the server itself included; `policy` goes behind the common content policy."""
    headers = _HEADERS | ({"Content-Security-Policy": f"{_CONTENT_POLICY}; {policy}"} if policy else {})

    async def guarded(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)
        response.headers.setdefault("Cache-Control", "no-store")
        # Only where a trusted proxy says so: a stack of one's own speaks plain HTTP, and must stay reachable.
        if trusts_proxy and is_https(request):
            response.headers.update(_SECURE)

    application.on_response_prepare.append(guarded)


def is_https(request: web.Request) -> bool:
    """Whether the proxy in front says that the reader came by HTTPS."""
    return request.headers.get("X-Forwarded-Proto") == "https"


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """How long each answer took, by route and status; no address that was asked for becomes a label."""
    began, status = time.perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        resource = request.match_info.route.resource
        labels = {"http.route": resource.canonical if resource else "", "http.response.status_code": status, "outcome": request.get(OUTCOME, "")}
        metrics.http_requests.record(time.perf_counter() - began, labels)


def html(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page."""
    return web.Response(text=text, status=status, content_type="text/html", headers={"Vary": "Accept-Language", **(headers or {})})


def language(request: web.Request) -> str:
    """The one asked for, else the first that the browser likes best, else Vietnamese."""
    if (asked := request.query.get("lang")) in LANGUAGES:
        return asked
    liked = [_ACCEPTED.fullmatch(part) for part in request.headers.get("Accept-Language", "").split(",")[:20]]
    known = [(float(one[2] or 1), one[1].lower()) for one in liked if one and one[1].lower() in LANGUAGES]
    return max(known, key=lambda one: one[0])[1] if known else LANGUAGES[0]
