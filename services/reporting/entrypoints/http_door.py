"""Who asks over HTTP: the bearer token of a header, or of the dashboard's cookie, by the rules of the gRPC method that tells the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from services.chassis.errors import Denied
from services.chassis.identity import Actor, TokenVerifier
from services.chassis.rpc import Access
from services.reporting import contracts
from services.reporting.application.ports import Viewer

COOKIE = "hocba_session"
_SERVICE = "/hocba.reporting.v1.Reporting/"


class NoToken(Denied):
    """Nobody has said who asks, or the token is no longer good."""


@dataclass(frozen=True)
class HTTPDoor:
    """Turns a request into whose numbers it may see."""

    tokens: TokenVerifier
    access: Mapping[str, Access]

    def viewer(self, request: web.Request, method: str) -> Viewer:
        """By the roles that open the method, as over gRPC. NoToken, or Denied when the roles are others'."""
        roles = self.access[_SERVICE + method].roles
        actor = self.actor(self.token(request))
        held = tuple(role for role in actor.roles if role.name in roles)
        if not held:
            raise Denied(f"needs one of the roles {', '.join(sorted(roles))}", code="role_missing")
        return contracts.viewer_of(replace(actor, roles=held))

    def opens(self, request: web.Request, method: str) -> bool:
        """Whether the request's roles open the method at all."""
        try:
            self.viewer(request, method)
        except Denied:
            return False
        return True

    def actor(self, token: str) -> Actor:
        """Of a token; NoToken when it isn't good."""
        if not token:
            raise NoToken("this needs a token: send Authorization: Bearer <token>", code="no_token")
        try:
            return self.tokens.verify(token, time.time())
        except Denied as error:
            raise NoToken(error.message, code=error.code) from error

    @staticmethod
    def token(request: web.Request) -> str:
        """What the request carries; a header, as a signing-on proxy sets it, goes before the cookie."""
        header = request.headers.get("Authorization", "")
        return header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else request.cookies.get(COOKIE, "")
