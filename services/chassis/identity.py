"""Who is calling: a person by a signed token, or a service by its certificate.

Tokens are JWTs signed with ES256 (RFC 7519, RFC 7518 section 3.4). Claims: `sub` account id, `person` id of the human
being (two accounts of one human share it), `roles` list of "role@scope", scope one of `nation`, `province:<id>`,
`school:<uuid>`, `class:<uuid>`.
"""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.chassis.errors import Denied

AUDIENCE = "hocba"
ALGORITHMS = ["ES256"]
CLOCK_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Role:
    """A role within a scope, such as `principal` of one school."""

    name: str
    scope: str  # "nation", "province:2025-79", "school:<uuid>", "class:<uuid>"


@dataclass(frozen=True, slots=True)
class Actor:
    """The verified originator of a call."""

    account_id: str
    person_id: str
    roles: tuple[Role, ...] = ()
    service: str = ""  # set when the caller is one of our services and no person stands behind the call

    def has(self, role: str, *scopes: str) -> bool:
        """Whether the actor holds the role in one of the scopes; without scopes, anywhere."""
        return any(held.name == role and (not scopes or held.scope in scopes) for held in self.roles)

    def require(self, role: str | tuple[str, ...], *scopes: str) -> None:
        """Raise Denied unless the actor holds (one of) the role(s) in one of the scopes. Services pass."""
        names = (role,) if isinstance(role, str) else role
        if self.service or any(self.has(name, *scopes) for name in names):
            return
        raise Denied(f"needs the role {' or '.join(names)} for {' or '.join(scopes) or 'any scope'}", code="role_missing")

    def scoped(self, kind: str) -> tuple[str, ...]:
        """Ids of all scopes of a kind (`school`, `province`, `class`) in which the actor holds some role."""
        return tuple(sorted({role.scope.split(":", 1)[1] for role in self.roles if role.scope.startswith(kind + ":")}))


def service_actor(name: str) -> Actor:
    """The actor that stands for a service itself."""
    return Actor(account_id=f"service:{name}", person_id=f"service:{name}", service=name)


_current: ContextVar[Actor | None] = ContextVar("hocba_actor", default=None)


def current_actor() -> Actor:
    """The actor of the running call; raises Denied outside of one."""
    actor = _current.get()
    if actor is None:
        raise Denied("no verified caller", code="no_actor")
    return actor


def set_current_actor(actor: Actor | None) -> None:
    """Bind the actor for the running task. Only the RPC server, consumers and schedulers do this."""
    _current.set(actor)


class TokenVerifier:
    """Turns a bearer token into an actor, or raises Denied."""

    def __init__(self, keys_file: Path, issuer: str) -> None:
        self._keys = KeySet.import_key_set(json.loads(keys_file.read_text()))
        self._claims = jwt.JWTClaimsRegistry(
            leeway=CLOCK_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._seen: dict[str, tuple[float, Actor]] = {}

    def verify(self, token: str, now: float) -> Actor:
        """The actor of a valid token. `now` is seconds since the epoch."""
        cached = self._seen.get(token)
        if cached and cached[0] > now:
            return cached[1]
        try:
            decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            self._claims.validate(decoded.claims)
            claims = decoded.claims
            roles = tuple(Role(*text.split("@", 1)) for text in claims["roles"])
            actor = Actor(str(claims["sub"]), str(claims["person"]), roles)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Denied(f"token refused: {type(error).__name__}; ask for a new one", code="bad_token") from error
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[token] = (float(claims["exp"]), actor)
        return actor
