"""The role `page`: the public page behind the QR code. It tells a status, and hands out the proof that a browser checks by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from services.archive import contracts
from services.archive.application.get_proof import GetProof
from services.archive.application.get_status import LONGEST_PUBLIC_ID, GetStatus
from services.archive.application.ports import Status
from services.archive.domain.witness_policy import WitnessPolicy
from services.archive.entrypoints.page_limits import PageLimits, client_of
from services.archive.entrypoints.page_look import Look, read_assets
from services.chassis import web as chassis_web
from services.chassis.errors import NotFound, ServiceError
from services.chassis.telemetry import log
from services.chassis.web import OUTCOME, Handler, html, language, measured

_PUBLIC_ID = re.compile(r"[!-~]{1,64}", re.ASCII)
_NOBODY = "-"
"""No document has this public id. What can't be one is looked up as this, so that the answer takes as long as for an unknown one."""
_RETRY_SECONDS = 5
_AT_ONCE = 4
"""Questions to database and log at a time: admission shares the pool of connections, and the public must not take them all."""
_TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types 'none'"


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
        self._assets = read_assets(policy[0] if policy else None)
        self._look = Look(self._assets, policy[1] if policy else None)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self, listen: str, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        await chassis_web.serve(self.application(), listen, stop)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=1024, middlewares=[measured, self._answered])
        doors = {
            "/": self.home,
            "/t": self.typed,
            "/t/{id}": self.page,
            "/t/{id}/status": self.status,
            "/t/{id}/proof": self.proof,
        }
        app.add_routes([web.get(path, door) for path, door in doors.items()])
        chassis_web.add_assets(app, self._assets)
        chassis_web.guard(app, trusts_proxy=self._proxies > 0, policy=_TRUSTED_TYPES)
        return app

    async def home(self, request: web.Request) -> web.Response:
        """The first page."""
        return html(self._look.page(language(request)))

    async def typed(self, request: web.Request) -> web.Response:
        """On to the page of a code as people type it, or of an address as they paste it."""
        code = request.query.get("id", "").partition("?")[0].rstrip("/").rpartition("/")[2]
        known = "".join(letter for letter in code.lower() if letter.isascii() and letter.isalnum())[:LONGEST_PUBLIC_ID]
        raise web.HTTPSeeOther(f"/t/{known}?lang={language(request)}" if known else "/")

    async def page(self, request: web.Request) -> web.Response:
        """The status in words; one answer for unknown and malformed ids, which names no id."""
        public_id = _public_id(request)
        status, found, at = await self._status(public_id)
        request[OUTCOME] = status
        text = self._look.page(language(request), status=status, found=found, as_of=at, public_id=public_id if found else "")
        return html(text, 200 if found else 404)

    async def status(self, request: web.Request) -> web.Response:
        """The status for programs."""
        status, found, at = await self._status(_public_id(request))
        request[OUTCOME] = status
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
        request[OUTCOME] = "proof" if found else "no_proof"
        if found is None:
            return web.Response(status=404, text="no proof\n")
        return web.Response(body=found.encoded(), content_type="text/plain", charset="utf-8")

    async def _status(self, public_id: str) -> tuple[str, Status | None, datetime]:
        async with self._turns:
            found, at = await self._get_status(public_id)
        return contracts.status(found, at).status, found, at.astimezone(UTC).replace(microsecond=0)

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
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

    def _message(self, request: web.Request, what: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
        request[OUTCOME] = what
        lang = language(request)
        words = self._look.texts[lang]
        return html(self._look.page(lang, title=words[f"{what}_title"], text=words[f"{what}_text"]), status, headers)


def _public_id(request: web.Request) -> str:
    given = request.match_info["id"]
    return given if _PUBLIC_ID.fullmatch(given) else _NOBODY
