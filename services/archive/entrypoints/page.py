"""The role `page`: the public page behind the QR code. It tells a status, and hands out the proof that a browser checks by itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from services.archive import contracts
from services.archive.application.get_proof import GetProof
from services.archive.application.get_status import LONGEST_PUBLIC_ID, GetStatus
from services.archive.application.ports import Status
from services.archive.domain.witness_policy import WitnessPolicy
from services.archive.entrypoints.page_limits import PageLimits, client_of
from services.archive.entrypoints.page_look import LANGUAGES, Look, read_assets
from services.chassis.errors import NotFound, ServiceError
from services.chassis.telemetry import log, metrics

_PUBLIC_ID = re.compile(r"[!-~]{1,64}", re.ASCII)
_NOBODY = "-"
"""No document has this public id. What can't be one is looked up as this, so that the answer takes as long as for an unknown one."""
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8})[-A-Za-z0-9]*\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_RETRY_SECONDS = 5
_AT_ONCE = 4
"""Questions to database and log at a time: admission shares the pool of connections, and the public must not take them all."""
_OUTCOME = web.RequestKey("outcome", str)
_NO_STORE = "no-store"
_FOR_EVER = "public, max-age=31536000, immutable"
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
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
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PublicPage:
    """
    GET /                        the form, and a place to drop a PDF
    GET /t/{public_id}           what a printed QR code leads to: the status in words
    GET /t/{public_id}/status    the same as JSON
    GET /t/{public_id}/proof     the C2SP tlog-proof; 404 while there is none
    GET /assets/...              files under names that hold their digest

    Ids reach neither logs nor labels of metrics: whoever has one may ask.
    """

    def __init__(self, get_status: GetStatus, get_proof: GetProof, policy: tuple[str, WitnessPolicy] | None, limits: PageLimits, proxies: int) -> None:
        """`policy` as its file has it, for those who check, and as it was read; `proxies` in front, each of which adds to X-Forwarded-For."""
        self._get_status, self._get_proof, self._limits, self._proxies = get_status, get_proof, limits, proxies
        assets = read_assets(policy[0] if policy else None)
        self._look = Look(assets, policy[1] if policy else None)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._assets = {asset.address: asset for asset in assets.values()}

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
        app = web.Application(client_max_size=1024, middlewares=[_measured, self._answered])
        doors = {
            "/": self.home,
            "/t": self.typed,
            "/t/{id}": self.page,
            "/t/{id}/status": self.status,
            "/t/{id}/proof": self.proof,
            "/assets/{name}": self.asset,
        }
        app.add_routes([web.get(path, door) for path, door in doors.items()])
        app.on_response_prepare.append(self._guarded)
        return app

    async def home(self, request: web.Request) -> web.Response:
        """The first page."""
        return _html(self._look.page(_language(request)))

    async def typed(self, request: web.Request) -> web.Response:
        """On to the page of a code as people type it, or of an address as they paste it."""
        code = request.query.get("id", "").partition("?")[0].rstrip("/").rpartition("/")[2]
        known = "".join(letter for letter in code.lower() if letter.isascii() and letter.isalnum())[:LONGEST_PUBLIC_ID]
        raise web.HTTPSeeOther(f"/t/{known}?lang={_language(request)}" if known else "/")

    async def page(self, request: web.Request) -> web.Response:
        """The status in words; one answer for unknown and malformed ids, which names no id."""
        public_id = _public_id(request)
        status, found, at = await self._status(public_id)
        request[_OUTCOME] = status
        text = self._look.page(_language(request), status=status, found=found, as_of=at, public_id=public_id if found else "")
        return _html(text, 200 if found else 404)

    async def status(self, request: web.Request) -> web.Response:
        """The status for programs."""
        status, found, at = await self._status(_public_id(request))
        request[_OUTCOME] = status
        told: dict[str, object] = {"status": status, "as_of": at.isoformat()}
        if found is not None:
            told |= {"kind": found.kind, "school_name": found.school_name, "school_year": found.school_year, "level": found.level}
            told |= {"newer": found.newer_public_id} if found.newer_public_id else {}
            told |= {"revoked_at": found.revoked_at.isoformat(), "decision_number": found.decision_number} if found.revoked_at else {}
        return web.json_response(told, status=200 if found else 404)

    async def proof(self, request: web.Request) -> web.Response:
        """The proof under the newest final checkpoint."""
        try:
            async with self._turns:
                found = await self._get_proof(_public_id(request))
        except NotFound:
            found = None
        request[_OUTCOME] = "proof" if found else "no_proof"
        if found is None:
            return web.Response(status=404, text="no proof\n")
        return web.Response(body=found.encoded(), content_type="text/plain", charset="utf-8")

    async def asset(self, request: web.Request) -> web.Response:
        """A file of the page."""
        asset = self._assets.get(request.path)
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.data, content_type=asset.media_type, charset="utf-8", headers={"Cache-Control": _FOR_EVER})

    async def _status(self, public_id: str) -> tuple[str, Status | None, datetime]:
        async with self._turns:
            found, at = await self._get_status(public_id)
        return contracts.status(found, at).status, found, at.astimezone(UTC).replace(microsecond=0)

    @web.middleware
    async def _answered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Counts who asks, and says in words what went wrong."""
        client = client_of(request.remote or "", request.headers.get("X-Forwarded-For", ""), self._proxies)
        wait = await self._limits.wait(client) if request.path.startswith("/t/") else 0
        if wait:
            return self._message(request, "limited", 429, {"Retry-After": str(wait)})
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return self._message(request, "not_found", 404)
        except ServiceError as error:
            log.warning("the public page has no answer", code=error.code)
            return self._message(request, "down", 503, {"Retry-After": str(_RETRY_SECONDS)})

    async def _guarded(self, request: web.Request, response: web.StreamResponse) -> None:
        """The headers of every answer, errors of the server itself included."""
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", _NO_STORE)
        # Only where a trusted proxy says so: a stack of one's own speaks plain HTTP, and must stay reachable.
        if self._proxies and request.headers.get("X-Forwarded-Proto") == "https":
            response.headers.update(_SECURE)

    def _message(self, request: web.Request, what: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
        request[_OUTCOME] = what
        language = _language(request)
        words = self._look.texts[language]
        return _html(self._look.page(language, title=words[f"{what}_title"], text=words[f"{what}_text"]), status, headers)


async def no_page(stop: asyncio.Event) -> None:
    """What the role does where no address is set."""
    await stop.wait()


@web.middleware
async def _measured(request: web.Request, handler: _Handler) -> web.StreamResponse:
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
        labels = {"http.route": resource.canonical if resource else "", "http.response.status_code": status, "outcome": request.get(_OUTCOME, "")}
        metrics.http_requests.record(time.perf_counter() - began, labels)


def _html(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers={"Vary": "Accept-Language", **(headers or {})})


def _public_id(request: web.Request) -> str:
    given = request.match_info["id"]
    return given if _PUBLIC_ID.fullmatch(given) else _NOBODY


def _language(request: web.Request) -> str:
    """The one asked for, else the first that the browser likes best, else Vietnamese."""
    if (asked := request.query.get("lang")) in LANGUAGES:
        return asked
    liked = [_ACCEPTED.fullmatch(part) for part in request.headers.get("Accept-Language", "").split(",")[:20]]
    known = [(float(one[2] or 1), one[1].lower()) for one in liked if one and one[1].lower() in LANGUAGES]
    return max(known, key=lambda one: one[0])[1] if known else LANGUAGES[0]
