"""
The register's doors: HTTPS, an account's bearer token on every call but the first two.

    GET  /v1                                       who this is, and the key that signs receipts
    GET  /v1/submission.schema.json                the published schema
    GET  /v1/submissions/{sha256}                  how far the manifest of this digest has come
    PUT  /v1/submissions/{sha256}?offset=N         a piece of it
    POST /v1/submissions/{sha256}                  the detached signature (CMS, DER): answers with the receipt
    GET  /v1/submissions/{sha256}/results          the results whose digest the receipt names
    POST /v1/pupils                                {"pupil": "<personal number or ministry code>"}: in the body, since addresses are logged everywhere
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from services.archive.domain.submission import FORM, LARGEST_MANIFEST
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, OutcomeUnknown, Refused, ServiceError, Unavailable
from services.chassis.telemetry import log
from services.register.application.find_pupil import FindPupil
from services.register.application.ports import Account, Register, Uploads
from services.register.application.submit import Submit

LARGEST_PIECE = 4 << 20
LARGEST_SIGNATURE = 64 << 10
_STATUS: dict[type[ServiceError], int] = {Malformed: 400, Denied: 403, NotFound: 404, Conflict: 409, Refused: 422, OutcomeUnknown: 500, Unavailable: 503}
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class RegisterHTTP:
    """Each door is a few lines; errors become a status with code and message."""

    submit: Submit
    find: FindPupil
    register: Register
    uploads: Uploads
    public_key: str
    schema: Path

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=LARGEST_PIECE + 1, middlewares=[_told])
        one = "/v1/submissions/{sha256}"
        app.add_routes(
            [
                web.get("/v1", self.about),
                web.get("/v1/submission.schema.json", self.published),
                web.get(one, self.progress),
                web.put(one, self.piece),
                web.post(one, self.finish),
                web.get(f"{one}/results", self.results),
                web.post("/v1/pupils", self.pupils),
            ]
        )
        return app

    async def about(self, _: web.Request) -> web.Response:
        """For who begins here."""
        told = {"register": self.submit.name, "key": self.public_key, "format": FORM, "largest_piece": LARGEST_PIECE, "largest_manifest": LARGEST_MANIFEST}
        return web.json_response(told)

    async def published(self, _: web.Request) -> web.Response:
        """The schema."""
        return web.Response(body=self.schema.read_bytes(), content_type="application/schema+json")

    async def progress(self, request: web.Request) -> web.Response:
        """How far a submission is."""
        account, digest = await self._account(request), _digest(request)
        answered = await self.register.answered(account.department, digest)
        if answered is not None:
            return web.json_response({"state": "answered", "receipt": answered.receipt.decode()})
        return web.json_response({"state": "open", "received": self.uploads.size(account.department, digest)})

    async def piece(self, request: web.Request) -> web.Response:
        """A piece of a manifest."""
        account, digest = await self._account(request), _digest(request)
        offset = request.query.get("offset", "0")
        if not offset.isdecimal():
            raise Malformed("offset: how many bytes were sent before", code="offset")
        return web.json_response({"received": await self.uploads.add(account.department, digest, int(offset), await request.read())})

    async def finish(self, request: web.Request) -> web.Response:
        """The signature that makes a manifest a submission."""
        account, digest = await self._account(request), _digest(request)
        signature = await request.read()
        if len(signature) > LARGEST_SIGNATURE:
            raise Malformed(f"a signature has at most {LARGEST_SIGNATURE} bytes", code="too_large")
        answer = await self.register.answered(account.department, digest)
        if answer is None:
            answer = await self.submit(account, await self.uploads.whole(account.department, digest), signature)
            self.uploads.forget(account.department, digest)
            log.info("submission answered", department=account.department, manifest=digest.hex())
        return web.Response(body=answer.receipt, content_type="text/plain", charset="utf-8")

    async def results(self, request: web.Request) -> web.Response:
        """The file of results."""
        account, digest = await self._account(request), _digest(request)
        answered = await self.register.answered(account.department, digest)
        if answered is None:
            raise NotFound("this manifest has no receipt yet", code="no_submission")
        return web.Response(body=answered.results, content_type="application/json")

    async def pupils(self, request: web.Request) -> web.Response:
        """A pupil's transcripts across all provinces."""
        account = await self._account(request)
        try:
            pupil = json.loads(await request.text())["pupil"]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed('a JSON object {"pupil": "<number or code>"}', code="pupil") from error
        if not isinstance(pupil, str) or not pupil:
            raise Malformed("pupil: a text", code="pupil")
        found = await self.find(account, pupil)
        return web.json_response(
            {
                "transcripts": [
                    {
                        "department": one.record.department,
                        "department_name": one.record.department_name,
                        "transcript": one.record.transcript_id,
                        "version": one.record.version,
                        "status": one.status,
                        "sha256": one.record.sha256.hex(),
                        "school_year": one.record.school_year,
                        "level": one.record.level,
                        "school": one.record.school_id,
                        "fetch": one.record.fetch,
                    }
                    for one in found
                ]
            }
        )

    async def _account(self, request: web.Request) -> Account:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        account = await self.register.account(hashlib.sha256(token.encode()).digest()) if kind == "Bearer" and token else None
        if account is None:
            raise Denied("no account has this token; send it as `Authorization: Bearer <token>`", code="bad_token")
        return account


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ServiceError as error:
        log.info("refused", code=error.code, door=request.method, path=request.path)
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        return web.json_response({"code": error.code, "message": error.message}, status=status)


def _digest(request: web.Request) -> bytes:
    text = request.match_info["sha256"]
    if not _DIGEST.fullmatch(text):
        raise NotFound("a submission is named by the SHA-256 of its manifest in lower-case hexadecimal", code="no_submission")
    return bytes.fromhex(text)
